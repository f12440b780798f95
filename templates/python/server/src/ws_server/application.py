"""How a type of server plugs in: what its clients say to each other over one subprotocol.

A new type is a class with the members of `Application`, like `Chat` in chat.py, which `Server` in
server.py makes. It knows clients and the store, but no sockets.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .client import Client
from .config import Config
from .messages import Command, Form
# #if metrics
from .metrics import Metrics
# #endif
from .routes import Route
from .store import Store


@dataclass(frozen=True, slots=True)
class Context:
    """What an application works with."""

    config: Config
    store: Store
    # #if chat || pubsub
    # Milliseconds since 1970.
    now: Callable[[], float]
    # #endif
    # Runs what nobody waits for.
    spawn: Callable[[Coroutine[object, object, None]], None]
    # #if metrics
    metrics: Metrics
    # #endif


class Application(Protocol):
    """What clients say to each other."""

    @property
    def features(self) -> Sequence[str]:
        """The features of the server, as `welcome` lists them."""

    @property
    def commands(self) -> Mapping[str, Form]:
        """Its commands by type, the common ones included."""

    @property
    def routes(self) -> Sequence[Route]:
        """The HTTP requests that it answers."""

    # #if metrics
    @property
    def room_count(self) -> int:
        """How many rooms, streams or documents clients are in."""

    # #endif
    async def start(self) -> None:
        """Get ready: the server is about to listen."""

    def open(self, client: Client) -> None:
        """Take note of a client that has got its `welcome`."""

    async def receive(self, client: Client, command: Command) -> None:
        """Execute a command. Until it returns, nothing more is read from `client`."""

    def cost_of(self, command: Command) -> int:
        """Return how many messages of the rate limit a command costs."""

    # #if auth
    async def refresh(self, client: Client) -> None:
        """End what a newer token of `client` does not allow any more."""

    # #endif
    def close(self, client: Client) -> None:
        """Forget a client that was opened; its connection has ended."""

    def drain(self) -> None:
        """Send what waits: the server is about to close all clients."""
