"""What the clients of all types have in common: commands and their answers."""

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

from .application import ApplicationClient
from .connection import Network, State
from .feed import E, Feed
from .messages import ClientError, Message, Recovered, error_in, new_id
from .options import Options
from .stream import Common, Stream
# #if auth
from .tokens import GetToken
# #endif

S = TypeVar("S", bound=Stream[Any])


@dataclass(frozen=True, slots=True)
class Words:
    """The names of a protocol for the same things."""

    subprotocol: str
    # Command for the events of a stream, and its reply.
    join: str
    joined: str
    # Command for no more of them, and its reply; with a `code`, the server has put the client out.
    leave: str
    left: str
    # The key of a stream's name.
    name: str


class Reader(Feed[E | Common]):
    """The events of a room, a subscription or a document: `async for event in reader`."""

    def __init__(self, stream: Stream[E], limit: int) -> None:
        """Read from now on."""
        super().__init__(limit, Recovered(recovered=False))
        self._stream = stream
        stream.feeds.append(self)

    @property
    def name(self) -> str:
        """The room, pattern or document."""
        return self._stream.name

    def leave(self) -> None:
        """Want no more events; the server is told when nobody else reads them."""
        self.end()
        self._stream.left(self)

    async def __aenter__(self) -> Self:
        """Leave at the end of the block."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        self.leave()


class Client(ApplicationClient, Generic[S]):
    """A connection that comes back, and the streams that go on over it."""

    words: ClassVar[Words]
    # Whether `since` is a part of the protocol itself, not a feature.
    always_resumes: ClassVar[bool] = False

    def __init__(
        self,
        url: str,
        *,
        # #if auth
        get_token: GetToken | None = None,
        # #endif
        options: Options | None = None,
        subprotocols: Sequence[str] | None = None,
        headers: Mapping[str, str] | None = None,
        ssl: SSLContext | None = None,
        proxy: str | Literal[True] | None = True,
    ) -> None:
        """Connect to `url` (`ws:` or `wss:`) later, with `connect` or `async with`.

        `headers`, `ssl` and `proxy` are those of `websockets.connect`.
        """
        network = Network(
            url,
            (self.words.subprotocol,) if subprotocols is None else subprotocols,
            # #if auth
            get_token=get_token,
            # #endif
            headers=headers,
            ssl=ssl,
            proxy=proxy,
        )
        super().__init__(network, options)
        self._streams: dict[str, S] = {}
        # Streams of this connection whose reply is due, or that will be asked for later.
        self._due: dict[object, tuple[S, asyncio.TimerHandle]] = {}

    def _open(self, stream: S) -> S:
        """Return the stream of the same name, or this one when there is none."""
        if self.state.name == "closed":
            raise ClientError("closed", self.state.reason)
        present = self._streams.setdefault(stream.name, stream)
        if present is stream and self.state.name in {"open", "resuming"}:
            self.ask(stream)
        return present

    def ask(self, stream: Stream[Any]) -> None:
        """Send the command for the events of a stream, from where it is."""
        own = self._streams.get(stream.name)
        if own is None or own is not stream:
            return
        if not self._asks_to_join:
            # The server has one room, in which every client is.
            own.asked(None)
            own.accept({})
            return
        words, key = self.words, new_id()
        since = own.since if self.always_resumes or "resume" in self.features else None
        command: Message = {"type": words.join, "id": key, words.name: own.name}
        if since is not None:
            command["since"] = {"offset": since.offset, "epoch": since.epoch}
        if not self._connection.send(command):
            return
        own.asked(since)
        timeout = self.options.join_timeout
        self._wait(key, own, timeout, f"no answer to {words.join} {own.name}")

    def leave(self, stream: Stream[Any]) -> None:
        """Send the command for no more events of a stream."""
        if self._streams.get(stream.name) is not stream:
            return
        del self._streams[stream.name]
        if self._asks_to_join:
            self._connection.send({"type": self.words.leave, self.words.name: stream.name})
        self._check_resumed()

    def restart(self, reason: str) -> None:
        """Make another connection."""
        self._connection.restart(reason)

    def changed(self, state: State) -> None:
        """Take another state of the connection."""
        if state.name == "closed":
            error = None if state.code == 1000 else ClientError("closed", state.reason)
            for stream in self._streams.values():
                for reader in stream.feeds:
                    reader.end(error)
        super().changed(state)

    def welcomed(self) -> None:
        """Ask for everything that was missed."""
        self._connection.set_resumed(is_complete=False)
        for stream in list(self._streams.values()):
            self.ask(stream)
        self._check_resumed()

    def lost(self) -> None:
        """Take that the connection is gone."""
        for _, timer in self._due.values():
            timer.cancel()
        self._due.clear()
        for stream in self._streams.values():
            stream.lost()

    def received(self, message: Message) -> None:
        """Take a message of the server."""
        kind, words = message["type"], self.words
        if kind == words.joined:
            stream = self._answered(message.get("id"))
            if stream is not None:
                self._accept(stream, message)
                self._check_resumed()
        elif kind == "error":
            self._refuse(message.get("id"), error_in(message))
        elif kind == words.left:
            stream = self._streams.get(str(message.get(words.name)))
            if stream is not None and "code" in message:
                stream.refused(error_in(message))
        else:
            self._handle(message)

    def _accept(self, stream: S, reply: Message) -> None:
        stream.accept(reply)

    def _refuse(self, key: object, error: ClientError) -> None:
        stream = self._answered(key)
        if stream is None:
            self._connection.fail(error)
            return
        if error.retry_after is not None:
            self._ask_later(stream, error.retry_after)
        else:
            stream.refused(error)
        self._check_resumed()

    def _check_resumed(self) -> None:
        waits = any(stream.status in {"new", "asked"} for stream in self._streams.values())
        if self.state.name == "resuming" and not waits:
            self._connection.set_resumed(is_complete=True)

    def _wait(self, key: object, stream: S, seconds: float, reason: str) -> None:
        timer = asyncio.get_running_loop().call_later(seconds, self.restart, reason)
        self._due[key] = (stream, timer)

    def _answered(self, key: object) -> S | None:
        """Return the stream that asked with an id; its answer has come."""
        due = self._due.pop(key, None) if isinstance(key, str) else None
        if due is None:
            return None
        stream, timer = due
        timer.cancel()
        # It may have been left, or have asked again.
        return stream if self._streams.get(stream.name) is stream else None

    def _ask_later(self, stream: S, seconds: float) -> None:
        key = object()

        def ask() -> None:
            del self._due[key]
            self.ask(stream)

        self._due[key] = (stream, asyncio.get_running_loop().call_later(seconds, ask))

    @property
    def _asks_to_join(self) -> bool:
        """Whether the server has to be asked for the events of a stream."""
        return True

    @abstractmethod
    def _handle(self, message: Message) -> None:
        """Take an event of the server."""
