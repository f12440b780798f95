"""WAMP over one session after the other, with the same subscriptions and registrations."""

import asyncio
import base64
import hashlib
import hmac
import inspect
import json
import logging
import math
import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from ssl import SSLContext
from typing import Any, Literal, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from .close_codes import Reconnect, after_status, read_retry_after
from .options import Options

Match = Literal["exact", "prefix", "wildcard"]
Wire = list[Any]

LOG = logging.getLogger("ws_client")
MAX_INCOMING = 1 << 26
CLOSE_TIMEOUT = 2
# Bounds the work that a router can ask for.
MAX_ITERATIONS = 10_000_000
MAX_KEY = 64
# What another attempt would not change.
_FATAL = re.compile(r"wamp\.error\.(?!authentication_failed)")


class Code(IntEnum):
    """The first element of a message."""

    HELLO = 1
    WELCOME = 2
    ABORT = 3
    CHALLENGE = 4
    AUTHENTICATE = 5
    GOODBYE = 6
    ERROR = 8
    PUBLISH = 16
    PUBLISHED = 17
    SUBSCRIBE = 32
    SUBSCRIBED = 33
    UNSUBSCRIBE = 34
    UNSUBSCRIBED = 35
    EVENT = 36
    CALL = 48
    CANCEL = 49
    RESULT = 50
    REGISTER = 64
    REGISTERED = 65
    UNREGISTER = 66
    UNREGISTERED = 67
    INVOCATION = 68
    INTERRUPT = 69
    YIELD = 70


ROLES: Mapping[str, object] = {
    "caller": {"features": {"call_canceling": True}},
    "callee": {
        "features": {
            "call_canceling": True,
            "pattern_based_registration": True,
            "shared_registration": True,
        }
    },
    "publisher": {"features": {"publisher_exclusion": True}},
    "subscriber": {"features": {"pattern_based_subscription": True}},
}


class WampError(Exception):
    """The router or a callee has refused something.

    `uri` says why; it is `closed` without a session, and `unknown_outcome` when the connection was
    lost before the answer.
    """

    def __init__(self, uri: str, *args: object, **kwargs: object) -> None:
        """Name what went wrong; a procedure that raises one answers with it."""
        super().__init__(uri, *args)
        self.uri = uri
        self.arguments = args
        self.kwargs = kwargs


@dataclass(frozen=True, slots=True)
class State:
    """What the client does at present; `closed` is for good."""

    name: Literal["idle", "connecting", "open", "waiting", "closed"]
    # Why it is waiting or closed.
    reason: str = ""
    # Seconds until the next attempt.
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What somebody has published."""

    topic: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """A result that is not one argument."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]


class Standing:
    """A subscription or a registration, in this session and those after it."""

    def __init__(
        self, client: "WampClient", ask: tuple[Code, Code], uri: str, options: Mapping[str, object]
    ) -> None:
        """Ask with the first code, and end with the second."""
        self._client = client
        self.ask, self._end = ask
        self.uri = uri
        self.options = options
        # In this session.
        self.id: int | None = None
        self.is_over = False

    async def begin(self) -> None:
        """Ask the router for it."""
        await self._client.request(self.ask, self.options, self.uri, standing=self)
        if self.is_over:
            await self._stop()

    async def end(self) -> None:
        """Want it no more."""
        self.is_over = True
        await self._stop()

    async def _stop(self) -> None:
        number, self.id = self.id, None
        if not self._client.forget(self) or number is None:
            return
        try:
            await self._client.request(self._end, number, standing=self)
        except WampError as error:
            # It has ended with its session.
            if error.uri not in {"closed", "unknown_outcome"}:
                raise


class Subscription(Standing):
    """Hears events."""

    def __init__(
        self,
        client: "WampClient",
        uri: str,
        options: Mapping[str, object],
        hear: Callable[[Event], object],
    ) -> None:
        """Pass events to `hear`."""
        super().__init__(client, (Code.SUBSCRIBE, Code.UNSUBSCRIBE), uri, options)
        self.hear = hear


class Registration(Standing):
    """Answers calls."""

    def __init__(
        self,
        client: "WampClient",
        uri: str,
        options: Mapping[str, object],
        run: Callable[..., object],
    ) -> None:
        """Answer with what `run` returns."""
        super().__init__(client, (Code.REGISTER, Code.UNREGISTER), uri, options)
        self.run = run


@dataclass(slots=True)
class _Request:
    """What has no answer yet."""

    answer: asyncio.Future[Wire]
    standing: Standing | None


class WampClient:
    """A session in a realm that comes back."""

    def __init__(
        self,
        url: str,
        *,
        realm: str = "realm1",
        authid: str | None = None,
        get_ticket: Callable[[], str | Awaitable[str]] | None = None,
        secret: str | None = None,
        on_state: Callable[[State], object] | None = None,
        options: Options | None = None,
        headers: Mapping[str, str] | None = None,
        ssl: SSLContext | None = None,
        proxy: str | Literal[True] | None = True,
    ) -> None:
        """Connect to `url` (`ws:` or `wss:`) later, with `connect` or `async with`.

        With `authid`, the client shows a ticket (or a token), or signs with a secret by WAMP-CRA.
        `headers`, `ssl` and `proxy` are those of `websockets.connect`.
        """
        self._url = url
        self._realm = realm
        self._authid = authid
        self._get_ticket = get_ticket
        self._secret = secret
        self._on_state = on_state
        self._options = options or Options()
        self._headers = headers
        self._ssl = ssl
        self._proxy = proxy
        self.state = State("idle")
        self._run: asyncio.Task[None] | None = None
        # Done with the first session, or when there is none for good.
        self._opened: asyncio.Future[None] | None = None
        self._socket: ClientConnection | None = None
        self._standings: list[Standing] = []
        # Since a session was good, and since when this one is open.
        self._attempts = 0
        self._opened_at = math.inf
        # Seconds that the server asks to wait, in place of a session.
        self._retry_after: float | None = None
        self._last_request = 0
        self._requests: dict[int, _Request] = {}
        # Calls of others that are under way, by their id.
        self._running: dict[int, asyncio.Task[Wire]] = {}
        self._replies: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Connect."""
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def connect(self) -> None:
        """Return with the first session, and stay connected until `close`.

        Raises WampError if there is none for good.
        """
        if self._opened is None:
            loop = asyncio.get_running_loop()
            self._opened = loop.create_future()
            self._run = loop.create_task(self._connect_again_and_again())
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """End the session and all attempts."""
        run, self._run = self._run, None
        if run is None:
            return
        if self.state.name == "open" and self._socket is not None:
            with suppress(ConnectionClosed):
                await self._send([Code.GOODBYE, {}, "wamp.close.close_realm"])
        run.cancel()
        try:
            await asyncio.wait([run])
        finally:
            # Also if that has cancelled who closes: a procedure.
            self._finish("closed by the client")

    async def call(self, uri: str, /, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
        """Call a procedure; return the argument of its result, or a `Result` if it is not one.

        Raises WampError. A call whose task is cancelled is canceled at the router, too.
        """
        answer = await self.request(Code.CALL, {}, uri, *_payload(args, kwargs))
        found = Result(*_arguments(answer[3:]))
        if len(found.args) <= 1 and not found.kwargs:
            return found.args[0] if found.args else None
        return found

    async def publish(self, topic: str, /, *args: object, **kwargs: object) -> None:
        """Publish an event; return when the router has it. Raises WampError."""
        options = {"acknowledge": True}
        await self.request(Code.PUBLISH, options, topic, *_payload(args, kwargs))

    async def subscribe(
        self, topic: str, hear: Callable[[Event], object], *, match: Match = "exact"
    ) -> Standing:
        """Hear the events of a topic or a pattern until `end` of what it returns."""
        return await self._stand(Subscription(self, topic, _options(match=match), hear))

    async def register(
        self,
        uri: str,
        run: Callable[..., object],
        *,
        match: Match = "exact",
        invoke: Literal["single", "first", "last", "roundrobin", "random"] = "single",
    ) -> Standing:
        """Answer the calls of a procedure until `end` of what it returns.

        `run` gets the arguments and keyword arguments. It may be asynchronous; then it is cancelled
        with its call.
        """
        return await self._stand(Registration(self, uri, _options(match=match, invoke=invoke), run))

    async def _stand(self, standing: Standing) -> Standing:
        # A router ends sessions that ask before its WELCOME.
        if self.state.name != "open":
            raise WampError("closed", "there is no session")
        await standing.begin()
        return standing

    # What subscriptions and registrations need.

    def forget(self, standing: Standing) -> bool:
        """Let go of it; False if others still want the same of the router."""
        if standing in self._standings:
            self._standings.remove(standing)
        return not any(
            (one.ask, one.uri, one.options) == (standing.ask, standing.uri, standing.options)
            for one in self._standings
        )

    async def request(self, code: Code, *rest: object, standing: Standing | None = None) -> Wire:
        """Send a request, and return its answer. Raises WampError."""
        if self._socket is None or (self.state.name != "open" and standing is None):
            raise WampError("closed", "there is no session")
        self._last_request += 1
        number = self._last_request
        future: asyncio.Future[Wire] = asyncio.get_running_loop().create_future()
        self._requests[number] = _Request(future, standing)
        try:
            with suppress(ConnectionClosed):
                await self._send([code, number, *rest])
            return await future
        except asyncio.CancelledError:
            if code == Code.CALL and number in self._requests:
                with suppress(ConnectionClosed):
                    await self._send([Code.CANCEL, number, {"mode": "killnowait"}])
            raise
        finally:
            self._requests.pop(number, None)

    # Connections.

    async def _connect_again_and_again(self) -> None:
        options = self._options
        try:
            while True:
                reason, is_final = await self._connect_once()
                if is_final:
                    self._finish(reason)
                    return
                most = min(options.backoff_max, options.backoff_base * 2 ** min(self._attempts, 30))
                self._attempts += 1
                if self._retry_after is not None:
                    # Many clients get the same hint: they must not all come at its end.
                    most = options.backoff_base
                delay = (self._retry_after or 0) + random.uniform(0, most)  # noqa: S311 -- no secret
                self._set(State("waiting", reason, delay))
                await asyncio.sleep(delay)
        except Exception as error:  # an error of this program must not leave others waiting
            LOG.exception("the client has failed")
            self._finish(repr(error))

    async def _connect_once(self) -> tuple[str, bool]:
        """Return why there is no session any more, and whether there will be none."""
        self._set(State("connecting"))
        self._opened_at = math.inf
        self._retry_after = None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._options.connect_timeout
        try:
            async with asyncio.timeout_at(deadline):
                socket = await connect(
                    self._url,
                    subprotocols=[Subprotocol("wamp.2.json")],
                    additional_headers=self._headers,
                    ssl=self._ssl,
                    proxy=self._proxy,
                    open_timeout=None,
                    close_timeout=CLOSE_TIMEOUT,
                    max_size=MAX_INCOMING,
                )
                self._socket = socket
                refusal = await self._join(socket)
            if refusal is not None:
                return refusal, _FATAL.match(refusal) is not None
            begin = asyncio.create_task(self._begin(socket, deadline))
            try:
                return await self._read(socket), False
            finally:
                begin.cancel()
        except TimeoutError:
            return "no session in time", False
        except InvalidStatus as error:
            status = error.response.status_code
            self._retry_after = read_retry_after(error.response.headers.get("Retry-After"))
            return f"HTTP {status}", after_status(status) is Reconnect.NO
        except InvalidURI as error:
            return f"not a valid URL: {error.msg}", True
        except ValueError as error:
            return f"malformed message: {error}", False
        except (OSError, EOFError, WebSocketException) as error:
            return str(error) or type(error).__name__, False
        finally:
            if loop.time() - self._opened_at >= self._options.stable_after:
                self._attempts = 0
            await self._drop()

    async def _join(self, socket: ClientConnection) -> str | None:
        """Begin a session; return the router's reason if it refuses that."""
        details: dict[str, object] = {"roles": ROLES}
        if self._authid is not None:
            ways = {"ticket": self._get_ticket, "wampcra": self._secret}
            methods = [name for name, way in ways.items() if way is not None]
            details |= {"authid": self._authid, "authmethods": methods}
        await self._send([Code.HELLO, self._realm, details])
        while True:
            match json.loads(await socket.recv()):
                case [Code.WELCOME, *_]:
                    self._last_request = 0
                    return None
                case [Code.ABORT, _, str(reason), *_]:
                    return reason
                case [Code.CHALLENGE, str(method), dict(extra)]:
                    await self._send([Code.AUTHENTICATE, await self._answer(method, extra), {}])
                case _:
                    raise ValueError("no answer to HELLO")

    async def _answer(self, method: str, extra: Mapping[str, Any]) -> str:
        if method == "ticket" and self._get_ticket is not None:
            try:
                ticket = self._get_ticket()
                return ticket if isinstance(ticket, str) else await ticket
            except Exception as error:
                LOG.exception("there is no ticket")
                raise ConnectionError("there is no ticket") from error
        key = (self._secret or "").encode()
        if "salt" in extra:
            match extra:
                case {"salt": str(salt), "iterations": int(rounds), "keylen": int(size)} if (
                    0 < rounds <= MAX_ITERATIONS and 0 < size <= MAX_KEY
                ):
                    derived = hashlib.pbkdf2_hmac("sha256", key, salt.encode(), rounds, size)
                    key = base64.b64encode(derived)
                case _:
                    raise ValueError("the router asks for an unlikely key")
        digest = hmac.digest(key, str(extra.get("challenge")).encode(), "sha256")
        return base64.b64encode(digest).decode()

    async def _begin(self, socket: ClientConnection, deadline: float) -> None:
        """Ask for what the session before had."""
        try:
            async with asyncio.timeout_at(deadline):
                for standing in tuple(self._standings):
                    try:
                        await standing.begin()
                    except WampError as error:
                        LOG.warning("%s was refused after a reconnect: %s", standing.uri, error)
        except TimeoutError:
            # The task that reads sees the end.
            socket.transport.abort()
            return
        self._opened_at = asyncio.get_running_loop().time()
        self._set(State("open"))
        if self._opened is not None and not self._opened.done():
            self._opened.set_result(None)

    async def _read(self, socket: ClientConnection) -> str:
        """Take messages until the session ends; return why."""
        while True:
            message = json.loads(await socket.recv())
            match message:
                case [Code.GOODBYE, _, str(reason), *_]:
                    with suppress(ConnectionClosed):
                        await self._send([Code.GOODBYE, {}, "wamp.close.goodbye_and_out"])
                    return reason
                case [Code.ABORT, _, str(reason), *_]:
                    return reason
                case [Code.EVENT, subscription, _, dict(details), *payload]:
                    self._hear(subscription, details, payload)
                case [Code.INVOCATION, int(number), registration, _, *payload]:
                    run = asyncio.create_task(self._execute(registration, payload))
                    reply = asyncio.create_task(self._reply(number, run))
                    self._running[number] = run
                    self._replies.add(reply)
                    reply.add_done_callback(self._replies.discard)
                case [Code.INTERRUPT, int(number), *_]:
                    if number in self._running:
                        self._running[number].cancel()
                case [Code.ERROR, _, number, _, str(uri), *payload]:
                    args, kwargs = _arguments(payload)
                    self._settle(number, WampError(uri, *args, **kwargs))
                case [_, number, *_]:
                    self._settle(number, message)

    def _settle(self, number: object, answer: Wire | WampError) -> None:
        request = self._requests.get(number) if isinstance(number, int) else None
        if request is None or request.answer.done():
            return
        if isinstance(answer, WampError):
            request.answer.set_exception(answer)
            return
        standing = request.standing
        if standing is not None and answer[0] in (Code.SUBSCRIBED, Code.REGISTERED):
            # Before its first event or call, which may follow at once.
            standing.id = answer[2]
            if not standing.is_over and standing not in self._standings:
                self._standings.append(standing)
        request.answer.set_result(answer)

    def _hear(self, number: object, details: Mapping[str, Any], payload: Wire) -> None:
        args, kwargs = _arguments(payload)
        for standing in tuple(self._standings):
            if not isinstance(standing, Subscription) or standing.id != number:
                continue
            try:
                standing.hear(Event(details.get("topic", standing.uri), args, kwargs))
            except Exception:
                LOG.exception("what hears %s has failed", standing.uri)

    async def _execute(self, registration: object, payload: Wire) -> Wire:
        """Run a procedure of this client; return the payload of its result."""
        run = next(
            standing.run
            for standing in self._standings
            if isinstance(standing, Registration) and standing.id == registration
        )
        args, kwargs = _arguments(payload)
        result = run(*args, **kwargs)
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, Result):
            return _payload(result.args, result.kwargs)
        return [] if result is None else [[result]]

    async def _reply(self, number: int, run: asyncio.Task[Wire]) -> None:
        """Answer a call when its procedure has ended."""
        error = WampError("wamp.error.runtime_error", "internal error")
        try:
            await self._send([Code.YIELD, number, {}, *await run])
        except ConnectionClosed:
            return
        except WampError as own:
            error = own
        except asyncio.CancelledError:
            error = WampError("wamp.error.canceled", "canceled")
        except Exception:
            LOG.exception("a procedure has failed")
        else:
            return
        finally:
            self._running.pop(number, None)
        with suppress(ConnectionClosed):
            rest = _payload(error.arguments, error.kwargs)
            await self._send([Code.ERROR, Code.INVOCATION, number, {}, error.uri, *rest])

    async def _send(self, message: Wire) -> None:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if self._socket is not None:
            await self._socket.send(text)

    async def _drop(self) -> None:
        """Let go of the connection."""
        socket, self._socket = self._socket, None
        for standing in self._standings:
            standing.id = None
        for task in tuple(self._running.values()):
            task.cancel()
        for request in self._requests.values():
            if not request.answer.done():
                error = WampError("unknown_outcome", "the connection was lost before the answer")
                request.answer.set_exception(error)
        if socket is not None:
            await socket.close()

    def _finish(self, reason: str) -> None:
        if self.state.name == "closed":
            return
        self._set(State("closed", reason))
        if self._opened is not None and not self._opened.done():
            self._opened.set_exception(WampError(reason, "there is no session for good"))

    def _set(self, state: State) -> None:
        self.state = state
        LOG.debug("%s %s", state.name, state.reason)
        try:
            if self._on_state is not None:
                self._on_state(state)
        except Exception:
            LOG.exception("on_state has failed")


def _options(**options: str) -> dict[str, object]:
    """Leave out what is so anyhow."""
    return {name: value for name, value in options.items() if value not in ("exact", "single")}


def _payload(args: Sequence[object], kwargs: Mapping[str, object]) -> Wire:
    if kwargs:
        return [args, kwargs]
    return [args] if args else []


def _arguments(payload: Wire) -> tuple[list[Any], dict[str, Any]]:
    args = payload[0] if payload and isinstance(payload[0], list) else []
    kwargs = payload[1] if len(payload) > 1 and isinstance(payload[1], dict) else {}
    return args, kwargs
