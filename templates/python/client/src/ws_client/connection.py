"""One connection after the other to the same server, with the states between."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ssl import SSLContext
from typing import Literal, Protocol
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from .close_codes import Reconnect, after_close, after_status, read_retry_after
from .messages import ClientError, MalformedError, Message, encode
from .options import Options
# #if auth || graphql
from .tokens import GetToken, Tokens
# #endif

StateName = Literal[
    "idle",
    "connecting",
    "authenticating",
    "resuming",  # connected, and asking for what was missed
    "open",
    "waiting",  # without a connection, until the next attempt
    "closed",  # for good: closed by the program, or another attempt would fail, too
]

LOG = logging.getLogger("ws_client")
MAX_INCOMING = 1 << 26
CLOSE_TIMEOUT = 2
# Of a timer that is late by more, the computer has slept.
LATE = 2


@dataclass(frozen=True, slots=True)
class State:
    """What the client does at present."""

    name: StateName
    reason: str = ""  # why it is waiting or closed
    code: int | None = None  # of the last connection; 1006 without one
    retry_in: float | None = None  # seconds until the next attempt


@dataclass(frozen=True, slots=True)
class Network:
    """Where and how to connect."""

    url: str
    subprotocols: Sequence[str]
    close_codes: Mapping[int, Reconnect] | None = None
    # #if auth || graphql
    get_token: GetToken | None = None
    # #endif
    headers: Mapping[str, str] | None = None
    ssl: SSLContext | None = None
    proxy: str | Literal[True] | None = True


class Owner(Protocol):
    """Whoever a connection tells what happens."""

    def changed(self, state: State) -> None:
        """Take another state."""

    def opened(self) -> None:
        """Begin; `Connection.welcome` says that the server is ready."""

    def heard(self, data: str | bytes) -> None:
        """Take what the server says; raise MalformedError for what it may not say."""

    def probe(self) -> None:
        """Say something that the server answers."""

    # #if auth || graphql
    def show_token(self, token: str, key: str) -> None:
        """Send a token, with an id for the answer."""

    # #endif

    def drained(self) -> None:
        """Take that there is space for more messages."""

    def lost(self) -> None:
        """Take that the connection is gone, for now or for good."""

    def failed(self, error: ClientError) -> None:
        """Take an error that belongs to no call."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Why there is no connection any more."""

    code: int
    reason: str
    status: int | None = None  # HTTP, in place of 101
    retry_after: float | None = None
    is_final: bool = False


class Connection:
    """States, delays, time limits and close codes."""

    def __init__(self, network: Network, options: Options, owner: Owner) -> None:
        """Raise ValueError for a URL that is none."""
        parts = urlsplit(network.url)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname or parts.fragment:
            raise ValueError("the url has to be ws:// or wss://, with a host, without a fragment")
        self._network = network
        self.options = options
        self._owner = owner
        self.state = State("idle")
        self._run: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None
        self._loss: Loss | None = None
        # Since a connection was good.
        self.attempts = 0
        self._welcomed_at: float | None = None
        self._heard_at = 0.0
        self._has_heard = asyncio.Event()
        self._ping_interval = 0.0
        # The server's wish before it closes.
        self._drain: float | None = None
        self._limit: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._outgoing: deque[str] = deque()
        self._has_outgoing = asyncio.Event()
        # Characters that wait to be sent.
        self.buffered = 0
        # #if auth || graphql
        self.tokens = Tokens(network.get_token, self, owner.show_token)
        # #endif

    @property
    def is_welcome(self) -> bool:
        """Whether the server has let this connection in."""
        return self._welcomed_at is not None

    def start(self) -> None:
        """Connect, and stay connected until `close`."""
        if self.state.name == "idle":
            self._run = asyncio.get_running_loop().create_task(self._connect_again_and_again())

    async def close(self) -> None:
        """End the connection and all attempts."""
        if self.state.name == "closed":
            return
        socket, run = self._socket, self._run
        self._finish(Loss(1000, "closed by the client"))
        try:
            if socket is not None:
                await socket.close(1000)
        finally:
            if run is not None:
                run.cancel()
                await asyncio.wait([run])

    def restart(self, reason: str) -> None:
        """End this connection, because it is of no use, and make another."""
        self._lose(Loss(1006, reason))

    def fail(self, error: ClientError) -> None:
        """Pass on an error that belongs to no call."""
        LOG.warning("%s", error)
        self._owner.failed(error)

    def send(self, message: Message | str) -> bool:
        """Return whether the message goes out on the present connection."""
        if self._socket is None or self._loss is not None:
            return False
        text = message if isinstance(message, str) else encode(message)
        self._outgoing.append(text)
        self.buffered += len(text)
        self._has_outgoing.set()
        return True

    def set_resumed(self, *, is_complete: bool) -> None:
        """After the welcome: what was missed is asked for, or has come."""
        name: StateName = "open" if is_complete else "resuming"
        if self.is_welcome and self._loss is None and self.state.name != name:
            self._set(State(name))

    def limit(self, seconds: float, reason: str) -> None:
        """Give up the attempt in so many seconds, unless the server welcomes before."""
        self._stop_limit()
        loop = asyncio.get_running_loop()
        self._limit = loop.call_later(seconds, self.restart, reason)

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    def _set(self, state: State) -> None:
        self.state = state
        LOG.debug("%s %s", state.name, state.reason)
        self._owner.changed(state)

    async def _connect_again_and_again(self) -> None:
        try:
            while True:
                loss = await self._connect_once()
                if self.state.name == "closed":
                    return
                delay = self._end(loss)
                if delay is None:
                    self._finish(loss)
                    return
                reason = loss.reason or f"close code {loss.code}"
                self._set(State("waiting", reason, loss.code, delay))
                await asyncio.sleep(delay)
        except Exception as error:  # an error of this program must not leave others waiting
            LOG.exception("the client has failed")
            self._finish(Loss(1006, repr(error)))

    async def _connect_once(self) -> Loss:
        self._loss = None
        self._set(State("connecting"))
        network, timeout = self._network, self.options.connect_timeout
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                socket = await connect(
                    network.url,
                    subprotocols=[Subprotocol(name) for name in network.subprotocols] or None,
                    additional_headers=network.headers,
                    ssl=network.ssl,
                    proxy=network.proxy,
                    open_timeout=None,
                    # Browsers see no pings, so the servers' protocol has messages for them.
                    ping_interval=None,
                    close_timeout=CLOSE_TIMEOUT,
                    max_size=MAX_INCOMING,
                )
        except TimeoutError:
            return Loss(1006, "no connection in time")
        except InvalidStatus as error:
            status = error.response.status_code
            retry_after = read_retry_after(error.response.headers.get("Retry-After"))
            return Loss(1006, f"HTTP {status}", status, retry_after)
        except InvalidURI as error:
            # Without the URL, which may hold a token.
            return Loss(1006, f"not a valid URL: {error.msg}", is_final=True)
        except (OSError, EOFError, WebSocketException) as error:
            return Loss(1006, str(error) or type(error).__name__)
        self.limit(deadline - asyncio.get_running_loop().time(), "no welcome in time")
        return await self._use(socket)

    async def _use(self, socket: ClientConnection) -> Loss:
        self._socket = socket
        write = asyncio.create_task(self._write(socket))
        self._set(State("authenticating"))
        self._owner.opened()
        try:
            while self._loss is None:
                self._receive(await socket.recv())
        except ConnectionClosed as closed:
            code = 1006 if closed.rcvd is None else closed.rcvd.code
            self._loss = self._loss or Loss(code, closed.rcvd.reason if closed.rcvd else "")
        finally:
            write.cancel()
            self._socket = None
            if self._loss is None or not self._loss.is_final:
                socket.transport.abort()
        if self._loss.is_final:
            await socket.close(self._loss.code)
        return self._loss

    async def _write(self, socket: ClientConnection) -> None:
        try:
            while True:
                while self._outgoing:
                    text = self._outgoing.popleft()
                    self.buffered -= len(text)
                    await socket.send(text)
                    self._owner.drained()
                self._has_outgoing.clear()
                await self._has_outgoing.wait()
        except ConnectionClosed:
            return

    def _receive(self, data: str | bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._has_heard.set()
        try:
            self._owner.heard(data)
        except MalformedError as error:
            # It may have been a message that is now lost: only a new connection can tell.
            self.restart(f"malformed message: {error}")

    def welcome(self, ping_interval: float) -> None:
        """Take that the server is ready; after so many seconds of silence it is asked."""
        self._heard_at = self._welcomed_at = asyncio.get_running_loop().time()
        self._ping_interval = ping_interval
        self._stop_limit()
        self._watch = asyncio.create_task(self._watch_silence())

    async def _watch_silence(self) -> None:
        """End a connection on which the server is silent, even when it is asked."""
        loop = asyncio.get_running_loop()
        timeout = self.options.pong_timeout
        while True:
            await asyncio.sleep(max(0, self._heard_at + self._ping_interval - loop.time()))
            if loop.time() - self._heard_at < self._ping_interval:
                continue
            asked_at = loop.time()
            self._has_heard.clear()
            self._owner.probe()
            try:
                await asyncio.wait_for(self._has_heard.wait(), timeout)
            except TimeoutError:
                # The answer may wait behind a timer that is late.
                if loop.time() - asked_at <= timeout + LATE:
                    self.restart("the server is silent")
                    return

    # #if applications
    def set_drain(self, seconds: float) -> None:
        """Wait so long before the next attempt."""
        self._drain = seconds

    def refuse_token(self, remedy: str) -> None:
        """Give up: without a token, another attempt would end like this one."""
        reason = f"the server asks for a token: {remedy}"
        self.fail(ClientError("token", reason))
        self._lose(Loss(4500, reason, is_final=True))

    # #endif
    def _lose(self, loss: Loss) -> None:
        if self._socket is None or self._loss is not None:
            return
        self._loss = loss
        self._down()
        if not loss.is_final:
            # The task that reads sees the end.
            self._socket.transport.abort()

    def _down(self) -> None:
        """Forget everything that belongs to the connection."""
        self._outgoing.clear()
        self.buffered = 0
        self._stop_limit()
        if self._watch is not None:
            self._watch.cancel()
        # #if auth || graphql
        self.tokens.lost()
        # #endif
        self._owner.lost()

    def _end(self, loss: Loss) -> float | None:
        """Return the seconds until the next attempt; None if there is none."""
        welcomed_at, self._welcomed_at = self._welcomed_at, None
        uptime = 0 if welcomed_at is None else asyncio.get_running_loop().time() - welcomed_at
        if uptime >= self.options.stable_after and welcomed_at is not None:
            self.attempts = 0
        self._down()
        hint = self._drain if loss.retry_after is None else loss.retry_after
        self._drain = None
        reconnect = self._decide(loss)
        if reconnect is Reconnect.NO:
            return None
        options = self.options
        most = min(options.backoff_max, options.backoff_base * 2 ** min(self.attempts, 30))
        self.attempts += 1
        if reconnect is Reconnect.NOW and self.attempts == 1:
            return 0
        if hint is None:
            return random.uniform(0, most)  # noqa: S311 -- no secret
        # Many clients get the same hint: they must not all come at its end.
        return hint + random.uniform(0, options.backoff_base)  # noqa: S311

    def _decide(self, loss: Loss) -> Reconnect:
        if loss.is_final:
            return Reconnect.NO
        if loss.status is None:
            reconnect = after_close(loss.code, self._network.close_codes)
        else:
            reconnect = after_status(loss.status)
        if reconnect not in {Reconnect.TOKEN, Reconnect.TOKEN_ONCE}:
            return reconnect
        is_once = reconnect is Reconnect.TOKEN_ONCE
        # #if auth || graphql
        if self._network.get_token is not None:
            return Reconnect.TOKEN if self.tokens.renew(is_once=is_once) else Reconnect.NO
        # #endif
        return Reconnect.NO if is_once else Reconnect.DELAY

    def _finish(self, loss: Loss) -> None:
        self._loss = loss
        self._welcomed_at = None
        self._down()
        self._set(State("closed", loss.reason or f"close code {loss.code}", loss.code))
