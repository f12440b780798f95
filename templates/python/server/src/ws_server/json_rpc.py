"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification): a message or a batch in each text."""

import asyncio
import inspect
# #if metrics
import time
# #endif
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, get_type_hints, overload

# #if auth
from .close_codes import AUTH_FAILED
# #endif
from .config import Config
from .conversation import Conversation, Remote, Step, Subprotocol
from .hooks import Identity
from .json_value import write_json
# #if auth
from .messages import BadCommandError, iso_time, read_json
# #else
#~ from .messages import BadCommandError, read_json
# #endif
# #if metrics
from .metrics import Metrics
# #endif
from .typed import Fault, Reader, read_members, reader_of

Id = str | int | float | None
Params = Sequence[object] | Mapping[str, object]
Function = TypeVar("Function", bound=Callable[..., object])
Result = TypeVar("Result")

# What a request without an id has.
NO_ID = object()


class RpcError(Exception):
    """An error that a method answers with, or that a client has answered with.

    -32768 to -32000 are for what the specification and this server define.
    """

    def __init__(self, code: int, message: str, data: object = None) -> None:
        """Say what the other end is told."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class CallFailed(Exception):  # noqa: N818 -- that is what it is called elsewhere, too
    """A call to a client was not answered: in time, or before its connection ended."""


# Those of section 5.1, and of this server in the range that it leaves for them.
PARSE_ERROR = (-32700, "Parse error")
INVALID_REQUEST = (-32600, "Invalid Request")
METHOD_NOT_FOUND = (-32601, "Method not found")
INVALID_PARAMS = (-32602, "Invalid params")
INTERNAL_ERROR = (-32603, "Internal error")
TOO_MANY_CALLS = (-32000, "Too many calls in progress")
# #if auth
NOT_AUTHENTICATED = (-32001, "Not authenticated: call rpc.authenticate first")
BAD_TOKEN = (-32002, "The token was refused")
# #endif


class Caller:
    """The client at the other end, which the server may call as well.

    When its connection ends, its calls in progress are cancelled.
    """

    def __init__(self, remote: Remote, call_timeout: float) -> None:
        """Wait for answers of `remote` for so many seconds."""
        self._remote = remote
        self._call_timeout = call_timeout
        self._last_id = 0
        self._is_closed = False
        self._waiting: dict[object, asyncio.Future[dict[str, Any] | None]] = {}

    @property
    def id(self) -> str:
        """The id of its connection."""
        return self._remote.id

    # #if auth
    @property
    def identity(self) -> Identity | None:
        """Who it is; a method is called only if that is known."""
        return self._remote.identity

    # #else
    #~ @property
    #~ def identity(self) -> Identity:
    #~     """Who it is."""
    #~     return self._remote.identity
    #~
    # #endif
    @overload
    async def call(
        self, method: str, params: Params = (), *, seconds: float | None = None
    ) -> object: ...

    @overload
    async def call(
        self,
        method: str,
        params: Params = (),
        *,
        result: type[Result],
        seconds: float | None = None,
    ) -> Result: ...

    async def call(
        self,
        method: str,
        params: Params = (),
        *,
        result: Any = object,
        seconds: float | None = None,
    ) -> object:
        """Call a method of the client, which has to answer with a `result` in time.

        Raises RpcError, which the client has answered with, or CallFailed: without an answer, or
        with another than `result`.
        """
        if self._is_closed:
            raise CallFailed("the connection has ended")
        self._last_id += 1
        request_id = self._last_id
        text = write_json({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
        answer = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        self._remote.send(text, "call")
        try:
            async with asyncio.timeout(self._call_timeout if seconds is None else seconds):
                response = await answer
        except TimeoutError:
            raise CallFailed(f"{method} was not answered in time") from None
        finally:
            self._waiting.pop(request_id, None)
        if response is None:
            raise CallFailed("the connection has ended")
        if "error" in response:
            error = response["error"]
            raise RpcError(error["code"], error["message"], error.get("data"))
        try:
            return reader_of(result)(response["result"])
        except Fault:
            raise CallFailed(f"{method} was answered with another result") from None

    def notify(self, method: str, params: Params = ()) -> None:
        """Tell the client something; there is no answer."""
        text = write_json({"jsonrpc": "2.0", "method": method, "params": params})
        self._remote.send(text, "notification")

    def settle(self, response: dict[str, Any]) -> None:
        """Take an answer of the client."""
        answer = self._waiting.get(response["id"])
        if answer is not None and not answer.done():
            answer.set_result(response)

    def close(self) -> None:
        """Let go: the connection has ended."""
        self._is_closed = True
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)


@dataclass(frozen=True, slots=True)
class Method:
    """A function that clients may call."""

    function: Callable[..., Any]
    is_async: bool
    readers: dict[str, Reader]
    required: frozenset[str]
    # The name of its parameter for who calls it.
    caller: str | None

    @classmethod
    def of(cls, function: Callable[..., object]) -> "Method":
        """Read the annotations of a function. Raises TypeError."""
        hints = get_type_hints(function, include_extras=True)
        readers: dict[str, Reader] = {}
        required: set[str] = set()
        caller: str | None = None
        for name, parameter in inspect.signature(function).parameters.items():
            if name not in hints:
                raise TypeError(f"{function.__name__}: {name} has no annotation")
            if hints[name] is Caller:
                caller = name
                continue
            readers[name] = reader_of(hints[name])
            if parameter.default is parameter.empty:
                required.add(name)
        is_async = inspect.iscoroutinefunction(function)
        return cls(function, is_async, readers, frozenset(required), caller)

    def read(self, params: Params, caller: Caller) -> dict[str, Any]:
        """Return the arguments that clients name, or list in order. Raises Fault."""
        if not isinstance(params, dict):
            if len(params) > len(self.readers):
                raise Fault(f"expected at most {len(self.readers)}")
            params = dict(zip(self.readers, params, strict=False))
        arguments = read_members(params, self.readers, self.required)
        if self.caller is not None:
            arguments[self.caller] = caller
        return arguments


class Methods(dict[str, Method]):
    """The functions that clients may call, by name."""

    def register(self, function: Function) -> Function:
        """Let clients call a function by its own name."""
        return self.register_as(function.__name__)(function)

    def register_as(self, name: str) -> Callable[[Function], Function]:
        """Let clients call a function by another name."""
        if name.startswith("rpc."):
            raise ValueError(f'{name}: names with "rpc." are reserved')

        def register(function: Function) -> Function:
            self[name] = Method.of(function)
            return function

        return register


class Answer(NamedTuple):
    """A response as it is sent."""

    kind: str
    text: str


# None: there is none, as it was a notification or a response.
Answered = Answer | None


class JsonRpc(Subprotocol):
    """The protocol, with the methods of a server."""

    name = "json-rpc"

    # #if metrics
    def __init__(self, config: Config, methods: Methods, metrics: Metrics) -> None:
    # #else
    #~ def __init__(self, config: Config, methods: Methods) -> None:
    # #endif
        """Let clients call `methods`."""
        self.config = config
        self.methods = methods
        # #if metrics
        self.metrics = metrics
        # #endif

    def accept(self, remote: Remote) -> Conversation:
        """Talk to a client."""
        return RpcConversation(remote, self)


class RpcConversation(Conversation):
    """What is said to one client."""

    def __init__(self, remote: Remote, rpc: JsonRpc) -> None:
        """Let `remote` call the methods of `rpc`."""
        self._remote = remote
        self._rpc = rpc
        self._caller = Caller(remote, rpc.config.call_timeout / 1000)
        # Calls in progress.
        self._running = 0
        # #if auth
        # Whether the last call was `rpc.authenticate`: what comes after it waits, in a batch, too.
        self._is_entering = False
        # Whether the only token was refused: the connection ends as soon as that was answered.
        self._is_refused = False
        # #endif

    def close(self) -> None:
        """Let go."""
        self._caller.close()

    def receive(self, text: str) -> Step | None:
        """Take a message or a batch."""
        try:
            value = read_json(text)
        except BadCommandError:
            self._refuse(PARSE_ERROR)
            return None
        if isinstance(value, list):
            return self._take_batch(value)
        answer = self._answer_to(value)
        if not isinstance(answer, Coroutine):
            self._send(answer)
            return None
        # #if auth
        if self._is_entering:
            return self._send_later(answer)
        # #endif
        self._remote.spawn(self._send_later(answer))
        return None

    def _send(self, answer: Answered) -> None:
        if answer is not None:
            self._remote.send(answer.text, answer.kind)
        # #if auth
        if self._is_refused:
            self._remote.close(*AUTH_FAILED)
        # #endif

    def _answer_batch(self, answers: list[Answered | Awaitable[Answered]]) -> None:
        if any(isinstance(answer, Awaitable) for answer in answers):
            self._remote.spawn(self._send_batch_later(answers))
        else:
            self._send_batch([answer for answer in answers if isinstance(answer, Answer)])

    async def _send_later(self, answer: Awaitable[Answered]) -> None:
        self._send(await answer)

    def _take_batch(self, entries: list[object]) -> Step | None:
        most = self._rpc.config.max_batch
        if not 1 <= len(entries) <= most:
            self._refuse(INVALID_REQUEST, {"reason": f"expected 1 to {most} in a batch"})
            return None
        # The message itself has cost one.
        self._remote.spend(len(entries) - 1)
        # #if auth
        methods = [one.get("method") for one in entries if isinstance(one, dict)]
        if "rpc.authenticate" in methods:
            return self._take_in_order(entries)
        # #endif
        self._answer_batch([self._answer_to(entry) for entry in entries])
        return None

    # #if auth
    async def _take_in_order(self, entries: list[object]) -> None:
        """Take a batch in which the client says who it is: that holds for what comes after it."""
        answers: list[Answered | Awaitable[Answered]] = []
        for entry in entries:
            answer = self._answer_to(entry)
            if not isinstance(answer, Coroutine):
                answers.append(answer)
            elif self._is_entering:
                answers.append(await answer)
            else:
                answers.append(self._begin(answer))
        self._answer_batch(answers)

    def _begin(self, answer: Awaitable[Answered]) -> Awaitable[Answered]:
        """Run a call until the connection ends; what is returned has its answer."""
        answered: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            made = await answer
            if not answered.done():
                answered.set_result(made)

        self._remote.spawn(run())
        return answered

    # #endif
    async def _send_batch_later(self, answers: list[Answered | Awaitable[Answered]]) -> None:
        later = [answer for answer in answers if isinstance(answer, Awaitable)]
        found = iter(await asyncio.gather(*later))
        whole = [next(found) if isinstance(one, Awaitable) else one for one in answers]
        self._send_batch([answer for answer in whole if answer is not None])

    def _send_batch(self, answers: list[Answer]) -> None:
        text = f"[{','.join(answer.text for answer in answers)}]"
        self._send(Answer("batch", text) if answers else None)

    def _refuse(self, error: tuple[int, str], data: object = None) -> None:
        """Answer what holds no request at all."""
        # #if metrics
        self._remote.received("invalid")
        # #endif
        if self._remote.warn():
            self._send(_failure(None, error, data))

    def _answer_to(self, value: object) -> Answered | Coroutine[object, object, Answered]:
        """Take one request, notification or response."""
        fault = _fault_of_request(value)
        if fault is None and isinstance(value, dict):
            return self._execute(value)
        if isinstance(value, dict) and _is_response(value):
            # #if metrics
            self._remote.received("response")
            # #endif
            self._caller.settle(value)
            return None
        # #if metrics
        self._remote.received("invalid")
        # #endif
        if not self._remote.warn():
            return None
        request_id = value.get("id") if isinstance(value, dict) else None
        known = request_id if _is_id(request_id) else None
        return _failure(known, INVALID_REQUEST, fault.to_json() if fault else None)

    def _execute(self, request: dict[str, Any]) -> Answered | Coroutine[object, object, Answered]:
        name, request_id = request["method"], request.get("id", NO_ID)
        params = request.get("params", {})
        # #if auth
        if name == "rpc.authenticate":
            self._is_entering = True
            return self._authenticate(request_id, params)
        # #endif
        method = self._rpc.methods.get(name)
        # #if metrics
        self._remote.received("unknown" if method is None else name)
        # #endif
        # #if auth
        if self._remote.identity is None:
            return _failure(request_id, NOT_AUTHENTICATED)
        # #endif
        if method is None:
            return _failure(request_id, METHOD_NOT_FOUND)
        limit = self._rpc.config.max_calls_per_client
        if self._running >= limit:
            if request_id is NO_ID:
                self._remote.log("warn", "notification-dropped", limit=limit)
            return _failure(request_id, TOO_MANY_CALLS, {"limit": limit})
        try:
            arguments = method.read(params, self._caller)
        except Fault as fault:
            return _failure(request_id, INVALID_PARAMS, fault.to_json())
        if method.is_async:
            self._running += 1
            return self._run(name, method, arguments, request_id)
        # #if metrics
        started_at = time.perf_counter()
        # #endif
        try:
            return _success(request_id, method.function(**arguments))
        except Exception as error:  # noqa: BLE001 -- a bug in one method must not end the server
            return self._failed(name, request_id, error)
        # #if metrics
        finally:
            self._rpc.metrics.finished(name, time.perf_counter() - started_at)
        # #endif

    async def _run(
        self, name: str, method: Method, arguments: dict[str, Any], request_id: object
    ) -> Answered:
        # #if metrics
        started_at = time.perf_counter()
        # #endif
        try:
            return _success(request_id, await method.function(**arguments))
        except Exception as error:  # noqa: BLE001 -- a bug in one method must not end the server
            return self._failed(name, request_id, error)
        finally:
            self._running -= 1
            # #if metrics
            self._rpc.metrics.finished(name, time.perf_counter() - started_at)
            # #endif

    def _failed(self, name: str, request_id: object, error: Exception) -> Answered:
        """Tell a client of something raised: of a bug, no more than that there is one."""
        if isinstance(error, RpcError):
            try:
                return _failure(request_id, (error.code, error.message), error.data)
            except (TypeError, ValueError, RecursionError):
                # Its data cannot be JSON, or is nested too deep for it: a client may have sent it.
                pass
        stack = "".join(traceback.format_exception(error))
        self._remote.log("error", "method-failed", method=name, stack=stack)
        return _failure(request_id, INTERNAL_ERROR)

    # #if auth
    async def _authenticate(self, request_id: object, params: Params) -> Answered:
        """Take a token: a method of this server itself, for which those names are reserved."""
        self._is_entering = False
        # #if metrics
        self._remote.received("rpc.authenticate")
        # #endif
        try:
            arguments = _AUTHENTICATE.read(params, self._caller)
        except Fault as fault:
            return _failure(request_id, INVALID_PARAMS, fault.to_json())
        identity = await self._remote.authenticate(arguments["token"])
        if identity is not None:
            expires_at = iso_time(identity.expires_at)
            return _success(request_id, {"user": identity.user, "expiresAt": expires_at})
        self._is_refused = self._remote.identity is None
        return _failure(request_id, BAD_TOKEN)

    # #endif


# #if auth
def _authenticate(token: str) -> None:
    """Take a token."""


_AUTHENTICATE = Method.of(_authenticate)


# #endif
def _is_id(value: object) -> bool:
    is_known = value is None or isinstance(value, str | int | float)
    return is_known and not isinstance(value, bool)


def _fault_of_request(value: object) -> Fault | None:
    """Return why a value is no request; members that the specification does not name may be."""
    if not isinstance(value, dict):
        return Fault("expected an object")
    if value.get("jsonrpc") != "2.0":
        return Fault("expected '2.0'", ("jsonrpc",))
    if not isinstance(value.get("method"), str):
        return Fault("expected a text", ("method",))
    if not isinstance(value.get("params", {}), dict | list):
        return Fault("expected an object or a list", ("params",))
    if not _is_id(value.get("id")):
        return Fault("expected a text, a number or null", ("id",))
    return None


def _is_response(value: dict[str, Any]) -> bool:
    """Whether it has either a result or an error, never both."""
    if value.get("jsonrpc") != "2.0" or "id" not in value or not _is_id(value["id"]):
        return False
    error = value.get("error")
    if error is None:
        return "result" in value and "error" not in value
    if "result" in value or not isinstance(error, dict):
        return False
    code = error.get("code")
    is_integer = isinstance(code, int) and not isinstance(code, bool)
    return is_integer and isinstance(error.get("message"), str)


def _success(request_id: object, result: object) -> Answered:
    # Also of a notification: that it has no JSON is a bug that has to be seen.
    text = write_json(result)
    if request_id is NO_ID:
        return None
    return Answer("result", f'{{"jsonrpc":"2.0","id":{write_json(request_id)},"result":{text}}}')


def _failure(request_id: object, error: tuple[int, str], data: object = None) -> Answered:
    if request_id is NO_ID:
        return None
    code, message = error
    told = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return Answer("error", write_json({"jsonrpc": "2.0", "id": request_id, "error": told}))
