"""What clients have in common, in a Redis: for all servers with the same REDIS_PREFIX."""

import asyncio
import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from .config import Config
from .log import log
from .messages import Position
# #if live
from .redis_documents import RedisDocuments
# #endif
from .redis_link import RedisDownError, RedisLink, read_script, report
from .store import (
    # #if live
    DocumentStore,
    # #endif
    Entry,
    Listener,
    MemoryStore,
    Published,
    Recovery,
    Unsubscribe,
)

PUBLISH, OPEN, READ = (read_script(name) for name in ("publish", "open", "read"))
# #if presence
ENTER, EXIT, LIST = (read_script(name) for name in ("enter", "exit", "list"))
# #endif

# Milliseconds for which what was published without an id is known, should it be sent again.
UNNAMED_WINDOW = 60_000
# Channels that are looked at together.
AT_ONCE = 50


T = TypeVar("T")


class RedisStore:
    """A Store. While Redis is out of reach, a channel that is used becomes one of this process.

    It has another epoch then, and what was published in it is forgotten when Redis is back. Each
    time, `on_lost` of its listeners is called.
    """

    def __init__(
        self, config: Config, link: RedisLink, create_memory: Callable[[], MemoryStore]
    ) -> None:
        """Keep what is published while Redis is out of reach in what `create_memory` returns."""
        self._config = config
        self._link = link
        self._create_memory = create_memory
        self._memory = create_memory()
        self._channels: dict[str, _Channel] = {}
        # This process, and its publications.
        self._node = secrets.token_hex(8)
        self._publications = 0
        self._checking: asyncio.Task[None] | None = None
        # #if presence
        # Connections of the users of this process, by channel.
        self._users: dict[str, dict[str, int]] = {}
        # #endif
        # #if live
        ttl = self._ttl(config.history_ttl)
        self.documents: DocumentStore | None = RedisDocuments(config, link, self._key, ttl)
        # #endif
        link.on_up(self._reopen)

    async def publish(
        self,
        channel: str,
        data: bytes,
        *,
        user: str = "",
        command_id: str | None = None,
        # #if pubsub
        owner: str = "",
        # #endif
    ) -> Published:
        """See Store."""
        await self._opened(channel)
        self._publications += 1
        attempt = f"{self._node}{self._publications}"
        if not self._is_local(channel):
            with self._leaving(channel):
                return await self._publish(channel, data, user, command_id, attempt)
        return await self._memory.publish(
            channel,
            data,
            user=user,
            command_id=command_id,
            # #if pubsub
            owner=owner,
            # #endif
        )

    async def _publish(
        self, name: str, data: bytes, user: str, command_id: str | None, attempt: str
    ) -> Published:
        config = self._config
        text = attempt if command_id is None else f"{user}\n{command_id}"
        digest = urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        duplicate, offset, epoch = await self._link.run(
            PUBLISH,
            [*self._keys(name), self._key(name, f"id:{digest}")],
            new_epoch(),
            self._ttl(config.history_ttl),
            config.history_messages,
            config.history_bytes,
            UNNAMED_WINDOW if command_id is None else max(1, config.resume_window),
            attempt,
            data,
        )
        position = Position(offset, epoch.decode())
        if not duplicate:
            # What is published comes before the reply: what has not come by now is lost.
            self._expect_later(name, position)
        return Published(offset, position.epoch, is_duplicate=bool(duplicate))

    async def subscribe(self, channel: str, listener: Listener, owner: str) -> Unsubscribe:
        """See Store."""
        found = self._channels.get(channel)
        if found is None:
            found = self._channels[channel] = _Channel(channel, self._receive)
            found.open(self._open(found))
        found.add(listener, owner)

        def end() -> None:
            found.remove(listener)
            if found.listeners or self._channels.get(channel) is not found:
                return
            del self._channels[channel]
            self._link.unsubscribe(self._keys(channel)[2], found.on_message)

        try:
            await found.wait()
        except BaseException:
            end()
            raise
        return end

    async def recover(self, channel: str, since: Position | None = None) -> Recovery:
        """See Store."""
        await self._opened(channel)
        if not self._is_local(channel):
            with self._leaving(channel):
                recovery = await self._read(channel, since)
                # Whoever is told has all up to the position: nothing of it may come again.
                found = self._channels.get(channel)
                if found is not None:
                    await self._expect(found, Position(recovery.offset, recovery.epoch))
                return recovery
        return await self._memory.recover(channel, since)

    # #if presence
    async def enter(self, channel: str, user: str, owner: str) -> None:
        """See Store."""
        if not self._is_local(channel):
            with self._leaving(channel):
                # Before anything is waited for: its exit may come meanwhile.
                if self._count(channel, user, 1) > 1:
                    return
                try:
                    await self._announce(channel, [user])
                except BaseException:
                    self._count(channel, user, -1)
                    raise
                return
        await self._memory.enter(channel, user, owner)

    async def leave(self, channel: str, user: str, *, is_lost: bool) -> None:
        """See Store."""
        if user not in self._users.get(channel, {}):
            await self._memory.leave(channel, user, is_lost=is_lost)
            return
        if self._count(channel, user, -1) > 0:
            return
        # Users in their grace time must not make a full room exceed its limit.
        found = self._channels.get(channel)
        size = len(found.users or ()) if found is not None else 0
        is_crowded = size > self._config.max_room_members
        grace = self._config.presence_grace if is_lost and not is_crowded else 0
        await self._exit(channel, user, grace)

    async def _exit(self, name: str, user: str, grace: int) -> None:
        try:
            await self._link.run(EXIT, self._presence_keys(name), self._node, user, grace)
        except Exception as error:  # noqa: BLE001 -- out of reach, it ends there by itself
            report(error)

    async def users(self, channel: str) -> list[str]:
        """See Store."""
        if not self._is_local(channel):
            with self._leaving(channel):
                found = self._channels.get(channel)
                known = found.users if found is not None else None
                return list(await self._list_all(channel) if known is None else known)
        return await self._memory.users(channel)

    # #endif
    def trim(self) -> None:
        """See MemoryStore."""
        self._memory.trim()

    async def close(self) -> None:
        """Say goodbye to the other servers."""
        if self._checking is not None:
            self._checking.cancel()
        # #if presence
        grace = self._config.presence_grace
        exits = [
            self._exit(name, user, grace) for name, users in self._users.items() for user in users
        ]
        await asyncio.gather(*exits)
        # #endif

    def _is_local(self, name: str) -> bool:
        channel = self._channels.get(name)
        return channel is not None and channel.memory is not None

    @contextmanager
    def _leaving(self, name: str) -> Iterator[None]:
        """Leave Redis if that is out of reach; what follows does it in this process."""
        try:
            yield
        except RedisDownError:
            channel = self._channels.get(name)
            if channel is not None:
                self._leave_redis(channel)

    async def _opened(self, name: str) -> None:
        channel = self._channels.get(name)
        if channel is not None:
            await channel.wait()

    async def _open(self, channel: "_Channel") -> None:
        """Let what is published arrive, from now on."""
        try:
            await self._link.subscribe(self._keys(channel.name)[2], channel.on_message)
            position = await self._touch(channel.name)
            if channel.position is None:
                channel.position = position
            # #if presence
            await self._list_all(channel.name)
            # #endif
            if channel.highest > channel.position.offset:
                await self._catch_up(channel)
        except RedisDownError:
            self._leave_redis(channel)
        finally:
            if self._channels.get(channel.name) is not channel:
                # Everybody has gone meanwhile.
                self._link.unsubscribe(self._keys(channel.name)[2], channel.on_message)

    async def _reopen(self) -> None:
        """Subscribe anew: nothing comes any more over the connection before this one."""
        if self._checking is None:
            self._checking = asyncio.create_task(self._check_again_and_again())
        channels = list(self._channels.values())
        # What was published meanwhile must not be taken for something newer the next time.
        self._memory = self._create_memory()
        for channel in channels:
            channel.open(self._resume(channel))
        await _all(channels, _Channel.wait)
        # #if presence
        await _all(list(self._users), self._announce_own)
        await _all(channels, self._compare)
        # #endif

    async def _resume(self, channel: "_Channel") -> None:
        if channel.memory is not None:
            channel.leave_memory()
            self._lose(channel, None)
        if channel.position is None:
            await self._open(channel)
            return
        try:
            await self._link.subscribe(self._keys(channel.name)[2], channel.on_message)
            await self._catch_up(channel)
        except Exception as error:  # noqa: BLE001 -- the next connection does it again
            report(error)

    def _leave_redis(self, channel: "_Channel") -> None:
        """From now on, it is one of this process."""
        if channel.memory is not None:
            return
        channel.enter_memory(self._memory)
        # To who has just come, nothing was promised.
        if channel.position is not None:
            self._lose(channel, None)

    def _lose(self, channel: "_Channel", position: Position | None) -> None:
        """Tell who listens to ask anew: what follows is no continuation."""
        channel.position = position
        channel.highest = 0
        # #if presence
        channel.users = None
        # #endif
        log("warn", "position-lost", channel=channel.name)
        self._link.lost += 1
        for listener in channel.listeners:
            listener.on_lost()

    def _receive(self, channel: "_Channel", message: bytes) -> None:
        if channel.memory is not None:
            return
        kind, rest = message[:1], message[1:]
        if kind == b"e":
            offset, epoch, data = rest.split(b" ", 2)
            self._pass_on(channel, Entry(int(offset), data), epoch.decode())
        # #if live
        elif kind == b"r":
            for listener in channel.listeners:
                listener.on_removed()
        # #endif
        # #if presence
        elif kind in (b"j", b"l"):
            self._change(channel, rest.decode(), is_there=kind == b"j")
        elif kind == b"g":
            self._link.spawn(self._list_after(channel, (int(rest) + 1) / 1000))
        # #endif

    def _pass_on(self, channel: "_Channel", entry: Entry, epoch: str) -> None:
        """Pass the next entry on; look for those that are missing before it."""
        position = channel.position
        if position is None:
            # It is being opened, and may be at that already.
            channel.highest = max(channel.highest, entry.offset)
            return
        if epoch == position.epoch and entry.offset == position.offset + 1:
            channel.position = Position(entry.offset, epoch)
            for listener in channel.listeners:
                listener.on_entry(entry)
            return
        self._count_missed(channel, Position(entry.offset - 1, epoch))
        channel.highest = max(channel.highest, entry.offset)
        self._expect_later(channel.name, Position(entry.offset, epoch))

    def _count_missed(self, channel: "_Channel", position: Position) -> None:
        """Count what is known to be published, up to a position, and was not heard."""
        known = channel.position
        # After a new connection, what has not come was not lost.
        if known is None or known.epoch != position.epoch or channel.catching_up is not None:
            return
        self._link.missed += max(0, position.offset - max(known.offset, channel.highest))

    def _expect_later(self, name: str, position: Position) -> None:
        channel = self._channels.get(name)
        if channel is not None and _is_behind(channel, position):
            self._link.spawn(self._expect(channel, position))

    async def _expect(self, channel: "_Channel", position: Position) -> None:
        """Read from the stream what is known to be there and has not come."""
        if not _is_behind(channel, position):
            return
        self._count_missed(channel, position)
        channel.highest = max(channel.highest, position.offset)
        await self._catch_up(channel)

    async def _catch_up(self, channel: "_Channel") -> None:
        """Pass on what is in the stream and has not come; say so if that is not all."""
        if channel.catching_up is None:
            channel.catching_up = asyncio.create_task(self._read_on(channel))
            channel.catching_up.add_done_callback(_retrieve)
        await asyncio.shield(channel.catching_up)

    async def _read_on(self, channel: "_Channel") -> None:
        try:
            top = -1
            while (since := channel.position) is not None:
                recovery = await self._read(channel.name, since)
                if channel.memory is not None or channel.position is None:
                    return
                if not recovery.is_recovered:
                    self._lose(channel, Position(recovery.offset, recovery.epoch))
                    return
                for entry in recovery.entries:
                    # Some have come while the others were read.
                    if entry.offset == channel.position.offset + 1:
                        self._pass_on(channel, entry, since.epoch)
                if channel.position.offset >= channel.highest or top == recovery.offset:
                    return
                top = recovery.offset
        finally:
            channel.catching_up = None

    async def _read(self, name: str, since: Position | None) -> Recovery:
        known = since or Position(0, "")
        while True:
            reply = await self._link.run(READ, self._keys(name), known.epoch, known.offset)
            if reply is not None:
                break
            await self._touch(name)
        is_recovered, offset, epoch, entries = reply
        return Recovery(
            offset,
            epoch.decode(),
            tuple(Entry(int(at.partition(b"-")[0]), fields[1]) for at, fields in entries),
            is_recovered=is_recovered == 1,
        )

    async def _touch(self, name: str) -> Position:
        """Return the position of a channel, which is kept a while longer."""
        ttl = self._ttl(self._config.history_ttl)
        offset, epoch = await self._link.run(OPEN, self._keys(name), new_epoch(), ttl)
        return Position(offset, epoch.decode())

    async def _check_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(self._config.position_check / 1000)
            try:
                await self._check()
            except Exception as error:  # noqa: BLE001 -- the next check may work
                report(error)

    async def _check(self) -> None:
        """Look whether anything published did not come, and say who is still here."""
        await _all(list(self._channels.values()), self._check_one)
        # #if presence
        await _all(list(self._users), self._announce_own)
        # #endif

    async def _check_one(self, channel: "_Channel") -> None:
        if channel.memory is not None or channel.position is None:
            return
        position = await self._touch(channel.name)
        await self._expect(channel, position)
        # #if presence
        await self._compare(channel)
        # #endif

    # #if presence
    def _change(self, channel: "_Channel", user: str, *, is_there: bool) -> None:
        for changes in channel.changes:
            changes.append((user, is_there))
        users = channel.users
        if users is None or (user in users) == is_there:
            return
        if is_there:
            users[user] = None
        else:
            del users[user]
        for listener in channel.listeners:
            listener.on_presence(user, is_there=is_there)

    async def _compare(self, channel: "_Channel") -> None:
        """Tell who listens what has changed without being heard."""
        if channel.users is None or channel.memory is not None:
            return
        before = list(channel.users)
        try:
            after = await self._list_all(channel.name)
        except RedisDownError:
            return
        for user in before:
            if user not in after:
                self._change(channel, user, is_there=False)
        for user in after:
            if user not in before:
                self._change(channel, user, is_there=True)

    def _count(self, name: str, user: str, change: int) -> int:
        """Count connections of a user of this process; return how many there are now."""
        users = self._users.setdefault(name, {})
        users[user] = max(0, users.get(user, 0) + change)
        count = users[user]
        if count == 0:
            del users[user]
        if not users:
            del self._users[name]
        return count

    async def _announce_own(self, name: str) -> None:
        users = self._users.get(name)
        if users is not None:
            await self._announce(name, list(users))

    async def _announce(self, name: str, users: list[str]) -> None:
        keys = self._presence_keys(name)
        await self._link.run(ENTER, keys, self._node, self._config.presence_ttl, *users)

    async def _list_after(self, channel: "_Channel", seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self._channels.get(channel.name) is channel:
            await self._list_all(channel.name)

    async def _list_all(self, name: str) -> dict[str, None]:
        """Return the users of all servers, longest present first; the channel knows them then."""
        channel = self._channels.get(name)
        changes: list[tuple[str, bool]] = []
        if channel is not None:
            channel.changes.append(changes)
        try:
            reply = await self._link.run(LIST, self._presence_keys(name))
        finally:
            if channel is not None:
                channel.changes = [one for one in channel.changes if one is not changes]
        users = dict.fromkeys(user.decode() for user in reply)
        # Of those that came together with the reply, the last of each user holds.
        for user, is_there in changes:
            if is_there:
                users[user] = None
            else:
                users.pop(user, None)
        if channel is not None and channel.memory is None and channel.users is None:
            channel.users = dict(users)
        return users

    def _presence_keys(self, name: str) -> list[str]:
        return [self._key(name, kind) for kind in ("channel", "ends", "users", "counts")]

    # #endif
    def _keys(self, name: str) -> list[str]:
        return [self._key(name, kind) for kind in ("meta", "stream", "channel")]

    def _key(self, name: str, kind: str) -> str:
        return f"{self._link.prefix}:{{{name}}}:{kind}"

    def _ttl(self, milliseconds: int) -> int:
        """Return how long a channel is kept; who listens says each POSITION_CHECK that it does."""
        return max(milliseconds, 4 * self._config.position_check)


class _Channel:
    """A channel that somebody in this process listens to."""

    def __init__(self, name: str, receive: "Callable[[_Channel, bytes], None]") -> None:
        self.name = name
        self.on_message = partial(receive, self)
        # Of the last entry that the listeners got; None: none was promised to them.
        self.position: Position | None = None
        # The highest offset that is known to be there.
        self.highest = 0
        self.catching_up: asyncio.Task[None] | None = None
        # Where its events come from while Redis is out of reach.
        self.memory: MemoryStore | None = None
        # #if presence
        # Who the listeners were told is there; None: nobody has asked.
        self.users: dict[str, None] | None = None
        # What has changed since lists were asked for.
        self.changes: list[list[tuple[str, bool]]] = []
        # #endif
        self._opening: asyncio.Task[None] | None = None
        self._owners: dict[Listener, str] = {}
        self._ends: dict[Listener, Unsubscribe] = {}

    @property
    def listeners(self) -> list[Listener]:
        return list(self._owners)

    def open(self, step: Coroutine[object, object, None]) -> None:
        """From the end of `step` on, what is published comes."""
        self._opening = asyncio.create_task(step)
        self._opening.add_done_callback(_retrieve)

    async def wait(self) -> None:
        """Wait until it is open. Raises what has kept it from that."""
        if self._opening is not None:
            await asyncio.shield(self._opening)

    def add(self, listener: Listener, owner: str) -> None:
        self._owners[listener] = owner
        if self.memory is not None:
            self._ends[listener] = self.memory.listen(self.name, listener, owner)

    def remove(self, listener: Listener) -> None:
        self._owners.pop(listener, None)
        self._mute(listener)

    def enter_memory(self, memory: MemoryStore) -> None:
        self.memory = memory
        for listener, owner in self._owners.items():
            self._ends[listener] = memory.listen(self.name, listener, owner)

    def leave_memory(self) -> None:
        self.memory = None
        for listener in self._owners:
            self._mute(listener)

    def _mute(self, listener: Listener) -> None:
        end = self._ends.pop(listener, None)
        if end is not None:
            end()


async def _all(channels: list[T], step: Callable[[T], Coroutine[object, object, None]]) -> None:
    """Do it for all, some at once; that one fails is no reason not to do it for the others."""

    async def reported(channel: T) -> None:
        try:
            await step(channel)
        except Exception as error:  # noqa: BLE001 -- see above
            report(error)

    for start in range(0, len(channels), AT_ONCE):
        await asyncio.gather(*map(reported, channels[start : start + AT_ONCE]))


def _is_behind(channel: _Channel, position: Position) -> bool:
    """Whether the listeners have got what leads to a position; nothing was promised without one."""
    known = channel.position
    if known is None:
        return False
    return known.epoch != position.epoch or known.offset < position.offset


def _retrieve(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()


def new_epoch() -> str:
    """Return what tells an epoch from all others."""
    return secrets.token_hex(8)
