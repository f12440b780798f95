"""The connection to a Redis that several servers share."""

import asyncio
import contextlib
import hashlib
import random
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import Connection, parse_url
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from .config import Config
from .log import log

# The oldest version: with sharded pub/sub and flags of scripts.
OLDEST = 7
# Seconds between attempts to connect: the first, and the longest.
FIRST_RETRY = 0.05
LAST_RETRY = 2.0
# Connections that one command is tried on.
MAX_ATTEMPTS = 5
# Milliseconds after which a client tries again what a full Redis has refused.
FULL_RETRY_AFTER = 2000
# The same of what cannot be had while Redis is out of reach.
DOWN_RETRY_AFTER = 2000
# Errors of a server that is not (any more) the one to ask; another connection may lead to that.
WRONG_SERVER = {
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "MISCONF",
    "NOREPLICAS",
    "NOAUTH",
    "NOPERM",
    "MOVED",
    "CLUSTERDOWN",
}
# #if chat || pubsub || auth
# Seconds after which the clock of Redis is looked at again.
CLOCK_AGE = 60
# #endif

# Gets what is published on a channel.
OnMessage = Callable[[bytes], None]
# What a command returns: bytes, numbers, None, and lists of that.
Reply = Any


class StoreFullError(Exception):
    """The store takes nothing now; nothing was done."""

    def __init__(self, retry_after: int) -> None:
        """Say after how many milliseconds it may."""
        super().__init__("the store is full")
        self.retry_after = retry_after


class RedisDownError(Exception):
    """Redis cannot be asked now, for a reason that a newer connection may not have."""


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script.

    Each may be run again when it is not known whether it was: it does nothing more then.
    """

    text: str
    sha: str


def read_script(name: str) -> Script:
    """Return the script in `lua/`, with what it includes."""
    folder = files("ws_server") / "lua"

    def read(file: str) -> str:
        return (folder / file).read_text("utf-8")

    text = re.sub(r"(?m)^-- include (.*)\n", lambda found: read(found[1]), read(f"{name}.lua"))
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


# Tells the time, and whether scripts can be run and write; works in full memory.
PROBE = read_script("probe")


class RedisLink:
    """Connects anew whenever the connection is lost or nothing is answered for REDIS_TIMEOUT.

    Commands and what is published come over one connection (RESP3): what was published before a
    reply comes before it.
    """

    def __init__(self, config: Config, url: str) -> None:
        """Connect when `start` is called."""
        self.prefix = config.redis_prefix
        # Since the start: connections made, failed commands by why, and what `RedisStore` counts.
        self.connects = 0
        self.errors: Counter[str] = Counter()
        self.missed = self.lost = 0
        self._url = url
        self._timeout = config.redis_timeout / 1000
        self._up: list[Callable[[], Awaitable[None]]] = []
        self._wire: _Wire | None = None
        self._listeners: dict[bytes, OnMessage] = {}
        # Identifies the process of Redis: another one may have lost what was written last.
        self._run_id = ""
        self._down_since = 0.0
        self._reason = "not connected yet"
        self._said = ""
        self._is_closed = False
        self._is_up = asyncio.Event()
        self._raising: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        # #if chat || pubsub || auth
        # When the clock of Redis was looked at, and milliseconds from `time.monotonic` to its time.
        self._clock: tuple[float, float] | None = None
        # #endif

    @property
    def trouble(self) -> str | None:
        """Why Redis is not used at the moment; None if it is."""
        return self._reason if self._wire is None else None

    # #if chat || pubsub || auth
    def now(self) -> float:
        """Return milliseconds since 1970 by the clock of Redis, so that all servers have one.

        Before it is known, it is that of this server.
        """
        if self._clock is None:
            return time.time() * 1000
        return self._clock[1] + time.monotonic() * 1000

    # #endif
    def on_up(self, action: Callable[[], Awaitable[None]]) -> None:
        """Call `action` on each new connection."""
        self._up.append(action)

    async def start(self) -> None:
        """Connect; return when that has worked, or has not within REDIS_TIMEOUT."""
        self._down_since = time.monotonic()
        self.spawn(self._keep())
        self.spawn(self._watch())
        with contextlib.suppress(RedisDownError):
            await self._when_up()
            # What others have revoked is known before anybody is let in.
            await asyncio.gather(*self._raising)

    async def close(self) -> None:
        """End the connection once what is under way is done, or a second has passed."""
        self._is_closed = True
        if self._wire is not None:
            await self._wire.finish(1)
            self._drop(self._wire, "closed")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def spawn(self, step: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run what nobody waits for; that it fails must not end the process."""
        task = asyncio.create_task(_reported(step))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def run(self, script: Script, keys: list[str], *args: str | float | bytes) -> Reply:
        """Run a script, over several connections if need be.

        The id of the process of Redis is its first argument. Raises RedisDownError if it cannot be
        done within REDIS_TIMEOUT, StoreFullError if there is no memory: nothing was done.
        """

        async def run_on(wire: "_Wire") -> Reply:
            rest = (len(keys), *keys, self._run_id, *args)
            try:
                return await wire.send("EVALSHA", script.sha, *rest)
            except ResponseError as error:
                if _code_of(error) != "NOSCRIPT":
                    raise
                return await wire.send("EVAL", script.text, *rest)

        return await self._try(MAX_ATTEMPTS, run_on)

    async def command(self, *parts: str | float) -> Reply:
        """Run a command that may be run twice. Raises as `run` does."""
        return await self._try(MAX_ATTEMPTS, lambda wire: wire.send(*parts))

    async def subscribe(self, channel: str, on_message: OnMessage) -> None:
        """Pass on what is published on a sharded channel, as long as this connection lasts."""

        async def subscribe_on(wire: "_Wire") -> None:
            self._listeners[channel.encode()] = on_message
            await wire.send("SSUBSCRIBE", channel)

        await self._try(1, subscribe_on)

    def unsubscribe(self, channel: str, on_message: OnMessage) -> None:
        """Pass nothing more on to `on_message`."""
        if self._listeners.get(channel.encode()) is not on_message:
            return
        del self._listeners[channel.encode()]
        if self._wire is not None:
            self._wire.send("SUNSUBSCRIBE", channel).add_done_callback(_retrieve)

    async def _try(self, attempts: int, action: "Callable[[_Wire], Awaitable[Reply]]") -> Reply:
        """Do it on one connection after the other."""
        try:
            for _ in range(attempts):
                wire = self._wire or await self._when_up()
                try:
                    return await action(wire)
                except RedisError as error:
                    self._judge(wire, error)
            raise RedisDownError(self._reason)
        except RedisDownError:
            self.errors["down"] += 1
            raise
        except StoreFullError:
            self.errors["full"] += 1
            raise
        except RedisError:
            self.errors["refused"] += 1
            raise

    def _judge(self, wire: "_Wire", error: RedisError) -> None:
        """Raise again what is no reason to try again."""
        if isinstance(error, OutOfMemoryError):
            raise StoreFullError(FULL_RETRY_AFTER) from error
        if isinstance(error, ResponseError) and _code_of(error) not in WRONG_SERVER:
            raise error
        self._drop(wire, _reason_of(error))

    async def _watch(self) -> None:
        """Give a connection up that does not answer."""
        while True:
            await asyncio.sleep(max(0.02, self._timeout / 4))
            wire = self._wire
            if wire is None:
                continue
            now = time.monotonic()
            rest = now - wire.progress_at
            if wire.is_waiting and rest >= self._timeout:
                self._drop(wire, self._no_answer(), wire.progress_at)
                continue
            is_due = not wire.is_waiting and rest >= self._timeout / 2
            # #if chat || pubsub || auth
            is_due = is_due or self._clock is None or now - self._clock[0] >= CLOCK_AGE
            # #endif
            if is_due:
                self.spawn(self._try(1, self._probe))

    async def _probe(self, wire: "_Wire") -> None:
        """Find out whether scripts can be run and write, and what time it is there."""
        # #if chat || pubsub || auth
        before = time.monotonic()
        seconds, micros = await wire.send("EVAL", PROBE.text, 1, f"{self.prefix}:probe")
        after = time.monotonic()
        moment = int(seconds) * 1000 + int(micros) / 1000
        self._clock = after, moment - (before + after) / 2 * 1000
        # #else
        #~ await wire.send("EVAL", PROBE.text, 1, f"{self.prefix}:probe")
        # #endif

    async def _keep(self) -> None:
        """Connect again and again, until `close`."""
        wait = FIRST_RETRY
        while not self._is_closed:
            try:
                wire = await self._connect()
                wait = FIRST_RETRY
                await wire.ended.wait()
            except (RedisError, OSError, ValueError) as error:
                self._reason = _reason_of(error)
            if not self._is_closed and self._reason != self._said:
                self._said = self._reason
                log("error", "redis-unavailable", redis=printable(self._url), reason=self._reason)
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311
            wait = min(LAST_RETRY, wait * 2)

    async def _connect(self) -> "_Wire":
        """Return a connection that works."""
        wire = _Wire(self._url, self._pass_on, self._lose)
        try:
            async with asyncio.timeout(self._timeout):
                await wire.open()
                info = await _greet(wire)
                await self._probe(wire)
        except BaseException as error:
            wire.close("not connected")
            if isinstance(error, TimeoutError):
                raise ConnectionLost(self._no_answer()) from None
            raise
        self._run_id = info.get("run_id", "")
        self._listeners.clear()
        self._wire = wire
        self._said = ""
        self.connects += 1
        version = info.get("redis_version")
        log("info", "redis-connected", redis=printable(self._url), version=version)
        # What is kept up over all connections comes before what waits for this one.
        self._raising = [self.spawn(_call(action)) for action in self._up]
        self._is_up.set()
        return wire

    def _pass_on(self, channel: bytes, message: bytes) -> None:
        on_message = self._listeners.get(channel)
        if on_message is not None:
            on_message(message)

    def _lose(self, wire: "_Wire", error: Exception) -> None:
        self._drop(wire, _reason_of(error))

    def _drop(self, wire: "_Wire", reason: str, since: float | None = None) -> None:
        """End a connection that is of no use since `since`; what it has not answered has failed."""
        if wire is not self._wire:
            return
        self._wire = None
        self._is_up.clear()
        self._reason = reason
        self._down_since = time.monotonic() if since is None else since
        wire.close(reason)

    async def _when_up(self) -> "_Wire":
        left = self._down_since + self._timeout - time.monotonic()
        if left > 0 and not self._is_closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._is_up.wait()
        if self._wire is None:
            raise RedisDownError(self._reason)
        return self._wire

    def _no_answer(self) -> str:
        return f"no answer for {round(self._timeout * 1000)} ms"


# Stands for what was published, among replies.
_PUSHED = object()


class _Wire:
    """One connection: commands one after the other, their replies, and what is published."""

    def __init__(
        self,
        url: str,
        on_message: Callable[[bytes, bytes], None],
        on_lost: "Callable[[_Wire, Exception], None]",
    ) -> None:
        """Connect when `open` is called."""
        options: dict[str, Any] = dict(parse_url(url))
        kind = options.pop("connection_class", Connection)
        # Its times are those of RedisLink.
        times = {"socket_timeout": None, "socket_connect_timeout": None}
        self._connection = kind(**options, **times, protocol=3, driver_info=None)
        # As its own PubSub does: it has no other way to tell what is published from a reply.
        parser = self._connection._parser  # noqa: SLF001
        parser.set_pubsub_push_handler(self._take_pushed)
        self._on_message = on_message
        self._on_lost = on_lost
        self._replies: deque[asyncio.Future[Reply]] = deque()
        self._out: list[bytes] = []
        self._has_output = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.ended = asyncio.Event()
        # When there was an answer, or the first of the commands without one was sent.
        self.progress_at = time.monotonic()

    @property
    def is_waiting(self) -> bool:
        """Whether there are commands without a reply."""
        return bool(self._replies)

    async def open(self) -> None:
        """Connect, and say who this is."""
        try:
            await self._connection.connect()
        except BaseException:
            await self._connection.disconnect(nowait=True)
            raise
        self._tasks = [
            asyncio.create_task(self._work(self._read())),
            asyncio.create_task(self._work(self._write())),
        ]

    def send(self, *parts: str | float | bytes) -> asyncio.Future[Reply]:
        """Send a command; what it returns may be cancelled, but not what it does."""
        reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if self.ended.is_set():
            reply.set_exception(ConnectionLost("the connection was lost"))
            return reply
        if not self._replies:
            self.progress_at = time.monotonic()
        self._replies.append(reply)
        self._out += self._connection.pack_command(*parts)
        self._has_output.set()
        return reply

    async def finish(self, seconds: float) -> None:
        """Wait for all replies, for a time."""
        if self._replies:
            await asyncio.wait(list(self._replies), timeout=seconds)

    def close(self, reason: str) -> None:
        """End it; what is not answered has failed."""
        if self.ended.is_set():
            return
        self.ended.set()
        for task in self._tasks:
            task.cancel()
        for reply in self._replies:
            if not reply.done():
                reply.set_exception(ConnectionLost(reason))
                # Who has waited for it may be gone.
                reply.exception()
        self._replies.clear()

    async def _work(self, step: Coroutine[object, object, None]) -> None:
        try:
            await step
        except Exception as error:  # noqa: BLE001 -- whatever it is, the connection is of no use
            self._on_lost(self, error)
            self.close(str(error))
        finally:
            await self._connection.disconnect(nowait=True)

    async def _write(self) -> None:
        while True:
            await self._has_output.wait()
            self._has_output.clear()
            data = b"".join(self._out)
            self._out.clear()
            await self._connection.send_packed_command(data, check_health=False)

    async def _read(self) -> None:
        while True:
            try:
                reply = await self._connection.read_response(
                    disable_decoding=True, push_request=True
                )
            except ResponseError as error:
                self._settle(error)
                continue
            if reply is _PUSHED:
                self.progress_at = time.monotonic()
            else:
                self._settle(reply)

    def _settle(self, reply: Reply) -> None:
        self.progress_at = time.monotonic()
        waiting = self._replies.popleft()
        if waiting.done():
            return
        if isinstance(reply, Exception):
            waiting.set_exception(reply)
        else:
            waiting.set_result(reply)

    async def _take_pushed(self, pushed: list[Reply]) -> object:
        kind, channel, value = pushed[0], pushed[1], pushed[-1]
        if kind == b"smessage":
            self._on_message(channel, value)
        else:
            # What a subscription is answered with comes in its turn.
            self._settle(value)
        return _PUSHED


async def _greet(wire: _Wire) -> dict[str, str]:
    """Return what a kind of Redis that can be used says of itself. Raises ValueError."""
    text = (await wire.send("INFO")).decode()
    info = dict(re.findall(r"(?m)^(\w+):(.*?)\r?$", text))
    version = info.get("redis_version", "without a version")
    major = re.match("[0-9]+", version)
    if major is None or int(major[0]) < OLDEST:
        raise ValueError(f"expected Redis {OLDEST} or newer, it is {version}")
    if info.get("role") != "master":
        raise ValueError("it is a read-only replica: REDIS_URL has to name the primary")
    if info.get("cluster_enabled") == "1":
        raise ValueError("it is a node of a Redis Cluster: expected a Redis that has all keys")
    return info


async def _call(action: Callable[[], Awaitable[None]]) -> None:
    await action()


async def _reported(step: Coroutine[object, object, None]) -> None:
    try:
        await step
    except Exception as error:  # noqa: BLE001 -- what happens beside must not end the process
        report(error)


def report(error: Exception) -> None:
    """Log why something has failed; that Redis is out of reach is said when it happens."""
    if not isinstance(error, RedisDownError):
        log("error", "redis-failed", message=f"{type(error).__name__}: {error}")


def printable(url: str) -> str:
    """Return a URL without user and password."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def _retrieve(reply: asyncio.Future[Reply]) -> None:
    if not reply.cancelled():
        reply.exception()


def _code_of(error: RedisError) -> str:
    """Return what an error of Redis starts with."""
    return error.status_code or str(error).partition(" ")[0]


def _reason_of(error: Exception) -> str:
    """Say what is wrong; neither the client nor Redis names a password."""
    text = str(error)
    code = _code_of(error) if isinstance(error, RedisError) else ""
    if code == "NOAUTH":
        return "it needs a password: put it into REDIS_URL"
    if code == "WRONGPASS":
        return "the user or the password in REDIS_URL is wrong"
    if code == "READONLY":
        return "it is a read-only replica: REDIS_URL has to name the primary"
    if code == "NOPROTO" or re.match("unknown command .?HELLO", text):
        return f"expected Redis {OLDEST} or newer, it is older"
    if text.startswith("Protocol Error"):
        return "what answers is no Redis"
    return text or "the connection was lost"
