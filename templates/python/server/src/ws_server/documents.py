"""The documents of this server, changed one step after the other."""

import asyncio
import json
from collections.abc import Awaitable, Callable
# #if redis
from dataclasses import dataclass, field, replace
# #else
#~ from dataclasses import dataclass
# #endif
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from .config import Config
from .json_patch import (
    Patch,
    PatchError,
    apply_patch,
    fault_of_document,
    is_equal,
    patch_between,
    read_patch,
)
from .messages import Position, encode, is_name
# #if redis
from .redis_link import RedisDownError, report
# #endif
from .store import Entry, Recovery, Store

Result = TypeVar("Result")

# Operations of the longest patch.
MAX_OPERATIONS = 1000
# Of MEMORY_BUDGET, for the bytes of all documents: each takes several times that as a value.
SHARE = 1 / 8
_STATUS = {"invalid": 400, "conflict": 409, "too large": 413}
# #if redis
# How often a change is tried anew whose document others change at the same time.
MAX_ATTEMPTS = 50
# #endif


class DocumentError(Exception):
    """Why a document cannot be had or changed, as an HTTP status (RFC 9110 section 15)."""

    def __init__(self, status: int, message: str) -> None:
        """Say what is wrong."""
        super().__init__(message)
        self.status = status


# #if redis
class _ConflictError(Exception):
    """Another server has changed the document first."""


# #endif
@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is at a position."""

    name: str
    position: Position
    data: Any
    # `data` as JSON.
    text: bytes
    # Ends that the store keeps its patches.
    release: Callable[[], None]


class Watcher(Protocol):
    """Gets what happens to documents, in order."""

    def on_patch(self, document: Document, patch: bytes) -> None:
        """Take note that `patch`, as JSON, has made `document`."""

    def on_removed(self, name: str) -> None:
        """Take note that there is no such document any more."""

    # #if redis
    def on_replaced(self, document: Document) -> None:
        """Take note that it is this one now; what led there is not known."""

    def is_watched(self, name: str) -> bool:
        """Whether anybody gets what happens to a document."""

    # #endif


class Documents:
    # #if redis
    """Positions and patches are in the store.

    Unless the store has the documents, too, this process alone changes them.
    """

    # #else
    #~ """Positions and patches are in the store; this process alone changes the documents."""
    #~
    # #endif
    def __init__(self, config: Config, store: Store, watcher: Watcher) -> None:
        """Start without any."""
        self._config = config
        self._store = store
        self._watcher = watcher
        self._documents: dict[str, Document] = {}
        # By document, while something is under way.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Bytes of all documents as JSON.
        self._size = 0
        # #if redis
        self._reloading: set[asyncio.Task[None]] = set()
        # #endif

    def get(self, name: str) -> Document | None:
        # #if redis
        """Return a document, if this process has it."""
        # #else
        #~ """Return a document."""
        # #endif
        return self._documents.get(name)

    # #if redis
    async def open(self, name: str) -> Document | None:
        """Return a document, wherever it is: this process has it then, with all changes."""
        present, shared = self.get(name), self._store.documents
        if present is not None or shared is None or not is_name(name):
            return present
        follower = _Follower(self, name)
        release = await self._store.subscribe(name, follower, "")
        loaded = None
        try:
            while not follower.is_sure:
                follower.is_sure = True
                loaded = await shared.load(name)
        finally:
            # Another may have opened it meanwhile.
            present = self.get(name)
            if loaded is None or present is not None:
                release()
        if loaded is None or present is not None:
            return present
        self._make_space()
        position, text = loaded
        self._set(Document(name, position, json.loads(text), text, release))
        for entry in follower.early:
            self.apply(name, entry)
        return self.get(name)

    def apply(self, name: str, entry: Entry) -> None:
        """Make a change that is in the store."""
        present = self.get(name)
        if present is None or entry.offset <= present.position.offset:
            return
        if entry.offset != present.position.offset + 1:
            self.reload(name)
            return
        try:
            limit = self._config.max_document_bytes
            data = apply_patch(present.data, json.loads(entry.data), limit)
        except (PatchError, ValueError):
            self.reload(name)
            return
        position = Position(entry.offset, present.position.epoch)
        document = replace(present, position=position, data=data, text=encode(data))
        self._set(document)
        self._watcher.on_patch(document, entry.data)

    def reload(self, name: str) -> None:
        """Take the document as it is in the store; who watches it gets the whole."""
        task = asyncio.create_task(self._reload_reported(name))
        self._reloading.add(task)
        task.add_done_callback(self._reloading.discard)

    async def _reload_reported(self, name: str) -> None:
        try:
            await self._reload(name)
        except Exception as error:  # noqa: BLE001 -- when Redis is back, it is tried again
            report(error)

    async def _reload(self, name: str) -> None:
        present, shared = self.get(name), self._store.documents
        if present is None or shared is None:
            return
        loaded = await shared.load(name)
        known = self.get(name)
        if known is None or known.release is not present.release:
            return
        if loaded is None:
            self.forget(name, is_removed=True)
            return
        position, text = loaded
        if known.position.epoch == position.epoch and known.position.offset >= position.offset:
            return
        document = replace(known, position=position, data=json.loads(text), text=text)
        self._set(document)
        self._watcher.on_replaced(document)

    def forget(self, name: str, *, is_removed: bool) -> None:
        """Keep a document no longer; `is_removed`: there is none any more."""
        present = self._documents.pop(name, None)
        if present is None:
            return
        self._size -= len(present.text)
        present.release()
        if is_removed:
            self._watcher.on_removed(name)

    def _set(self, document: Document) -> None:
        present = self.get(document.name)
        self._size += len(document.text) - (len(present.text) if present is not None else 0)
        self._documents[document.name] = document

    def _make_space(self) -> None:
        """Forget a document that nobody watches, for another one."""
        if len(self._documents) < self._config.max_documents:
            return
        free = (name for name in self._documents if not self._watcher.is_watched(name))
        name = next(free, None)
        if name is not None:
            self.forget(name, is_removed=False)

    async def _repeat(self, name: str, step: Callable[[], Awaitable[Result]]) -> Result:
        """Do it again after what others did at the same time."""
        for attempt in range(MAX_ATTEMPTS):
            try:
                if attempt > 0:
                    await self._reload(name)
                return await step()
            except _ConflictError:
                continue
            except RedisDownError as error:
                raise DocumentError(503, "the documents are out of reach") from error
        raise DocumentError(409, "others change the document all the time")

    # #endif
    async def put(self, name: str, data: object, expected: str | None = None) -> Position:
        """Create or replace a document; who watches it gets the difference.

        With `expected`, only if that is its position, written as `epoch:offset`, or if that is `*`
        and it exists (RFC 9110 section 13.1.1). Raises DocumentError.
        """
        if not is_name(name):
            raise DocumentError(400, "expected a name")
        fault = fault_of_document(data)
        if fault is not None:
            raise DocumentError(400, fault)
        # What the caller changes later is no change of the document.
        after = json.loads(encode(data))

        async def step() -> Position:
            # #if redis
            present = await self.open(name)
            # #else
            #~ present = self.get(name)
            # #endif
            _expect(present, expected)
            if present is None:
                if len(self._documents) >= self._config.max_documents:
                    raise DocumentError(413, "there are MAX_DOCUMENTS documents")
                whole = [{"op": "add", "path": "", "value": after}]
                return await self._publish(name, after, whole)
            if is_equal(present.data, after):
                return present.position
            difference = patch_between(present.data, after, MAX_OPERATIONS)
            return await self._publish(name, after, difference)

        return await self.turn(name, step)

    async def patch(self, name: str, operations: object, expected: str | None = None) -> Position:
        """Change a document: all of the patch (RFC 6902) or nothing. Raises DocumentError."""

        async def step() -> Position:
            # #if redis
            present = await self.open(name)
            # #else
            #~ present = self.get(name)
            # #endif
            if present is None:
                raise DocumentError(404, f"there is no document {name}")
            _expect(present, expected)
            try:
                # What the caller changes later is no change of the document.
                patch = json.loads(encode(read_patch(operations, MAX_OPERATIONS)))
                data = apply_patch(present.data, patch, self._config.max_document_bytes)
            except PatchError as error:
                raise DocumentError(_STATUS[error.why], str(error)) from error
            if data is present.data:
                return present.position
            fault = fault_of_document(data)
            if fault is not None:
                raise DocumentError(400, fault)
            return await self._publish(name, data, patch)

        return await self.turn(name, step)

    async def remove(self, name: str, expected: str | None = None) -> Position | None:
        """Remove a document; its last position, None if there is none. Raises DocumentError."""

        async def step() -> Position | None:
            # #if redis
            present = await self.open(name)
            # #else
            #~ present = self.get(name)
            # #endif
            _expect(present, expected)
            if present is None:
                return None
            # #if redis
            shared = self._store.documents
            if shared is not None and not await shared.drop(name, present.position):
                raise _ConflictError
            self.forget(name, is_removed=True)
            # #else
            #~ del self._documents[name]
            #~ self._size -= len(present.text)
            #~ present.release()
            #~ self._watcher.on_removed(name)
            # #endif
            return present.position

        return await self.turn(name, step)

    async def recover(self, name: str, since: Position | None) -> Recovery:
        """Return the patches after `since` of a document as it is now: call it in its turn."""
        return await self._store.recover(name, since)

    async def turn(self, name: str, step: Callable[[], Awaitable[Result]]) -> Result:
        """Run a step when nothing else happens to a document."""
        lock = self._turns.get(name) or asyncio.Lock()
        self._turns[name] = lock
        async with lock:
            # #if redis
            return await self._repeat(name, step)
            # #else
            #~ return await step()
            # #endif

    async def _publish(self, name: str, data: object, patch: Patch) -> Position:
        text = encode(data)
        limit = self._config.max_document_bytes
        if len(text) > limit:
            raise DocumentError(413, f"expected at most {limit} bytes")
        present = self.get(name)
        size = self._size + len(text) - (len(present.text) if present is not None else 0)
        if size > self._config.memory_budget * SHARE:
            raise DocumentError(413, "all documents together are too large for MEMORY_BUDGET")
        # #if redis
        if self._store.documents is not None:
            expected = present.position if present is not None else None
            committed = await self._store.documents.commit(name, text, encode(patch), expected)
            if isinstance(committed, Position):
                return committed
            if committed:
                raise DocumentError(413, "there are MAX_DOCUMENTS documents")
            raise _ConflictError
        # #endif
        if present is None:
            release = await self._store.subscribe(name, _Kept(), "")
        else:
            release = present.release
        change = encode(patch)
        published = await self._store.publish(name, change)
        position = Position(published.offset, published.epoch)
        document = Document(name, position, data, text, release)
        self._documents[name] = document
        self._size = size
        self._watcher.on_patch(document, change)
        return position


class _Kept:
    """Listens, so that a channel is kept."""

    def on_entry(self, entry: Entry) -> None:
        """See Listener."""

    # #if presence
    def on_presence(self, user: str, *, is_there: bool) -> None:
        """See Listener."""

    # #endif
    # #if redis
    def on_lost(self) -> None:
        """See Listener."""

    def on_removed(self) -> None:
        """See Listener."""


@dataclass(slots=True, eq=False)
class _Follower:
    """Makes the changes of other servers."""

    documents: Documents
    name: str
    # What comes before the document itself.
    early: list[Entry] = field(default_factory=list)
    # Nothing but entries has come since the document was asked for.
    is_sure: bool = False

    def on_entry(self, entry: Entry) -> None:
        """See Listener."""
        if self.documents.get(self.name) is None:
            self.early.append(entry)
        else:
            self.documents.apply(self.name, entry)

    # #if presence
    def on_presence(self, user: str, *, is_there: bool) -> None:
        """See Listener."""

    # #endif
    def on_lost(self) -> None:
        """See Listener."""
        self._begin_anew()
        self.documents.reload(self.name)

    def on_removed(self) -> None:
        """See Listener."""
        self._begin_anew()
        self.documents.forget(self.name, is_removed=True)

    def _begin_anew(self) -> None:
        self.early.clear()
        self.is_sure = False

    # #endif


def _expect(present: Document | None, expected: str | None) -> None:
    if expected is None or (expected == "*" and present is not None):
        return
    position = present.position if present is not None else Position(0, "")
    if expected != f"{position.epoch}:{position.offset}":
        raise DocumentError(412, "the document is at another position")
