"""GraphQL over the subprotocol graphql-ws, as clients spoke it before 2021.

https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md
"""

import asyncio
# #if auth

from .conversation import Conversation, Remote, Step
# #else
#~
#~ from .conversation import Conversation, Remote
# #endif
from .graphql_ws import (
    BadMessageError,
    Graphql,
    GraphqlConversation,
    Message,
    parse_message,
    read_object,
)
from .json_value import write_json

# Seconds between two `ka`: clients give up after 30 without.
KEEP_ALIVE = 10

# What was called `start` and `stop` then.
TYPES = {"connection_init": "connection_init", "start": "subscribe", "stop": "complete"}


class LegacyGraphql(Graphql):
    """The protocol."""

    name = "graphql-ws"

    def accept(self, remote: Remote) -> Conversation:
        """Talk to a client."""
        return LegacyConversation(remote, self)


class LegacyConversation(GraphqlConversation):
    """What is said to one client."""

    _beat: asyncio.TimerHandle | None = None

    def parse(self, text: str) -> Message | None:
        """Return what `text` says in the words of the newer protocol."""
        message = read_object(text)
        if message["type"] == "connection_terminate":
            self.remote.close(1000, "")
            return None
        kind = TYPES.get(message["type"])
        if kind is None:
            raise BadMessageError("Unexpected message")
        parsed = parse_message({**message, "type": kind})
        # A second operation with the id of one takes its place.
        if kind == "subscribe":
            self.complete(parsed["id"])
        return parsed

    # #if auth
    def enter(self, step: Step) -> Step | None:
        """Read nothing until a token is checked.

        Clients send operations without waiting for connection_ack.
        """
        return step

    # #endif
    def acknowledge(self) -> None:
        """Tell the client that it may begin."""
        super().acknowledge()
        self._keep_alive()

    def _keep_alive(self) -> None:
        self.remote.send('{"type":"ka"}', "ka")
        self._beat = asyncio.get_running_loop().call_later(KEEP_ALIVE, self._keep_alive)

    def tell(self, operation_id: str, kind: str, payload: object) -> None:
        """Send what is of an operation; there was one error only."""
        if kind == "error" and isinstance(payload, list):
            super().tell(operation_id, kind, payload[0])
        else:
            super().tell(operation_id, "data" if kind == "next" else kind, payload)

    def end(self, code: int, reason: str) -> None:
        """Say why, and close the connection."""
        text = write_json({"type": "connection_error", "payload": {"message": reason}})
        self.remote.send(text, "connection_error")
        super().end(code, reason)

    def close(self) -> None:
        """Let go."""
        super().close()
        if self._beat is not None:
            self._beat.cancel()
