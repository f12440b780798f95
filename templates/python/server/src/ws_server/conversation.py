"""How a protocol of others plugs in, beside the server's own: one for each subprotocol.

A new one is a class with the members of `Subprotocol`, which `create_subprotocols` in
subprotocols.py makes. It knows the client at the other end as `Remote`, but no sockets.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Protocol

from .hooks import Identity
from .routes import Route

# Something that takes its time.
Step = Coroutine[object, object, None]


class Remote(Protocol):
    """The client at the other end."""

    @property
    def id(self) -> str:
        """The id of the connection."""

    @property
    def subprotocol(self) -> str:
        """What was negotiated; empty if the client offered none."""

    # #if auth
    @property
    def identity(self) -> Identity | None:
        """Who it is; None until it has said so."""

    async def authenticate(self, token: str) -> Identity | None:
        """Check its first token, or a newer one.

        None: it was refused, and the protocol has to say so in its own way. A client that has not
        shown a token within AUTH_TIMEOUT is closed with 4500.
        """

    # #if wamp
    def admit(self) -> None:
        """Let it in by the means of its protocol: it needs no token."""

    # #endif
    # #else
    #~ @property
    #~ def identity(self) -> Identity:
    #~     """Who it is."""
    #~
    # #endif
    @property
    def is_open(self) -> bool:
        """Whether it gets what is sent."""

    def send(self, text: str, kind: str) -> None:
        """Send a text message; a client that does not read is closed.

        `kind` is for metrics: one of few.
        """

    async def drained(self) -> None:
        """Wait until the client has read most of what was sent, or has gone."""

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake. A reason has 123 bytes at most."""

    def spend(self, messages: int) -> None:
        """Take messages of its rate limits, besides the one that each message costs."""

    def warn(self) -> bool:
        """Count an invalid message; False if the client was closed over too many."""

    # #if metrics
    def received(self, kind: str) -> None:
        """Count a message. `kind` is one of few, and nothing that the client makes up."""

    # #endif
    def spawn(self, step: Step) -> asyncio.Task[None]:
        """Run what nothing waits for. If it fails, the client is closed with 1011."""

    def log(self, level: str, event: str, **fields: object) -> None:
        """Log an event of this client."""


class Conversation:
    """What is said to one client, from its handshake to its end."""

    def receive(self, text: str) -> Step | None:
        """Take a text message.

        What is returned is run, and nothing more is read from the client before it has ended: what
        may take long and need not be in order is for `spawn`. An exception closes with 1011.
        """
        raise NotImplementedError

    def drain(self) -> None:
        """Say what has to be said before 1001: the server is about to close."""

    def close(self) -> None:
        """Let go: the connection has ended."""


class Subprotocol:
    """A protocol of others that this server speaks, over the subprotocol of its name."""

    name: str
    # The codes that it has for some of close_codes.py.
    close_codes: Mapping[int, int] = {}
    # The HTTP requests that it answers.
    routes: Sequence[Route] = ()

    def accept(self, remote: Remote) -> Conversation:
        """Talk to a client that has come.

        Its identity is known unless it has to say who it is.
        """
        raise NotImplementedError

    async def start(self) -> None:
        """Get ready: the server is about to listen."""

    async def stop(self) -> None:
        """Let go: all clients have gone."""
