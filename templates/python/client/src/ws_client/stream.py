"""Positions, gaps and duplicates: each event once and in order, or word of a gap."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, Literal, Protocol

from .feed import E, Feed
from .messages import (
    ClientError,
    Joined,
    MalformedError,
    Message,
    Position,
    Recovered,
    Refused,
    count_of,
    objects,
    position_in,
)

Common = Joined | Recovered | Refused

# Events that wait for the answer to a command, at most.
MAX_HELD = 10_000


class Host(Protocol):
    """What a stream may ask of the client that it belongs to."""

    def ask(self, stream: "Stream[E]") -> None:
        """Send the command for the stream's events, from `stream.since` on."""

    def leave(self, stream: "Stream[E]") -> None:
        """Send the command for no more of them."""

    def restart(self, reason: str) -> None:
        """Make another connection: only that can tell what is lost."""


class Stream(ABC, Generic[E]):
    """Events with offsets that count up: those of a room, a subscription or a document."""

    # Whether it gets every event of its sequence.
    has_every_offset = True

    def __init__(self, name: str, host: Host) -> None:
        """Wait for a connection."""
        self.name = name
        self.status: Literal["new", "asked", "joined", "refused"] = "new"
        self.feeds: list[Feed[E | Common]] = []
        self._host = host
        # Of the last event that was given on.
        self._offset: int | None = None
        self._epoch: str | None = None
        self._asked: Position | None = None
        self._held: list[Message] = []
        self._was_joined = False

    @property
    def since(self) -> Position | None:
        """Where to continue; None when nothing is known."""
        if self._offset is None or self._epoch is None:
            return None
        return Position(self._offset, self._epoch)

    def emit(self, event: E | Common) -> None:
        """Give an event to all readers."""
        for feed in self.feeds:
            feed.put(event)

    def left(self, feed: Feed[E | Common]) -> None:
        """Take that a reader wants no more events."""
        if feed in self.feeds:
            self.feeds.remove(feed)
            if not self.feeds:
                self._host.leave(self)

    def asked(self, since: Position | None) -> None:
        """Take that the command was sent."""
        self.status = "asked"
        self._asked = since
        self._held = []

    def lost(self) -> None:
        """Take that the connection is gone."""
        self.status = "new"
        self._held = []

    def refused(self, error: ClientError) -> None:
        """Take that the server lets nobody in."""
        self.status = "refused"
        self.emit(Refused(error))

    def accept(self, reply: Message) -> None:
        """Take the answer to the command."""
        position = position_in(reply)
        asked = self._asked
        is_same = asked is not None and position is not None and asked.epoch == position.epoch
        events = self.events_in(reply)
        is_continued = (
            reply.get("recovered") is True
            and is_same
            and self._is_complete(events, asked, position)
        )
        if self._was_joined:
            self.emit(Recovered(is_continued))
        self._was_joined = True
        self._epoch = None if position is None else position.epoch
        if is_continued and asked is not None:
            self._offset = asked.offset
        else:
            self._offset = self.restore(reply, position, asked)
        self.status = "joined"
        for event in events:
            self._give_new(event)
        if position is not None:
            self._offset = max(self._offset or 0, position.offset)
        self.emit(Joined())
        held, self._held = self._held, []
        for event in held:
            self.handle(event)

    def handle(self, event: Message) -> None:
        """Take an event of the server."""
        if self.status == "asked":
            self._held.append(event)
            if len(self._held) > MAX_HELD:
                self._host.restart("too many events")
        if self.status != "joined":
            return
        offset = count_of(event.get("offset"))
        if offset is None or self._offset is None or offset == self._offset + 1:
            self._give_new(event)
        elif offset > self._offset:
            self._handle_later(event)

    def passed(self, offset: object) -> None:
        """Take that nothing of the same sequence before `offset` is still to come."""
        number = count_of(offset)
        if self.status == "joined" and self._offset is not None and number is not None:
            self._offset = max(self._offset, number)

    def ask_again(self, *, from_start: bool = False) -> None:
        """Ask on the same connection."""
        if from_start:
            self._offset = None
        self._host.ask(self)

    def _handle_later(self, event: Message) -> None:
        if self.has_every_offset and self.since is not None:
            self.ask_again()
            self.handle(event)
            return
        # Without resume the server cannot fill the gap.
        if self.has_every_offset:
            self.emit(Recovered(recovered=False))
        self._give_new(event)

    def _give_new(self, event: Message) -> None:
        before, offset = self._offset, count_of(event.get("offset"))
        if offset is not None:
            if before is not None and offset <= before:
                return
            self._offset = offset
        try:
            self.give(event)
        except MalformedError:
            # It was not given: the next connection asks for it.
            self._offset = before
            raise

    def _is_complete(
        self, events: Iterable[Message], start: Position | None, end: Position | None
    ) -> bool:
        """Return whether `events` lead from `start` to `end` without a gap."""
        if start is None or end is None:
            return False
        at = start.offset
        for event in events:
            offset = count_of(event.get("offset"))
            if offset is None:
                return False
            if offset <= at:
                continue
            if self.has_every_offset and offset != at + 1:
                return False
            at = offset
        return at == end.offset if self.has_every_offset else at <= end.offset

    def restore(
        self, reply: Message, position: Position | None, since: Position | None
    ) -> int | None:
        """Start anew; return the offset before the first event of the reply, if it is known."""
        del reply, position, since
        return None

    def events_in(self, reply: Message) -> list[Message]:
        """Return the events that a reply brings along."""
        return objects(reply, "messages")

    @abstractmethod
    def give(self, event: Message) -> None:
        """Take a new event, in order."""
