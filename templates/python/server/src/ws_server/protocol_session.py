"""One connection that speaks a protocol of others."""

import asyncio
import traceback
from typing import TYPE_CHECKING

from .close_codes import GOING_AWAY, INTERNAL_ERROR, UNSUPPORTED_DATA
from .conversation import Remote, Step, Subprotocol
from .frame import Frame
from .hooks import Identity
# #if auth
from .messages import Command
from .user_session import AUTH_COST, UserSession
# #else
#~ from .user_session import UserSession
# #endif

if TYPE_CHECKING:
    from .peer import Peer
    from .server import Server
    # #if rate-limit
    from .users import UserShare
    # #endif


class ProtocolSession(UserSession, Remote):
    """A client, and what is said to it."""

    def __init__(
        self, peer: "Peer", server: "Server", identity: Identity, protocol: Subprotocol
    ) -> None:
        """Serve the user of `identity`."""
        super().__init__(peer, server, identity)
        self._tasks: set[asyncio.Task[None]] = set()
        # #if metrics
        self._is_limited = False
        # #endif
        self.client.is_foreign = True
        self.client.close_codes = protocol.close_codes
        self._protocol = protocol
        self._conversation = protocol.accept(self)

    def start(self) -> None:
        """Begin: the handshake is done."""
        client, protocol = self.client, self._protocol.name
        # #if auth
        self._credentials.start(client.identity)
        # #else
        # #if rate-limit
        #~ self._enter()
        # #endif
        # #endif
        client.share.log("info", "connected", client=client.id, user=client.user, protocol=protocol)

    # #if auth
    def _admit(self, _: Command) -> None:
        """Say nothing: a protocol has its own words."""
        # #if rate-limit
        self._enter()
        # #endif

    # #endif
    def receive(self, message: str | bytes) -> None:
        """Take a message."""
        if isinstance(message, bytes):
            self.client.close(UNSUPPORTED_DATA)
            return
        # #if rate-limit
        share = self._user_share
        if share is not None and not share.commands.take():
            # #if metrics
            self._server.metrics.limited["user"] += 1
            # #endif
            self._peer.run(self._guard(self._take_later(message, share)))
            return
        # #endif
        step = self._take(message)
        if step is not None:
            self._peer.run(self._guard(step))

    # #if rate-limit
    async def _take_later(self, text: str, share: "UserShare") -> None:
        """Wait until other connections of the user leave a message of its rate.

        A protocol has no words for what is left out.
        """
        while True:
            await asyncio.sleep(share.commands.wait())
            if not self.is_open:
                return
            if share.commands.take():
                break
        step = self._take(text)
        if step is not None:
            await step

    # #endif
    def _take(self, text: str) -> Step | None:
        try:
            return self._conversation.receive(text)
        except Exception:  # noqa: BLE001 -- a bug in one conversation must not end the server
            self._fail()
            return None

    async def _guard(self, step: Step) -> None:
        try:
            await step
        except Exception:  # noqa: BLE001 -- a bug in one conversation must not end the server
            self._fail()

    def _fail(self) -> None:
        self.log("error", "conversation-failed", stack=traceback.format_exc())
        self.client.close(INTERNAL_ERROR)

    def note_rate(self) -> None:
        """Note that the client is above its rate, and is read more slowly."""
        # #if metrics
        if not self._is_limited:
            self._is_limited = True
            self._server.metrics.limited["connection"] += 1
        # #endif

    def say_goodbye(self, _: int) -> None:
        """Close the client."""
        self._conversation.drain()
        self.client.close(GOING_AWAY)

    def end(self, code: int) -> None:
        """Forget the client: its connection has ended."""
        super().end(code)
        self._conversation.close()
        for task in self._tasks:
            task.cancel()

    # What a conversation gets to see.

    @property
    def id(self) -> str:
        """The id of the connection."""
        return self.client.id

    @property
    def subprotocol(self) -> str:
        """What was negotiated."""
        return self._peer.subprotocol or ""

    # #if auth
    @property
    def identity(self) -> Identity | None:
        """Who it is."""
        return self.client.identity if self._credentials.is_known else None

    async def authenticate(self, token: str) -> Identity | None:
        """Check a token."""
        before = self.client.identity
        self._peer.spend(AUTH_COST - 1)
        await self._credentials.present({"type": "auth", "token": token})
        identity = self.client.identity
        return None if identity is before else identity

    # #if wamp
    def admit(self) -> None:
        """Let it in without a token."""
        self._credentials.waive()

    # #endif
    # #else
    #~ @property
    #~ def identity(self) -> Identity:
    #~     """Who it is."""
    #~     return self.client.identity
    #~
    # #endif
    @property
    def is_open(self) -> bool:
        """Whether it gets what is sent."""
        return self.client.is_open

    def send(self, text: str, kind: str) -> None:
        """Send a message; half of a character, which a client has sent as an escape, as that."""
        self.client.deliver(_frame_of(text, kind))

    async def drained(self) -> None:
        """Wait until most of what was sent is read."""
        await self._peer.drained()

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake."""
        self._peer.close(code, reason)

    def spend(self, messages: int) -> None:
        """Take messages of its rate limits."""
        self._peer.spend(messages)
        # #if rate-limit
        if self._user_share is not None:
            self._user_share.commands.spend(messages)
        # #endif

    # #if metrics
    def received(self, kind: str) -> None:
        """Count a message."""
        self._server.metrics.received[kind] += 1

    # #endif
    def spawn(self, step: Step) -> asyncio.Task[None]:
        """Run what nothing waits for; it is cancelled when the connection ends."""
        task = self._server.loop.create_task(self._guard(step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # One that was cancelled before its begin is let go without a warning.
        task.add_done_callback(lambda _: step.close())
        return task

    def log(self, level: str, event: str, **fields: object) -> None:
        """Log an event of this client."""
        client = self.client
        client.share.log(level, event, client=client.id, user=client.user, **fields)


_last: tuple[str, Frame] = ("", Frame("", b""))


def _frame_of(text: str, kind: str) -> Frame:
    """Encode a message; one that many clients get in a row is encoded once."""
    global _last  # noqa: PLW0603 -- it saves time and changes nothing
    if _last[0] is not text:
        _last = (text, Frame(kind, text.encode(errors="backslashreplace")))
    return _last[1]
