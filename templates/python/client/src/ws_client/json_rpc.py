"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification): calls in both directions."""

import asyncio
import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
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
# Those of section 5.1 that a client answers with.
INVALID_REQUEST: Message = {"code": -32600, "message": "Invalid Request"}
METHOD_NOT_FOUND: Message = {"code": -32601, "message": "Method not found"}
INVALID_PARAMS: Message = {"code": -32602, "message": "Invalid params"}
INTERNAL_ERROR: Message = {"code": -32603, "message": "Internal error"}


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
        # Answers that are due on this connection.
        self._answering: set[asyncio.Task[None]] = set()
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
        is_unknown = isinstance(error, dict) and error.get("code") == METHOD_NOT_FOUND["code"]
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
        for task in tuple(self._answering):
            task.cancel()

    def heard(self, data: str | bytes) -> None:
        """Take a message, or a batch of them."""
        value = read_json(data)
        is_batch = isinstance(value, list) and value != []
        asked = [one for one in (value if is_batch else [value]) if not self._settle(one)]
        if asked:
            task = asyncio.create_task(self._answer(asked, is_batch=is_batch))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

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

    async def _answer(self, asked: list[Any], *, is_batch: bool) -> None:
        """Carry out what the server has asked, all at the same time, and answer."""
        found = await asyncio.gather(*map(self._carry_out, asked))
        answers = [answer for answer in found if answer is not None]
        if answers:
            self._connection.send(f"[{','.join(answers)}]" if is_batch else answers[0])

    async def _carry_out(self, message: Any) -> str | None:  # noqa: ANN401
        """Return the answer to a request; None for a notification."""
        match message:
            case {"jsonrpc": "2.0", "method": str(method), "id": str() | int() | float() | None}:
                pass
            case {"jsonrpc": "2.0", "method": str(method)} if "id" not in message:
                pass
            case _:
                return encode({"jsonrpc": "2.0", "error": INVALID_REQUEST, "id": None})
        reply: Message = {"jsonrpc": "2.0", "id": message.get("id")}
        try:
            answer = encode(reply | await self._outcome(method, message.get("params", [])))
        except Exception as error:  # a bug of a handler, or a result that is no JSON
            LOG.exception("the handler of %s has failed", method)
            self.failed(ClientError("handler", f"the handler of {method} has failed: {error!r}"))
            answer = encode(reply | {"error": INTERNAL_ERROR})
        return answer if "id" in message else None

    async def _outcome(self, method: str, params: object) -> Message:
        handler = self._handlers.get(method)
        if handler is None:
            return {"error": METHOD_NOT_FOUND}
        args = params if isinstance(params, list) else []
        kwargs = params if isinstance(params, dict) else {}
        try:
            if not isinstance(params, list | dict):
                raise TypeError("neither a list nor an object")
            inspect.signature(handler).bind(*args, **kwargs)
        except TypeError as error:
            return {"error": INVALID_PARAMS | {"data": str(error)}}
        try:
            result = handler(*args, **kwargs)
            return {"result": await result if inspect.isawaitable(result) else result}
        except RpcError as error:
            more = {} if error.data is None else {"data": error.data}
            return {"error": {"code": error.code, "message": error.message, **more}}


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
    return RpcError(INTERNAL_ERROR["code"], str(error))
