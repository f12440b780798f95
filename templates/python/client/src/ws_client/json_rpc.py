"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification): calls in both directions."""

import asyncio
import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ssl import SSLContext
from typing import Any, Literal

from .base import BaseClient
from .calls import Calls
from .connection import Network, State
from .messages import ClientError, Message, encode, read_json
from .options import Options
# #if auth
from .tokens import GetToken
# #endif

LOG = logging.getLogger("ws_client")
# Those of section 5.1 that a client answers with, and one of the range that it leaves open.
INVALID_REQUEST = (-32600, "Invalid Request")
METHOD_NOT_FOUND = (-32601, "Method not found")
INVALID_PARAMS = (-32602, "Invalid params")
INTERNAL_ERROR = (-32603, "Internal error")
TOO_MANY_CALLS = (-32000, "Too many calls in progress")

# The text of an answer; None: there is none.
Answer = str | None


class RpcError(Exception):
    """An error that the server has answered with, or that a handler answers with."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        """Say what the other end is told; -32768 to -32000 are the specification's."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data = data


class _Methods:
    """The methods of the server as those of an object."""

    def __init__(self, client: "JsonRpcClient") -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*args: object, **kwargs: object) -> Any:  # noqa: ANN401
            return self._client.call(name, *args, **kwargs)

        return method


class JsonRpcClient(BaseClient):
    """Calls methods of a JSON-RPC 2.0 server, and is called by it, over reconnects."""

    def __init__(
        self,
        url: str,
        *,
        # #if auth
        get_token: GetToken | None = None,
        # #endif
        options: Options | None = None,
        subprotocols: Sequence[str] = ("json-rpc",),
        headers: Mapping[str, str] | None = None,
        ssl: SSLContext | None = None,
        proxy: str | Literal[True] | None = True,
    ) -> None:
        """Connect to `url` (`ws:` or `wss:`) later, with `connect` or `async with`.

        `headers`, `ssl` and `proxy` are those of `websockets.connect`.
        """
        network = Network(
            url,
            subprotocols,
            # #if auth
            get_token=get_token,
            # #endif
            headers=headers,
            ssl=ssl,
            proxy=proxy,
        )
        super().__init__(network, options)
        self._calls = Calls(self._connection)
        self._last_id = 0
        self._handlers: dict[str, Callable[..., object]] = {}
        # Calls of the server that are under way on this connection, and answers that wait for them.
        self._running: set[asyncio.Task[Answer]] = set()
        self._answering: set[asyncio.Task[None]] = set()
        # Counts the connections: an answer goes back over the one that has asked, or nowhere.
        self._generation = 0
        # #if auth
        # Of the last call that shows a token.
        self._auth_id = ""
        # #endif

    @property
    def server(self) -> Any:  # noqa: ANN401 -- a Protocol of the program
        """The methods of the server: `await client.server.add(1, 2)`.

        Annotated with a Protocol (`server: Server = client.server`), their types are checked.
        """
        return _Methods(self)

    async def call(self, method: str, /, *args: object, **kwargs: object) -> Any:  # noqa: ANN401
        """Call a method of the server, with a list of parameters or with their names.

        Without a connection it waits for one. Raises RpcError, with which the server has answered,
        or ClientError: `timeout` and `unknown_outcome` (the connection was lost before the answer)
        leave open whether the server has done it; `expired`, `queue_full` and `closed` do not. When
        its task is cancelled, the server may carry it out all the same.
        """
        self._last_id += 1
        message = _request(method, args, kwargs) | {"id": self._last_id}
        return await self._calls.ask(self._last_id, encode(message), method)

    def notify(self, method: str, /, *args: object, **kwargs: object) -> bool:
        """Tell the server something; False if there is no connection: nothing is kept for later."""
        message = _request(method, args, kwargs)
        return self.state.name == "open" and self._connection.send(message)

    def handle(self, method: str, handler: Callable[..., object]) -> Callable[[], None]:
        """Carry out what the server calls or tells, until the function that this returns is called.

        `handler` gets the parameters, and may be asynchronous; then it is cancelled when the
        connection is lost. It raises RpcError to answer with an error.
        """
        self._handlers[method] = handler

        def stop() -> None:
            if self._handlers.get(method) is handler:
                del self._handlers[method]

        return stop

    def changed(self, state: State) -> None:
        """Fail what waits when the client is closed."""
        if state.name == "closed":
            self._calls.close(state.reason)
        super().changed(state)

    def opened(self) -> None:
        """Show a token, if there is one."""
        # #if auth
        if self._connection.tokens.authenticate():
            return
        # #endif
        self._welcome()

    def _welcome(self) -> None:
        self._connection.welcome(self.options.ping_interval)
        self._connection.set_resumed(is_complete=True)
        self._calls.send_waiting()

    def probe(self) -> None:
        """Ask for a sign of life: whatever the answer is, there is one."""
        self._connection.send({"jsonrpc": "2.0", "id": "ping", "method": "rpc.ping"})

    # #if auth
    def show_token(self, token: str, key: str) -> None:
        """Send a token, before anything else."""
        self._auth_id = key
        self._connection.send(_request("rpc.authenticate", (), {"token": token}) | {"id": key})

    def _shown(self, answer: Message) -> None:
        """Take the answer to a token."""
        result, error = answer.get("result"), answer.get("error")
        is_unknown = isinstance(error, dict) and error.get("code") == METHOD_NOT_FOUND[0]
        # A server that asks for no token knows no such method.
        if not isinstance(result, dict) and not is_unknown:
            return  # the close code says what follows
        expires_at = result.get("expiresAt") if isinstance(result, dict) else None
        if self._connection.is_welcome:
            self._connection.tokens.plan(expires_at)
            return
        self._welcome()
        self._connection.tokens.welcome(expires_at)

    # #endif
    def lost(self) -> None:
        """Fail what was sent, and answer no more calls of this connection."""
        self._calls.lost()
        self._generation += 1
        for task in tuple(self._running):
            task.cancel()

    def heard(self, data: str | bytes) -> None:
        """Take a message, or a batch of them; what the server calls begins in its order."""
        value = read_json(data)
        is_batch = isinstance(value, list) and value != []
        messages = value if is_batch else [value]
        begun = [self._begin(message) for message in messages if not self._settle(message)]
        if any(isinstance(answer, asyncio.Task) for answer in begun):
            task = asyncio.create_task(self._answer_later(begun, is_batch=is_batch))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        else:
            self._answer([str(answer) for answer in begun if answer is not None], is_batch=is_batch)

    def _settle(self, message: Any) -> bool:  # noqa: ANN401
        """Take an answer; False if it is none."""
        if not isinstance(message, dict) or "method" in message:
            return False
        key, error = message.get("id"), message.get("error")
        if error is None and "result" not in message:
            return False
        # #if auth
        if key == self._auth_id:
            self._shown(message)
            return True
        # #endif
        if isinstance(key, int) and not isinstance(key, bool):
            self._calls.settle(key, message["result"] if error is None else _error_of(error))
        return True

    async def _answer_later(
        self, begun: list[Answer | asyncio.Task[Answer]], *, is_batch: bool
    ) -> None:
        generation = self._generation
        ended = [await one if isinstance(one, asyncio.Task) else one for one in begun]
        if generation == self._generation:
            self._answer([answer for answer in ended if answer is not None], is_batch=is_batch)

    def _answer(self, answers: list[str], *, is_batch: bool) -> None:
        if answers:
            self._connection.send(f"[{','.join(answers)}]" if is_batch else answers[0])

    def _begin(self, message: Any) -> Answer | asyncio.Task[Answer]:  # noqa: ANN401
        """Carry out a request, as far as nothing has to be waited for."""
        if not _is_request(message):
            return _reply({"id": None}, {"error": _fault(RpcError(*INVALID_REQUEST))})
        try:
            result = self._invoke(message["method"], message.get("params", []))
            if not inspect.isawaitable(result):
                return _reply(message, {"result": result})
        except Exception as error:  # noqa: BLE001 -- whatever a handler raises
            return self._refuse(message, error)
        task = asyncio.create_task(self._end(message, result))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _end(self, message: Message, result: Awaitable[object]) -> Answer:
        try:
            return _reply(message, {"result": await result})
        except Exception as error:  # noqa: BLE001
            return self._refuse(message, error)

    def _invoke(self, method: str, params: object) -> object:
        handler = self._handlers.get(method)
        if handler is None:
            raise RpcError(*METHOD_NOT_FOUND)
        if len(self._running) >= self.options.max_calls:
            raise RpcError(*TOO_MANY_CALLS)
        args = params if isinstance(params, list) else []
        kwargs = params if isinstance(params, dict) else {}
        try:
            if not isinstance(params, list | dict):
                raise TypeError("neither a list nor an object")
            inspect.signature(handler).bind(*args, **kwargs)
        except TypeError as error:
            raise RpcError(*INVALID_PARAMS, str(error)) from None
        return handler(*args, **kwargs)

    def _refuse(self, message: Message, error: Exception) -> Answer:
        """Answer with what a handler has raised; of a bug, no more than that there is one."""
        try:
            if isinstance(error, RpcError):
                return _reply(message, {"error": _fault(error)})
        except Exception as unfit:  # noqa: BLE001 -- its data cannot be JSON
            error = unfit
        method = message["method"]
        LOG.error("the handler of %s has failed", method, exc_info=error)
        self.failed(ClientError("handler", f"the handler of {method} has failed: {error!r}"))
        return _reply(message, {"error": _fault(RpcError(*INTERNAL_ERROR))})


def _is_request(message: Any) -> bool:  # noqa: ANN401
    match message:
        case {"jsonrpc": "2.0", "method": str()}:
            key = message.get("id")
            if isinstance(key, float):
                # 1e999 is read as infinity, which cannot be written.
                return math.isfinite(key)
            return key is None or (isinstance(key, str | int) and not isinstance(key, bool))
    return False


def _reply(message: Message, outcome: Message) -> Answer:
    """Return the answer to a request; None if it is a notification."""
    text = encode({"jsonrpc": "2.0", "id": message.get("id"), **outcome})
    return text if "id" in message else None


def _fault(error: RpcError) -> Message:
    more = {} if error.data is None else {"data": error.data}
    return {"code": error.code, "message": error.message, **more}


def _request(method: str, args: Sequence[object], kwargs: Mapping[str, object]) -> Message:
    if args and kwargs:
        raise TypeError(f"{method}: JSON-RPC has a list of parameters, or names for all of them")
    request: Message = {"jsonrpc": "2.0", "method": method}
    params = args or kwargs
    return {**request, "params": params} if params else request


def _error_of(error: Any) -> RpcError:  # noqa: ANN401
    """Return the error of an answer; one that is none has the code of an internal error."""
    match error:
        case {"code": int(code), "message": str(message)}:
            return RpcError(code, message, error.get("data"))
    return RpcError(INTERNAL_ERROR[0], str(error))
