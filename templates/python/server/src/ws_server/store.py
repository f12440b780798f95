"""What clients have in common: channels, each with its entries, their positions, and users."""

import asyncio
import secrets
# #if resume
import time
# #endif
# #if history || live
from collections import deque
# #endif
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .config import Config
# #if resume
from .messages import Position
# #endif

# Memory of an entry, an id or a channel besides its text, and of a byte of text.
OVERHEAD = 256
MEMORY_PER_BYTE = 2
# #if resume
# Ids that are known of one channel; its users share them.
MAX_IDS = 10_000
# #endif
# What ends a subscription.
Unsubscribe = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Entry:
    """What was published: a JSON object as text. Offsets count up by one within an epoch."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Published:
    """What has become of a publication."""

    offset: int
    epoch: str
    # Whether its id was known: `offset` is that of the first time, and nobody got it again.
    is_duplicate: bool = False


# #if history || live
@dataclass(frozen=True, slots=True)
class Recovery:
    """The entries up to a position."""

    offset: int
    epoch: str
    entries: tuple[Entry, ...]
    # True: `entries` is everything after the position that was asked for.
    is_recovered: bool = False


# #endif
class Listener(Protocol):
    """Gets what happens in a channel, in order, whoever caused it."""

    def on_entry(self, entry: Entry) -> None:
        """Take what was published."""

    # #if presence
    def on_presence(self, user: str, *, is_there: bool) -> None:
        """Take note of a user who came to the channel, or left it."""

    # #endif
    # #if redis
    def on_lost(self) -> None:
        """Take note that entries are missing that cannot be had any more.

        What comes next belongs to another epoch.
        """

    # #if live
    def on_removed(self) -> None:
        """Take note that the document was removed that the channel is of."""

    # #endif
    # #endif


# #if redis && live
class DocumentStore(Protocol):
    """Where documents are whose patches are the entries of a channel of the same name."""

    async def load(self, name: str) -> tuple[Position, bytes] | None:
        """Return the position and the value as JSON; None if there is none."""

    async def commit(
        self, name: str, text: bytes, patch: bytes, expected: Position | None
    ) -> Position | bool:
        """Keep `text` and publish `patch` if it is at `expected`; without that, if there is none.

        Else False, or True if there are too many documents.
        """

    async def drop(self, name: str, expected: Position) -> bool:
        """Remove it if it is at `expected`."""


# #endif
class Store(Protocol):
    """Channels exist as soon as they are named. All is asynchronous, as others may share them."""

    # #if redis && live
    # Documents that several servers change; None: this process alone does.
    documents: DocumentStore | None

    # #endif
    async def publish(
        self,
        channel: str,
        data: bytes,
        # #if resume || pubsub
        *,
        # #endif
        # #if resume
        user: str = "",
        command_id: str | None = None,
        # #endif
        # #if pubsub
        owner: str = "",
        # #endif
    ) -> Published:
        # #if resume
        """Give `data` the next offset, keep it, and pass it to the listeners before it returns.

        The same id of the same user makes it the same publication when it comes again.
        """
        # #else
        #~ """Give `data` the next offset, keep it, and pass it to the listeners before it returns."""
        # #endif

    async def subscribe(self, channel: str, listener: Listener, owner: str) -> Unsubscribe:
        """Pass on what happens in `channel` until the returned function is called.

        If space is short, a channel without listeners of the same `owner` goes first.
        """

    # #if history || live
    async def recover(
        self,
        channel: str,
        # #if resume
        since: Position | None = None,
        # #endif
    ) -> Recovery:
        """Return the entries after `since`, or all that are kept if it is unknown or too old."""

    # #endif
    # #if presence
    async def enter(self, channel: str, user: str, owner: str) -> None:
        """Count one more connection of `user`; the first one is announced.

        It comes with a subscription of the same `owner`, maybe before it.
        """

    async def leave(self, channel: str, user: str, *, is_lost: bool) -> None:
        """Count one less; after the last one `user` is gone, after a grace time if it was lost."""

    async def users(self, channel: str) -> list[str]:
        """Return the names of users, longest present first."""

    # #endif


class MemoryStore:
    """Keeps everything in this process, in bounded space. A restart loses it: epochs are random."""

    def __init__(self, config: Config, space: Callable[[], float]) -> None:
        """Take at most the memory that `space` returns."""
        # #if redis && live
        self.documents: DocumentStore | None = None
        # #endif
        self._config = config
        self._space = space
        self._channels: dict[str, _Channel] = {}
        # Channels in which something was published, longest without an entry first.
        self._kept: dict[_Channel, None] = {}
        # Channels without listeners, longest first, with the timers that end them.
        self._idle: dict[_Channel, asyncio.TimerHandle] = {}
        self.size = 0
        # #if rooms || pubsub || live
        # Channels at which one without listeners is forgotten.
        self._most = 0
        # #endif
        # #if rooms
        self._most += config.max_rooms
        # #endif
        # #if pubsub
        self._most += config.max_streams
        # #endif
        # #if live
        self._most += config.max_documents
        # #endif

    async def publish(
        self,
        channel: str,
        data: bytes,
        # #if resume || pubsub
        *,
        # #endif
        # #if resume
        user: str = "",
        command_id: str | None = None,
        # #endif
        # #if pubsub
        owner: str = "",
        # #endif
    ) -> Published:
        """See Store."""
        # #if pubsub
        found = self._open(channel, owner)
        # #else
        #~ found = self._open(channel)
        # #endif
        # #if resume
        if command_id is not None:
            first = found.known(user, command_id)
            if first is not None:
                return Published(first, found.epoch, is_duplicate=True)
        # #endif
        entry = Entry(found.offset + 1, data)
        found.offset = entry.offset
        # #if history || live
        found.append(entry)
        # #endif
        # #if resume
        if command_id is not None:
            found.remember(user, command_id, entry.offset)
        # #endif
        self._kept.pop(found, None)
        self._kept[found] = None
        self.trim()
        for listener in list(found.listeners):
            listener.on_entry(entry)
        return Published(entry.offset, found.epoch)

    async def subscribe(self, channel: str, listener: Listener, owner: str) -> Unsubscribe:
        """See Store."""
        return self.listen(channel, listener, owner)

    def listen(self, channel: str, listener: Listener, owner: str) -> Unsubscribe:
        """Subscribe at once."""
        found = self._open(channel, owner, is_used=True)
        found.listeners.append(listener)
        found.owner = owner

        def end() -> None:
            if listener in found.listeners:
                found.listeners.remove(listener)
                if not found.listeners:
                    self._rest(found)

        return end

    # #if history || live
    async def recover(
        self,
        channel: str,
        # #if resume
        since: Position | None = None,
        # #endif
    ) -> Recovery:
        """See Store."""
        # #if resume
        return self._open(channel).recover(since)
        # #else
        #~ return self._open(channel).recover()
        # #endif

    # #endif
    # #if presence
    async def enter(self, channel: str, user: str, owner: str) -> None:
        """See Store."""
        found = self._open(channel, owner, is_used=True)
        present = found.users.get(user)
        if present is None:
            found.users[user] = _Present()
            found.announce(user, is_there=True)
            return
        present.end_grace()
        present.connections += 1

    async def leave(self, channel: str, user: str, *, is_lost: bool) -> None:
        """See Store."""
        found = self._channels.get(channel)
        present = found.users.get(user) if found is not None else None
        if found is None or present is None:
            return
        present.connections -= 1
        if present.connections > 0:
            return

        def remove() -> None:
            del found.users[user]
            found.announce(user, is_there=False)

        # Users in their grace time must not make a full room exceed its limit.
        if is_lost and len(found.users) <= self._config.max_room_members:
            grace = self._config.presence_grace / 1000
            present.grace = asyncio.get_running_loop().call_later(grace, remove)
        else:
            remove()

    async def users(self, channel: str) -> list[str]:
        """See Store."""
        found = self._channels.get(channel)
        return list(found.users) if found is not None else []

    # #endif
    def trim(self) -> None:
        """Make space: the channels longest without an entry lose their oldest ones first."""
        while self._kept and self.size > self._space():
            channel = next(iter(self._kept))
            if not channel.drop_oldest():
                del self._kept[channel]

    def _open(self, name: str, owner: str = "", *, is_used: bool = False) -> "_Channel":
        channel = self._channels.get(name)
        if channel is None:
            # #if rooms || pubsub || live
            if len(self._channels) >= self._most:
                self._forget_idle(owner)
            # #endif
            channel = _Channel(name, self, self._config)
            channel.owner = owner
            self._channels[name] = channel
            if not is_used:
                self._rest(channel)
        elif is_used:
            self._end_rest(channel)
        return channel

    def _rest(self, channel: "_Channel") -> None:
        """Keep a channel without listeners for a while."""
        # #if history || live
        seconds = self._config.history_ttl / 1000
        # #else
        #~ seconds = 60
        # #endif
        self._end_rest(channel)
        loop = asyncio.get_running_loop()
        self._idle[channel] = loop.call_later(seconds, self._forget, channel)

    # #if rooms || pubsub || live
    def _forget_idle(self, owner: str) -> None:
        """Forget the channel that has been idle longest, one of `owner` if there is one."""
        own = (channel for channel in self._idle if channel.owner == owner)
        found = next(own, next(iter(self._idle), None))
        if found is not None:
            self._forget(found)

    # #endif
    def _end_rest(self, channel: "_Channel") -> None:
        timer = self._idle.pop(channel, None)
        if timer is not None:
            timer.cancel()

    def _forget(self, channel: "_Channel") -> None:
        self._end_rest(channel)
        self._channels.pop(channel.name, None)
        self._kept.pop(channel, None)
        channel.end()


# #if presence
class _Present:
    """A user who is there, or in the grace time after that."""

    __slots__ = ("connections", "grace")

    def __init__(self) -> None:
        self.connections = 1
        self.grace: asyncio.TimerHandle | None = None

    def end_grace(self) -> None:
        if self.grace is not None:
            self.grace.cancel()
            self.grace = None


# #endif
class _Channel:
    """What is kept of one channel."""

    def __init__(self, name: str, store: MemoryStore, config: Config) -> None:
        self.name = name
        self.epoch = secrets.token_hex(8)
        self.listeners: list[Listener] = []
        # Who made it necessary.
        self.owner = ""
        self.offset = 0
        self._store = store
        self._config = config
        self._size = 0
        # #if history || live
        self._entries: deque[Entry] = deque()
        self._entry_size = 0
        # #endif
        # #if resume
        # The offset and time of each id, oldest first, by user, longest without a new one first.
        self._ids: dict[str, dict[str, tuple[int, float]]] = {}
        self._id_count = 0
        # The users of so many ids, and the largest number.
        self._by_ids: dict[int, dict[str, None]] = {}
        self._most_ids = 0
        # #endif
        # #if presence
        self.users: dict[str, _Present] = {}
        # #endif
        self._count(OVERHEAD + len(name) * MEMORY_PER_BYTE)

    def end(self) -> None:
        """Count no longer."""
        self._count(-self._size)
        # #if presence
        for present in self.users.values():
            present.end_grace()
        # #endif

    def _count(self, size: int) -> None:
        self._size += size
        self._store.size += size

    # #if history || live
    def append(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._entry_size += len(entry.data)
        self._count(OVERHEAD + len(entry.data) * MEMORY_PER_BYTE)
        config = self._config
        while (
            len(self._entries) > config.history_messages or self._entry_size > config.history_bytes
        ):
            self._drop_entry()

    # #if resume
    def recover(self, since: Position | None) -> Recovery:
        entries = tuple(self._entries)
        oldest = self.offset - len(entries)
        if since is None or since.epoch != self.epoch or not oldest <= since.offset <= self.offset:
            return Recovery(self.offset, self.epoch, entries)
        missed = entries[since.offset - oldest :]
        return Recovery(self.offset, self.epoch, missed, is_recovered=True)

    # #else
    #~ def recover(self) -> Recovery:
    #~     return Recovery(self.offset, self.epoch, tuple(self._entries))
    #~
    # #endif
    def _drop_entry(self) -> None:
        entry = self._entries.popleft()
        self._entry_size -= len(entry.data)
        self._count(-OVERHEAD - len(entry.data) * MEMORY_PER_BYTE)

    # #endif
    # #if resume
    def known(self, user: str, command_id: str) -> int | None:
        """Return the offset of the publication with this id of `user` within RESUME_WINDOW."""
        oldest = time.monotonic() - self._config.resume_window / 1000
        while self._ids and self._drop_ids(next(iter(self._ids)), oldest):
            pass
        self._drop_ids(user, oldest)
        found = self._ids.get(user, {}).get(command_id)
        return found[0] if found is not None else None

    def remember(self, user: str, command_id: str, offset: int) -> None:
        if self._id_count >= MAX_IDS:
            self._drop_id(self._who_has_most(user))
        ids = self._ids.pop(user, {})
        ids[command_id] = (offset, time.monotonic())
        self._ids[user] = ids
        self._id_count += 1
        self._recount(user, len(ids))
        self._most_ids = max(self._most_ids, len(ids))
        self._count(OVERHEAD + (len(user) + len(command_id)) * MEMORY_PER_BYTE)

    def _drop_ids(self, user: str, oldest: float) -> bool:
        """Drop the ids of `user` from before `oldest`; whether those were all."""
        while (ids := self._ids.get(user)) is not None:
            _, at = next(iter(ids.values()))
            if at >= oldest:
                return False
            self._drop_id(user)
        return True

    def _drop_id(self, user: str) -> None:
        """Drop the oldest id of `user`."""
        ids = self._ids[user]
        command_id = next(iter(ids))
        del ids[command_id]
        if not ids:
            del self._ids[user]
        self._id_count -= 1
        self._recount(user, len(ids))
        if self._most_ids not in self._by_ids:
            self._most_ids -= 1
        self._count(-OVERHEAD - (len(user) + len(command_id)) * MEMORY_PER_BYTE)

    def _recount(self, user: str, count: int) -> None:
        """Take that `user` has so many ids, one more or less than before."""
        for before in (count - 1, count + 1):
            users = self._by_ids.get(before, {})
            users.pop(user, None)
            if not users:
                self._by_ids.pop(before, None)
        if count > 0:
            self._by_ids.setdefault(count, {})[user] = None

    def _who_has_most(self, user: str) -> str:
        """Return whose id gives way to one of `user`: nobody loses one within his share."""
        own = len(self._ids.get(user, {}))
        if own * len(self._ids) >= MAX_IDS:
            return user
        return next(iter(self._by_ids[self._most_ids]))

    # #endif
    def drop_oldest(self) -> bool:
        """Drop what was kept longest; False if there is nothing."""
        # #if history || live
        if self._entries:
            self._drop_entry()
            return True
        # #endif
        # #if resume
        if self._ids:
            self._drop_id(next(iter(self._ids)))
            return True
        # #endif
        return False

    # #if presence
    def announce(self, user: str, *, is_there: bool) -> None:
        for listener in list(self.listeners):
            listener.on_presence(user, is_there=is_there)

    # #endif
