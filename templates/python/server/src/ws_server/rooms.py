"""The rooms with members, by name. What is kept of the others is the store's concern."""

import asyncio
from collections.abc import Callable, Coroutine

from .admission import Share
from .client import Client
from .config import Config
from .room import Member, Room
from .store import Store, Unsubscribe


class Rooms:
    """Who is in which room, and for which address each counts."""

    def __init__(
        self, config: Config, store: Store, spawn: Callable[[Coroutine[object, object, None]], None]
    ) -> None:
        """Start without rooms; `spawn` runs what nobody waits for."""
        self._config = config
        self._store = store
        self._spawn = spawn
        self._rooms: dict[str, Room] = {}
        self._members: dict[Client, Member] = {}

    # #if metrics
    def __len__(self) -> int:
        """Return how many have members."""
        return len(self._rooms)

    # #endif
    def of(self, client: Client, name: str) -> Room | None:
        """Return the room if `client` is in it, or on its way in."""
        member = self._members.get(client)
        return member.rooms.get(name) if member is not None else None

    def all(self, client: Client) -> list[Room]:
        """Return all rooms that `client` is in."""
        member = self._members.get(client)
        return list(member.rooms.values()) if member is not None else []

    def flush(self) -> None:
        """Send what waits for the members of any room."""
        for room in self._rooms.values():
            room.flush()

    def enter(self, client: Client, name: str) -> Room | str:
        """Put `client` on its way into a room, which it owns if nobody is in it.

        Returns the error code if it is full, or if there are too many, or too many of its address.
        One is for every client, whatever its neighbours do.
        """
        config = self._config
        member = self._members.get(client) or Member(client.share)
        if len(member.rooms) >= config.max_rooms_per_client:
            return "too_many_rooms"
        room = self._rooms.get(name)
        if room is None:
            if self._is_used_up(member.share) and member.owned > 0:
                return "too_many_rooms"
            self._make_space(member)
            if len(self._rooms) >= config.max_rooms:
                return "too_many_rooms"
            room = self._rooms[name] = Room(name)
            subscribing = self._store.subscribe(name, room, member.share.ip)
            room.subscribed = asyncio.ensure_future(subscribing)
            _give(room, member)
        elif room.size >= config.max_room_members:
            return "room_full"
        self._members[client] = member
        member.rooms[name] = room
        room.hold(client)
        return room

    def exit(self, client: Client, room: Room) -> None:
        """Take `client` out of a room."""
        member = self._members.get(client)
        if member is None:
            return
        room.exit(client)
        member.rooms.pop(room.name, None)
        if not member.rooms:
            del self._members[client]
        if room.owner is member:
            self._pass_on(room, member)
        if room.size == 0:
            self._forget(room)

    def put_out(self, client: Client, name: str, code: str) -> None:
        """Take `client` out of a room and tell it why, by an event `left`.

        One that is on its way in hears it as the answer to its join.
        """
        room = self.of(client, name)
        if room is None:
            return
        is_in = client in room.members
        self.exit(client, room)
        # #if presence
        self._spawn(self._store.leave(name, client.user, is_lost=False))
        # #endif
        if is_in:
            client.send({"type": "left", "room": name, "code": code})

    def _is_used_up(self, share: Share) -> bool:
        return share.rooms >= self._config.max_rooms_per_ip

    def _pass_on(self, room: Room, owner: Member) -> None:
        """Count a room whose owner has left for the same address if that is still in it.

        Else it counts for one that has space in its share, else for one that has not.
        """
        _give(room, None)
        members = [self._members[client] for client in room.clients if client in self._members]
        same = (member for member in members if member.share is owner.share)
        free = (member for member in members if not self._is_used_up(member.share))
        _give(room, next(same, None) or next(free, None) or next(iter(members), None))

    def _forget(self, room: Room) -> None:
        if self._rooms.get(room.name) is room:
            del self._rooms[room.name]
        if room.subscribed is not None:
            # That it failed is known to who asked for it.
            room.subscribed.add_done_callback(_unsubscribe)

    def _make_space(self, member: Member) -> None:
        """End the newest room of an address above its share, for a client within its own."""
        if len(self._rooms) < self._config.max_rooms or self._is_used_up(member.share):
            return
        most = self._config.max_rooms_per_ip
        for room in reversed(self._rooms.values()):
            if room.owner is not None and room.owner.share.rooms > most:
                for client in room.clients:
                    self.put_out(client, room.name, "too_many_rooms")
                return


def _give(room: Room, owner: Member | None) -> None:
    """Count a room for the address of `owner`, and no longer for that of who had it."""
    for member, change in ((room.owner, -1), (owner, 1)):
        if member is not None:
            member.owned += change
            member.share.rooms += change
    room.owner = owner


def _unsubscribe(subscribed: asyncio.Future[Unsubscribe]) -> None:
    if not subscribed.cancelled() and subscribed.exception() is None:
        subscribed.result()()
