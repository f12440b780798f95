"""A client of live-updates servers."""

from typing import Any

from .client import Client, Reader, Words
from .json_patch import PatchError, apply_patch
from .messages import (
    Change,
    Message,
    Position,
    Removed,
    count_of,
    field,
    objects,
    position_in,
)
from .stream import Stream

Event = Change | Removed


class _DocumentStream(Stream[Event]):
    data: Any = None
    has_data = False
    # A patch did not apply: only the whole document helps.
    _is_broken = False

    @property
    def since(self) -> Position | None:
        return None if self._is_broken or not self.has_data else super().since

    def accept(self, reply: Message) -> None:
        super().accept(reply)
        if self._is_broken and self.status == "joined":
            self.ask_again(from_start=True)

    def replace(self, event: Message) -> None:
        """Take the whole document, in place of patches: only its newest state counts."""
        position = position_in(event)
        if self.status != "joined" or position is None or "data" not in event:
            return
        since = super().since
        if since is None or position.epoch != since.epoch:
            self.asked(None)
            self.accept(event)
        elif position.offset > since.offset:
            self.passed(position.offset)
            self._set(event["data"], position.offset)

    def remove(self) -> None:
        self.data, self.has_data = None, False
        self.emit(Removed())

    def events_in(self, reply: Message) -> list[Message]:
        return objects(reply, "patches") if reply.get("recovered") is True else []

    def restore(
        self, reply: Message, position: Position | None, since: Position | None
    ) -> int | None:
        self._is_broken = "data" not in reply
        # Patches with a gap: the whole document is asked for, once.
        if self._is_broken and since is None:
            self._host.restart("there is no document")
        if not self._is_broken:
            self._set(reply["data"], 0 if position is None else position.offset)
        return None if position is None else position.offset

    def give(self, event: Message) -> None:
        if self._is_broken:
            return
        field(event, "patch", list)
        patch = objects(event, "patch")
        try:
            if not self.has_data:
                raise PatchError("there is no document")
            data = apply_patch(self.data, patch)
        except PatchError:
            self._is_broken = True
            self.ask_again(from_start=True)
            return
        self._set(data, count_of(event.get("offset")) or 0, patch)

    def _set(self, data: object, offset: int, patch: list[Message] | None = None) -> None:
        self.data, self.has_data = data, True
        self.emit(Change(data, offset, patch))


class Document(Reader[Event]):
    """A document of the server, kept up to date."""

    def __init__(self, stream: _DocumentStream, limit: int) -> None:
        """Read from now on; what is there already comes first."""
        super().__init__(stream, limit)
        self._document = stream

    @property
    def data(self) -> Any:  # noqa: ANN401 -- any JSON
        """What the document holds, never changed in place; None before it came and once removed."""
        return self._document.data


class LiveUpdatesClient(Client[_DocumentStream]):
    """A client of a live-updates server."""

    words = Words("live-updates.v1", "watch", "watching", "unwatch", "unwatched", "document")
    always_resumes = True

    def watch(self, document: str) -> Document:
        """Keep `document` up to date, over reconnects, until `leave` of what is returned."""
        stream = self._open(_DocumentStream(document, self))
        return Document(stream, self.options.max_events)

    def _handle(self, message: Message) -> None:
        stream = self._streams.get(str(message.get("document")))
        if stream is None:
            return
        match message["type"]:
            case "patch":
                stream.handle(message)
            case "snapshot":
                stream.replace(message)
            case "removed":
                stream.remove()
