"""GraphQL over the subprotocol graphql-transport-ws, the one of the library graphql-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

from collections.abc import Mapping, Sequence
from ssl import SSLContext
from typing import Any, Literal, Self, TypeVar

from .base import BaseClient
from .calls import Calls
from .close_codes import CLOSE_CODES, Reconnect
from .connection import Network, State
from .feed import Feed
from .messages import ClientError, MalformedError, Message, encode, new_id, parse
from .options import Options
from .tokens import GetToken

# What an event holds, as the program knows it.
T = TypeVar("T")

# After which the client of graphql-ws makes no other attempt, or does.
GRAPHQL_CLOSE_CODES = {
    **CLOSE_CODES,
    1000: Reconnect.DELAY,
    4400: Reconnect.NO,  # a message that the server does not understand
    4401: Reconnect.NO,  # an operation before connection_ack
    4403: Reconnect.TOKEN_ONCE,  # the token was refused, or has expired
    4406: Reconnect.NO,  # the server speaks no such subprotocol
    4408: Reconnect.DELAY,  # connection_init came too late
    4409: Reconnect.NO,  # the id of an operation that has not ended
    4429: Reconnect.NO,  # connection_init came twice
}


class GraphqlError(Exception):
    """The server has executed an operation, or refused it, with errors."""

    def __init__(self, errors: Sequence[Any], data: object = None) -> None:
        """Hold the errors as the server has sent them, and what data there is besides."""
        messages = [one.get("message") if isinstance(one, dict) else one for one in errors]
        super().__init__("; ".join(map(str, messages)))
        self.errors = errors
        self.data = data


class Subscription(Feed[T | GraphqlError]):
    """The events of a subscription: `async for data in subscription`."""

    def __init__(self, client: "GraphqlClient", payload: Message) -> None:
        """Ask for `payload` over this connection and those after it, until an end."""
        super().__init__(client.options.max_events)
        self._client = client
        self.id = new_id()
        self.payload = payload

    def put(self, event: T | GraphqlError) -> None:
        """Add an event; whoever reads too slowly gets an error after those that wait."""
        if self.size == self._client.options.max_events:
            self._client.leave(self)
            self.end(ClientError("queue_full", f"{self.size} events wait to be read"))
        else:
            super().put(event)

    async def __anext__(self) -> T:
        """Wait for the next event; raise GraphqlError if the server sent errors in its place."""
        event = await super().__anext__()
        if isinstance(event, GraphqlError):
            raise event
        return event

    def leave(self) -> None:
        """Want no more events."""
        self._client.leave(self)
        self.end()

    async def __aenter__(self) -> Self:
        """Leave at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        self.leave()


class GraphqlClient(BaseClient):
    """Executes operations, and subscribes again after a lost connection."""

    def __init__(
        self,
        url: str,
        *,
        get_token: GetToken | None = None,
        options: Options | None = None,
        headers: Mapping[str, str] | None = None,
        ssl: SSLContext | None = None,
        proxy: str | Literal[True] | None = True,
    ) -> None:
        """Connect to `url` (`ws:` or `wss:`) later, with `connect` or `async with`.

        `headers`, `ssl` and `proxy` are those of `websockets.connect`.
        """
        network = Network(
            url,
            ("graphql-transport-ws",),
            GRAPHQL_CLOSE_CODES,
            get_token=get_token,
            headers=headers,
            ssl=ssl,
            proxy=proxy,
        )
        super().__init__(network, options)
        self._calls = Calls(self._connection)
        self._subscriptions: dict[str, Subscription[Any]] = {}

    async def execute(self, document: str, variables: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401
        """Return the data of a query or a mutation, which is sent once.

        Without a connection it waits for one. Raises GraphqlError, or ClientError: `timeout` and
        `unknown_outcome` (the connection was lost before the answer) leave open whether the server
        has done it; `expired`, `queue_full` and `closed` do not. When its task is cancelled, the
        server is told to stop.
        """
        key = new_id()
        text = encode({"type": "subscribe", "id": key, "payload": _payload(document, variables)})
        stop = encode({"type": "complete", "id": key})
        return await self._calls.ask(key, text, "the operation", stop=stop)

    def subscribe(
        self, document: str, variables: Mapping[str, object] | None = None
    ) -> Subscription[Any]:
        """Return the events of a subscription, until either side ends it.

        It goes on after a lost connection; what happens without one is missed.
        """
        if self.state.name == "closed":
            raise ClientError("closed", self.state.reason)
        subscription = Subscription[Any](self, _payload(document, variables))
        self._subscriptions[subscription.id] = subscription
        if self.state.name == "open":
            self._begin(subscription)
        return subscription

    def _begin(self, subscription: Subscription[Any]) -> None:
        more = {"id": subscription.id, "payload": subscription.payload}
        self._connection.send({"type": "subscribe", **more})

    def leave(self, subscription: Subscription[Any]) -> None:
        """Tell the server that nobody wants the events of a subscription."""
        is_there = self._subscriptions.pop(subscription.id, None) is not None
        if is_there and self.state.name == "open":
            self._connection.send({"type": "complete", "id": subscription.id})

    def changed(self, state: State) -> None:
        """Fail what waits when the client is closed."""
        if state.name == "closed":
            self._calls.close(state.reason)
            error = None if state.code == 1000 else ClientError("closed", state.reason)
            for subscription in self._subscriptions.values():
                subscription.end(error)
        super().changed(state)

    def opened(self) -> None:
        """Ask to be let in, with a token if there is one."""
        if not self._connection.tokens.authenticate():
            self._connection.send({"type": "connection_init"})

    def show_token(self, token: str, key: str) -> None:
        """Ask to be let in with a token."""
        del key  # the answer names none
        self._connection.send({"type": "connection_init", "payload": {"token": token}})

    def probe(self) -> None:
        """Ask for a sign of life."""
        self._connection.send({"type": "ping"})

    def lost(self) -> None:
        """Fail what was sent; subscriptions wait for the next connection."""
        self._calls.lost()

    def heard(self, data: str | bytes) -> None:
        """Take a message of the server."""
        match parse(data):
            case {"type": "connection_ack"}:
                self._welcome()
            case {"type": "ping"}:
                self._connection.send({"type": "pong"})
            case {"type": "pong"}:
                pass
            case {"type": "next", "id": str(key), "payload": dict(result)}:
                event = _event_of(result)
                self._calls.settle(key, event)
                if key in self._subscriptions:
                    self._subscriptions[key].put(event)
            case {"type": "error", "id": str(key), "payload": list(errors)}:
                self._end(key, GraphqlError(errors))
            case {"type": "complete", "id": str(key)}:
                self._end(key, None)
            case message:
                raise MalformedError(f"an unlikely {message['type']}")

    def _welcome(self) -> None:
        if self._connection.is_welcome:
            return
        self._connection.welcome(self.options.ping_interval)
        self._connection.tokens.welcome(None)
        self._connection.set_resumed(is_complete=True)
        for subscription in tuple(self._subscriptions.values()):
            self._begin(subscription)
        self._calls.send_waiting()

    def _end(self, key: str, error: GraphqlError | None) -> None:
        """Take that the server has ended an operation."""
        no_answer = ClientError("unknown_outcome", "the server has ended it without an answer")
        self._calls.settle(key, error or no_answer)
        subscription = self._subscriptions.pop(key, None)
        if subscription is not None:
            subscription.end(error)


def _payload(document: str, variables: Mapping[str, object] | None) -> Message:
    return {"query": document} if variables is None else {"query": document, "variables": variables}


def _event_of(result: Message) -> Any:  # noqa: ANN401
    """Return the data of a result, or its errors."""
    errors = result.get("errors")
    if errors is not None and not isinstance(errors, list):
        raise MalformedError("errors that are no list")
    return GraphqlError(errors, result.get("data")) if errors else result.get("data")
