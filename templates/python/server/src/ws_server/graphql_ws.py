"""GraphQL over graphql-transport-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Any, cast

from graphql import ExecutionResult, GraphQLError, OperationType, execute, subscribe

from .config import Config
from .conversation import Conversation, Remote, Step, Subprotocol
from .graphql_documents import Documents, Prepared, RefusedError, Request
from .graphql_schema import GraphqlContext
from .json_value import write_json
from .messages import BadCommandError, read_json

Message = dict[str, Any]

BAD_REQUEST = 4400
UNAUTHORIZED = 4401
FORBIDDEN = 4403
BAD_SUBPROTOCOL = 4406
INIT_TIMEOUT = 4408
ID_IN_USE = 4409
TOO_MANY_INITS = 4429
INTERNAL_ERROR = 4500

CLOSE_CODES = {
    # The token expired or was refused, and who it is of is revoked: with a new token they may come
    # back.
    4401: FORBIDDEN,
    4501: FORBIDDEN,
    4502: FORBIDDEN,
    # A slow client, and too many connections of a user: later.
    4408: 1013,
    4429: 1013,
    # No token within the time.
    4500: INIT_TIMEOUT,
    1011: INTERNAL_ERROR,
}


class BadMessageError(Exception):
    """What a client sends is no message; why."""


class Graphql(Subprotocol):
    """The protocol, with the documents of a server."""

    name = "graphql-transport-ws"
    close_codes = CLOSE_CODES

    def __init__(self, config: Config, documents: Documents) -> None:
        """Let clients execute `documents`."""
        self.config = config
        self.documents = documents

    def accept(self, remote: Remote) -> Conversation:
        """Talk to a client."""
        return GraphqlConversation(remote, self)


class GraphqlConversation(Conversation):
    """What is said to one client."""

    def __init__(self, remote: Remote, graphql: Graphql) -> None:
        """Wait for its `connection_init`."""
        self.remote = remote
        self.is_introspectable = graphql.documents.is_introspectable
        self._graphql = graphql
        self._is_greeted = self._is_acknowledged = False
        # By id; an id that the client has completed is free again, though its operation may take
        # its time.
        self._operations: dict[str, Operation] = {}
        # Operations under way, also those that are completed for the client.
        self.running = 0
        seconds = graphql.config.graphql_init_timeout / 1000
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(
            seconds, self.end, INIT_TIMEOUT, "Connection initialisation timeout"
        )
        if not remote.subprotocol:
            self.end(BAD_SUBPROTOCOL, "Subprotocol not acceptable")

    def close(self) -> None:
        """Let go; its operations are cancelled."""
        self._timer.cancel()

    def receive(self, text: str) -> Step | None:
        """Take a message."""
        try:
            message = self.parse(text)
        except BadMessageError as error:
            # #if metrics
            self.remote.received("invalid")
            # #endif
            self.end(BAD_REQUEST, str(error))
            return None
        if message is None:
            return None
        kind = message["type"]
        # #if metrics
        self.remote.received(kind)
        # #endif
        if kind == "connection_init":
            # #if auth
            return self._init(message.get("payload") or {})
            # #else
            #~ self._init()
            # #endif
        # #if auth
        if kind == "subscribe":
        # #else
        #~ elif kind == "subscribe":
        # #endif
            self._subscribe(message["id"], message["payload"])
        elif kind == "complete":
            self.complete(message["id"])
        elif kind == "ping":
            self._pong(message)
        return None

    def parse(self, text: str) -> Message | None:
        """Return what `text` says; None if that is done. Raises BadMessageError."""
        return parse_message(read_object(text))

    def end(self, code: int, reason: str) -> None:
        """Close the connection."""
        short = reason.encode(errors="replace")[:123].decode(errors="ignore")
        self.remote.close(code, short)

    def _pong(self, message: Message) -> None:
        payload = message.get("payload")
        try:
            text = write_json({"type": "pong"} | ({} if payload is None else {"payload": payload}))
        except RecursionError:
            self.end(BAD_REQUEST, "payload: nested too deeply")
            return
        self.remote.send(text, "pong")

    # #if auth
    def _init(self, params: Message) -> Step | None:
    # #else
    #~ def _init(self) -> None:
    # #endif
        if self._is_greeted:
            self.end(TOO_MANY_INITS, "Too many initialisation requests")
            # #if auth
            return None
            # #else
            #~ return
            # #endif
        self._is_greeted = True
        self._timer.cancel()
        # #if auth
        token = token_in(params)
        if token is not None:
            return self.enter(self._authenticate(token))
        if self.remote.identity is None:
            self.end(FORBIDDEN, "Forbidden")
            return None
        # #endif
        self._acknowledge()
        # #if auth
        return None
        # #endif

    # #if auth
    def enter(self, step: Step) -> Step | None:
        """Check a token; what comes before connection_ack is not for the time after it."""
        self.remote.spawn(step)
        return None

    async def _authenticate(self, token: str) -> None:
        if await self.remote.authenticate(token) is None:
            self.end(FORBIDDEN, "Forbidden")
        elif self.remote.is_open:
            self._acknowledge()

    # #endif
    def _acknowledge(self) -> None:
        self._is_acknowledged = True
        self.acknowledge()

    def acknowledge(self) -> None:
        """Tell the client that it may begin."""
        self.remote.send('{"type":"connection_ack"}', "connection_ack")

    def _subscribe(self, operation_id: str, payload: Message) -> None:
        if not self._is_acknowledged:
            self.end(UNAUTHORIZED, "Unauthorized")
            return
        if operation_id in self._operations:
            self.end(ID_IN_USE, f"Subscriber for {operation_id} already exists")
            return
        operation = Operation(self, operation_id)
        request = Request(
            payload["query"], payload.get("operationName"), payload.get("variables") or {}
        )
        try:
            self._check_running()
            prepared = self._graphql.documents.prepare(request)
        except RefusedError as refused:
            operation.fail(refused.errors)
            return
        identity = self.remote.identity
        # #if auth
        if identity is None:
            return
        # #endif
        context = GraphqlContext(identity, self.remote.id)
        self._operations[operation_id] = operation
        self.running += 1
        self._graphql.documents.running += 1
        operation.task = self.remote.spawn(operation.run(prepared, request, context))
        operation.task.add_done_callback(lambda _: self._finish(operation))

    def _check_running(self) -> None:
        config = self._graphql.config
        extensions = {"code": "TOO_MANY_OPERATIONS"}
        if self.running >= config.graphql_max_operations:
            most = config.graphql_max_operations
            message = f"expected at most {most} operations at the same time"
            raise RefusedError(GraphQLError(message, extensions=extensions))
        if self._graphql.documents.running >= config.graphql_max_all_operations:
            message = "the server has too many operations; try again later"
            raise RefusedError(GraphQLError(message, extensions=extensions))

    def _finish(self, operation: "Operation") -> None:
        self.running -= 1
        self._graphql.documents.running -= 1
        self.forget(operation)

    def forget(self, operation: "Operation") -> None:
        """Let its id be used again."""
        if self._operations.get(operation.id) is operation:
            del self._operations[operation.id]

    def complete(self, operation_id: str) -> None:
        """Stop an operation that the client does not want any more, if there is one."""
        operation = self._operations.pop(operation_id, None)
        if operation is not None:
            operation.stop()

    def tell(self, operation_id: str, kind: str, payload: object) -> None:
        """Send what is of an operation: `next`, `error` or `complete`."""
        message: Message = {"id": operation_id, "type": kind}
        if payload is not None:
            message["payload"] = payload
        self.remote.send(write_json(message), kind)

    def told(self, error: GraphQLError) -> object:
        """Return what the client reads of an error.

        Of one that nobody meant for it, that there is one.
        """
        original = error.original_error
        if original is None or isinstance(original, GraphQLError):
            return error.formatted
        path = ".".join(map(str, error.path or ()))
        stack = "".join(traceback.format_exception(original))
        self.remote.log("error", "resolver-failed", path=path, stack=stack)
        extensions = {"code": "INTERNAL_SERVER_ERROR"}
        hidden = GraphQLError("internal error", error.nodes, path=error.path, extensions=extensions)
        return hidden.formatted


class Operation:
    """What a client has started."""

    def __init__(self, conversation: GraphqlConversation, operation_id: str) -> None:
        """Answer with this id."""
        self._conversation = conversation
        self.id = operation_id
        self.task: asyncio.Task[None] | None = None
        self._is_stopped = False

    def stop(self) -> None:
        """Say nothing more."""
        self._is_stopped = True
        if self.task is not None:
            self.task.cancel()

    def fail(self, errors: Sequence[GraphQLError]) -> None:
        """Say why there is no result, and that is all."""
        self._end("error", [self._conversation.told(error) for error in errors])

    def _end(self, kind: str, payload: object = None) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            self._conversation.forget(self)
            self._conversation.tell(self.id, kind, payload)

    def _next(self, result: ExecutionResult) -> None:
        if self._is_stopped:
            return
        payload = cast("dict[str, Any]", result.formatted)
        if result.errors:
            payload = {
                **payload,
                "errors": [self._conversation.told(error) for error in result.errors],
            }
        self._conversation.tell(self.id, "next", payload)

    async def run(self, prepared: Prepared, request: Request, context: GraphqlContext) -> None:
        """Execute it."""
        is_subscription = prepared.operation.operation is OperationType.SUBSCRIPTION
        carry_out: Callable[..., Any] = subscribe if is_subscription else execute
        found = carry_out(
            prepared.schema,
            prepared.document,
            context_value=context,
            variable_values=request.variables,
            operation_name=request.operation_name,
            hide_suggestions=not self._conversation.is_introspectable,
        )
        result = await found if isawaitable(found) else found
        if not isinstance(result, ExecutionResult):
            await self._follow(result)
        elif is_subscription:
            self.fail(result.errors or ())
            return
        else:
            self._next(result)
        self._end("complete")

    async def _follow(self, results: AsyncIterator[ExecutionResult]) -> None:
        try:
            async for result in results:
                self._next(result)
                # Nothing more is asked of what is iterated before the client has read.
                await self._conversation.remote.drained()
        except GraphQLError as error:
            self.fail([error])
        finally:
            close: Callable[[], Awaitable[None]] | None = getattr(results, "aclose", None)
            if close is not None:
                await close()


def read_object(text: str) -> Message:
    """Read a JSON object with a type. Raises BadMessageError."""
    try:
        message = read_json(text)
    except BadCommandError:
        raise BadMessageError("expected JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise BadMessageError("expected an object with a type")
    return message


def parse_message(message: Message) -> Message:
    """Check the message of a client. Raises BadMessageError."""
    kind, payload = message["type"], message.get("payload")
    if kind in ("connection_init", "ping", "pong"):
        if payload is not None and not isinstance(payload, dict):
            raise BadMessageError(f'"{kind}" message expects "payload" to be an object')
        return message
    if kind not in ("subscribe", "complete"):
        raise BadMessageError("Unexpected message")
    if not isinstance(message.get("id"), str) or not message["id"]:
        raise BadMessageError(f'"{kind}" message expects "id" to be a text that is not empty')
    if kind == "complete":
        return message
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        raise BadMessageError('"subscribe" message expects "payload" with a "query"')
    if not isinstance(payload.get("operationName"), str | None):
        raise BadMessageError('"subscribe" message expects "operationName" to be a text')
    for name in ("variables", "extensions"):
        if not isinstance(payload.get(name), dict | None):
            raise BadMessageError(f'"subscribe" message expects "{name}" to be an object')
    return message
# #if auth


def token_in(params: Message) -> str | None:
    """Return the token of a connection_init: as `token`, or as in the header Authorization."""
    token = params.get("token")
    if isinstance(token, str):
        return token
    field = params.get("authorization", params.get("Authorization"))
    if not isinstance(field, str):
        return None
    scheme, _, rest = field.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else field
# #endif
