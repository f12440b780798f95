"""What all clients have in common: a connection that comes back, and news of it."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self
from weakref import WeakSet

from .connection import Connection, Network, State
from .feed import Feed
from .messages import ClientError
from .options import Options


class BaseClient(ABC):
    """A connection that comes back."""

    def __init__(self, network: Network, options: Options | None) -> None:
        """Connect later, with `connect` or `async with`."""
        self.options = options or Options()
        self._connection = Connection(network, self.options, self)
        self._feeds: WeakSet[Feed[State | ClientError]] = WeakSet()

    @property
    def state(self) -> State:
        """What the client does at present."""
        return self._connection.state

    def start(self) -> None:
        """Connect, and stay connected until `close`, without waiting for it."""
        if self.state.name == "closed":
            raise ClientError("closed", self.state.reason)
        self._connection.start()

    async def connect(self) -> None:
        """Start, and wait until the connection is open; raise ClientError if it is closed."""
        self.start()
        events = self.events()
        while self.state.name != "open":
            if self.state.name == "closed":
                raise ClientError("closed", self.state.reason)
            await anext(events)

    async def close(self) -> None:
        """End the connection, and all that waits."""
        await self._connection.close()

    def reconnect(self) -> None:
        """Give up this connection and make another: for tests and demonstrations."""
        self._connection.restart("reconnect was called")

    async def __aenter__(self) -> Self:
        """Connect."""
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()

    def events(self) -> Feed[State | ClientError]:
        """Return the states from now on, and errors that belong to no call."""
        feed = Feed[State | ClientError](self.options.max_events)
        if self.state.name == "closed":
            feed.end()
        self._feeds.add(feed)
        return feed

    def changed(self, state: State) -> None:
        """Take another state of the connection."""
        for feed in list(self._feeds):
            feed.put(state)
            if state.name == "closed":
                feed.end()

    def failed(self, error: ClientError) -> None:
        """Take an error that belongs to no call."""
        for feed in list(self._feeds):
            feed.put(error)

    def drained(self) -> None:  # noqa: B027 -- most have nothing to do
        """Take that there is space for more messages."""

    def opened(self) -> None:  # noqa: B027 -- most wait for the server
        """Take that there is a connection, on which nothing was said."""

    @abstractmethod
    def heard(self, data: str | bytes) -> None:
        """Take what the server says."""

    @abstractmethod
    def probe(self) -> None:
        """Say something that the server answers."""

    # #if auth || graphql
    @abstractmethod
    def show_token(self, token: str, key: str) -> None:
        """Send a token, with an id for the answer."""

    # #endif
    @abstractmethod
    def lost(self) -> None:
        """Take that the connection is gone, for now or for good."""
