"""Changes of documents for those who watch them."""

# #if redis
import asyncio
# #endif
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from .application import Context
from .authorization import is_allowed
from .client import Client
from .documents import Document, DocumentError, Documents
from .frame import Frame
from .guards import check_publisher, read_body, refused
from .handlers.documents import start
from .handshake import Refusal
from .messages import (
    COMMON_COMMANDS,
    COMMON_FEATURES,
    NAME,
    Command,
    Field,
    Form,
    Position,
    answer,
    encode,
    position,
)
# #if redis
from .redis_link import DOWN_RETRY_AFTER, StoreFullError
# #endif
from .routes import Answer, HttpRequest, Route, problem

# Cost of a watch in messages of the rate limit: the reply may hold a whole document.
WATCH_COST = 10
# #if redis
# Seconds after which documents are created that could not be.
START_AGAIN = 1
# #endif
# Bytes of the largest body over HTTP.
MAX_BODY = 65_536
PATCH_TYPE = "application/json-patch+json"

Call = Callable[[HttpRequest, str, str | None], Awaitable[Answer]]

COMMANDS: Mapping[str, Form] = {
    **COMMON_COMMANDS,
    # With the last position that the client knows, it gets the patches after it.
    "watch": {"document": NAME, "since": Field(position, is_required=False)},
    "unwatch": {"document": NAME},
}


class LiveUpdates:
    """The application `live-updates.v1`."""

    commands = COMMANDS
    features = ("resume", *COMMON_FEATURES)

    def __init__(self, context: Context) -> None:
        """Start without documents."""
        self._config = context.config
        # #if metrics
        self._metrics = context.metrics
        # #endif
        self.documents = Documents(context.config, context.store, self)
        # #if redis
        self._spawn = context.spawn
        # #endif
        # Who watches a document, and whether it is behind: patches were left out, and it gets one
        # snapshot as soon as it has read the rest.
        self._watches: dict[str, dict[Client, bool]] = {}
        self._names: dict[Client, dict[str, None]] = {}
        path = re.compile("/documents/([^/]+)")
        self.routes = tuple(
            Route(method, path, partial(self._answer, call), max_body=MAX_BODY)
            for method, call in (
                ("GET", self._get),
                ("PUT", self._put),
                ("PATCH", self._patch),
                ("DELETE", self._delete),
            )
        )

    # #if metrics
    @property
    def room_count(self) -> int:
        """How many documents are watched."""
        return len(self._watches)

    # #endif
    async def start(self) -> None:
        """See Application."""
        # #if redis
        try:
            await start(self.documents, is_demo=self._config.demo)
        except (DocumentError, StoreFullError) as error:
            if isinstance(error, DocumentError) and error.status != 503:
                raise
            # They will be there when Redis is, or has space.
            self._spawn(self._start_again())
        # #else
        #~ await start(self.documents, is_demo=self._config.demo)
        # #endif

    # #if redis
    async def _start_again(self) -> None:
        await asyncio.sleep(START_AGAIN)
        await self.start()

    # #endif

    def open(self, client: Client) -> None:
        """See Application."""
        client.on_drained = partial(self._catch_up, client)

    async def receive(self, client: Client, command: Command) -> None:
        """See Application."""
        name = command["document"]
        if command["type"] == "watch":
            await self._watch(client, command)
        elif self._end(client, name):
            client.send(answer(command, "unwatched", document=name))
        else:
            client.fail(command, "not_watching", f"not watching {name}")

    def cost_of(self, command: Command) -> int:
        """See Application."""
        return WATCH_COST if command["type"] == "watch" else 1

    # #if auth
    async def refresh(self, client: Client) -> None:
        """See Application."""
        for name in list(self._names.get(client, ())):
            is_open = await is_allowed(client.identity, "watch", name)
            if not is_open and self._end(client, name):
                client.send({"type": "unwatched", "document": name, "code": "forbidden"})

    # #endif
    def close(self, client: Client) -> None:
        """See Application."""
        for name in list(self._names.get(client, ())):
            self._end(client, name)

    def drain(self) -> None:
        """See Application."""

    # What happens to documents.

    def on_patch(self, document: Document, patch: bytes) -> None:
        """Send a patch to all who read fast enough, or the whole document where that is less."""
        if document.name not in self._watches:
            return
        if len(patch) > len(document.text):
            frame = _snapshot(document)
        else:
            head = {"type": "patch", "document": document.name, "offset": document.position.offset}
            frame = Frame("patch", b'%b,"patch":%b}' % (encode(head)[:-1], patch))
        self._spread(document, frame)

    def on_removed(self, name: str) -> None:
        """Tell who watches it."""
        removed = Frame.of({"type": "removed", "document": name})
        for client in list(self._watches.get(name, ())):
            client.deliver(removed)
            self._end(client, name)

    # #if redis
    def on_replaced(self, document: Document) -> None:
        """Send the whole document to all who watch it."""
        self._spread(document, _snapshot(document))

    def is_watched(self, name: str) -> bool:
        """Whether anybody watches a document."""
        return name in self._watches

    # #endif
    def _spread(self, document: Document, frame: Frame) -> None:
        watches = self._watches.get(document.name, {})
        for client, is_behind in list(watches.items()):
            if not is_behind and client.has_space_for(frame):
                client.deliver(frame)
            else:
                watches[client] = True

    def _catch_up(self, client: Client) -> None:
        """Send documents that a client is behind with anew: it has read everything else."""
        for name in list(self._names.get(client, ())):
            document = self.documents.get(name)
            if document is not None and self._watches[name][client]:
                self._watches[name][client] = False
                client.deliver(_snapshot(document))
                if client.is_waiting:
                    return

    # Commands.

    async def _watch(self, client: Client, command: Command) -> None:
        name = command["document"]
        if not await is_allowed(client.identity, "watch", name):
            client.fail(command, "forbidden", f"you may not watch {name}")
            return
        since: Position | None = command.get("since")

        # In its turn: nothing is changed between the reply and the first patch after it.
        async def step() -> None:
            # #if redis
            await self.documents.open(name)
            # #endif
            recovery = await self.documents.recover(name, since)
            document = self.documents.get(name)
            if not client.is_open:
                return
            if document is None:
                client.fail(command, "no_such_document", f"there is no document {name}")
                return
            if not self._begin(client, name):
                client.fail(command, "too_many_watches", "unwatch another document first")
                return
            # #if redis
            # It may have been changed elsewhere since.
            is_recovered = recovery.is_recovered and document.position == Position(
                recovery.offset, recovery.epoch
            )
            # #else
            #~ is_recovered = recovery.is_recovered
            # #endif
            # #if metrics
            if since is not None:
                self._metrics.recoveries[str(is_recovered).lower()] += 1
            # #endif
            watching = answer(
                command,
                "watching",
                document=name,
                position=document.position.to_json(),
                recovered=is_recovered,
            )
            rest = b'"data":%b' % document.text
            if is_recovered:
                patches = (
                    b'{"offset":%d,"patch":%b}' % (entry.offset, entry.data)
                    for entry in recovery.entries
                )
                rest = b'"patches":[%b]' % b",".join(patches)
            client.deliver(Frame("watching", b"%b,%b}" % (encode(watching)[:-1], rest)))

        # #if redis
        try:
            await self.documents.turn(name, step)
        except DocumentError as error:
            wait = DOWN_RETRY_AFTER
            client.fail(command, "unavailable", str(error), retryAfterMs=wait)
        # #else
        #~ await self.documents.turn(name, step)
        # #endif

    def _begin(self, client: Client, name: str) -> bool:
        """Let a client watch a document; False if it watches too many."""
        names = self._names.get(client, {})
        if name not in names and len(names) >= self._config.max_watches_per_client:
            return False
        names[name] = None
        self._names[client] = names
        self._watches.setdefault(name, {})[client] = False
        return True

    def _end(self, client: Client, name: str) -> bool:
        """End a watch; False if there is none."""
        names = self._names.get(client, {})
        if name not in names:
            return False
        del names[name]
        if not names:
            del self._names[client]
        watches = self._watches[name]
        del watches[client]
        if not watches:
            del self._watches[name]
        return True

    # HTTP.

    async def _answer(self, call: Call, request: HttpRequest, name: str) -> Answer:
        expected = request.head.get("if-match")
        if expected is not None and len(expected) > 1 and expected[0] == expected[-1] == '"':
            expected = expected[1:-1]
        try:
            check_publisher(request, self._config)
            return await call(request, name, expected)
        except Refusal as refusal:
            return refused(request, refusal)
        except DocumentError as error:
            return problem(error.status, str(error))
        except ValueError as error:
            return problem(400, str(error))

    async def _get(self, _: HttpRequest, name: str, __: str | None) -> Answer:
        # #if redis
        document = await self.documents.turn(name, partial(self.documents.open, name))
        # #else
        #~ document = self.documents.get(name)
        # #endif
        if document is None:
            raise DocumentError(404, f"there is no document {name}")
        return _positioned(document.position, data=document.data)

    async def _put(self, request: HttpRequest, name: str, expected: str | None) -> Answer:
        return _positioned(await self.documents.put(name, read_body(request), expected))

    async def _patch(self, request: HttpRequest, name: str, expected: str | None) -> Answer:
        kind = (request.head.get("content-type") or "").partition(";")[0].strip().lower()
        if kind != PATCH_TYPE:
            raise Refusal(415, f"expected {PATCH_TYPE}", {"Accept-Patch": PATCH_TYPE})
        return _positioned(await self.documents.patch(name, read_body(request), expected))

    async def _delete(self, _: HttpRequest, name: str, expected: str | None) -> Answer:
        last = await self.documents.remove(name, expected)
        if last is None:
            raise DocumentError(404, f"there is no document {name}")
        return _positioned(last)


def _positioned(at: Position, **body: object) -> Answer:
    return Answer(200, {"position": at.to_json(), **body}, {"ETag": f'"{at.epoch}:{at.offset}"'})


def _snapshot(document: Document) -> Frame:
    head = {
        "type": "snapshot",
        "document": document.name,
        "position": document.position.to_json(),
    }
    return Frame("snapshot", b'%b,"data":%b}' % (encode(head)[:-1], document.text))
