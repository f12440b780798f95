"""Messages between the members of rooms."""

from collections.abc import Mapping, Sequence

from .application import Context
# #if rooms
from .authorization import is_allowed
# #endif
from .client import Client
# #if history
from .frame import Frame
# #endif
from .handlers.messages import on_message
from .hooks import Draft, Refuse, settle
from .messages import (
    COMMON_COMMANDS,
    COMMON_FEATURES,
    # #if rooms
    NAME,
    # #endif
    Command,
    Field,
    Form,
    # #if resume
    Position,
    # #endif
    answer,
    encode,
    iso_time,
    # #if resume
    position,
    # #endif
    text,
)
# #if history
from .room import message_of
# #endif
# #if rooms
from .rooms import Rooms
# #else
#~ from .room import Room
# #endif
from .routes import Route

# #if rooms
# Cost of a join in messages of the rate limit: the reply may hold a whole history.
JOIN_COST = 10
_REASONS = {
    "too_many_rooms": "leave another room first, or try later",
    "room_full": "try later",
}
# #endif

COMMANDS: Mapping[str, Form] = {
    **COMMON_COMMANDS,
    "message": {
        # #if rooms
        "room": NAME,
        # #endif
        "text": Field(text(1, 4096)),
    },
    # #if rooms
    "join": {
        "room": NAME,
        # #if resume
        # The last position that the client knows: it gets what came after it.
        "since": Field(position, is_required=False),
        # #endif
    },
    "leave": {"room": NAME},
    # #endif
    # #if presence
    "members": {"room": NAME},
    # #endif
}


class Chat:
    """The application `chat.v1`."""

    commands = COMMANDS
    routes: Sequence[Route] = ()
    features = (
        # In the order of the documentation.
        # #if rooms
        "rooms",
        # #endif
        # #if presence
        "presence",
        # #endif
        # #if history
        "history",
        # #endif
        # #if resume
        "resume",
        # #endif
        *COMMON_FEATURES,
    )

    def __init__(self, context: Context) -> None:
        """Start without clients."""
        self._store = context.store
        self._now = context.now
        # #if rooms
        self._rooms = Rooms(context.config, context.store, context.spawn)
        # #if presence
        self._spawn = context.spawn
        # #endif
        # #if metrics
        self._metrics = context.metrics
        # #endif
        # #else
        #~ self._room = Room("")
        # #endif

    # #if metrics
    @property
    def room_count(self) -> int:
        """How many rooms have members."""
        # #if rooms
        return len(self._rooms)
        # #else
        #~ return 1
        # #endif

    # #endif
    async def start(self) -> None:
        """See Application."""
        # #if rooms
        # #else
        #~ await self._store.subscribe(self._room.name, self._room, "")
        # #endif

    def open(self, client: Client) -> None:
        """See Application."""
        # #if rooms
        # #else
        #~ self._room.members[client] = None
        # #endif

    async def receive(self, client: Client, command: Command) -> None:
        """See Application."""
        # #if rooms
        match command["type"]:
            case "message":
                await self._publish(client, command)
            case "join":
                await self._join(client, command)
            case "leave":
                await self._leave(client, command)
            # #if presence
            case "members":
                await self._list_members(client, command)
            # #endif
        # #else
        #~ await self._publish(client, command)
        # #endif

    # #if rooms
    def cost_of(self, command: Command) -> int:
        """See Application."""
        return JOIN_COST if command["type"] == "join" else 1
    # #else
    #~ def cost_of(self, _: Command) -> int:
    #~     """See Application."""
    #~     return 1
    # #endif

    # #if auth
    async def refresh(self, client: Client) -> None:
        """See Application."""
        # #if rooms
        for room in self._rooms.all(client):
            if not await is_allowed(client.identity, "join", room.name):
                self._rooms.put_out(client, room.name, "forbidden")
        # #endif

    # #endif
    def close(self, client: Client) -> None:
        """See Application."""
        # #if rooms
        for room in self._rooms.all(client):
            self._rooms.exit(client, room)
            # #if presence
            self._spawn(self._store.leave(room.name, client.user, is_lost=True))
            # #endif
        # #else
        #~ self._room.exit(client)
        # #endif

    def drain(self) -> None:
        """See Application."""
        # #if rooms
        self._rooms.flush()
        # #else
        #~ self._room.flush()
        # #endif

    async def _publish(self, client: Client, command: Command) -> None:
        # #if rooms
        room = self._rooms.of(client, command["room"])
        if room is None:
            client.fail(command, "not_in_room", f"join {command['room']} first")
            return
        draft = Draft(client.identity, room.name, command["text"])
        # #else
        #~ room = self._room
        #~ draft = Draft(client.identity, command["text"])
        # #endif
        verdict = await settle(on_message(draft))
        if isinstance(verdict, Refuse):
            client.fail(command, "forbidden", verdict.why)
            return
        message: dict[str, object] = {
            "type": "message",
            # #if rooms
            "room": room.name,
            # #endif
            "from": client.user,
            "text": verdict,
            "at": iso_time(self._now()),
        }
        command_id = command.get("id")
        # #if resume
        if command_id is not None:
            message["id"] = command_id
        # #endif
        # #if resume
        published = await self._store.publish(
            room.name, encode(message), user=client.user, command_id=command_id
        )
        # #else
        # #if history
        #~ published = await self._store.publish(room.name, encode(message))
        # #else
        #~ await self._store.publish(room.name, encode(message))
        # #endif
        # #endif
        if command_id is None:
            return
        ack = answer(command, "ack")
        # #if history
        ack["offset"] = published.offset
        # #endif
        # #if resume
        if published.is_duplicate:
            ack["duplicate"] = True
        # #endif
        client.send(ack)

    # #if rooms
    async def _join(self, client: Client, command: Command) -> None:
        name = command["room"]
        if not await is_allowed(client.identity, "join", name):
            client.fail(command, "forbidden", f"you may not enter {name}")
            return
        if not client.is_open:
            return
        present = self._rooms.of(client, name)
        room = present or self._rooms.enter(client, name)
        if isinstance(room, str):
            client.fail(command, room, _REASONS[room])
            return
        # Whatever comes from now on waits for it, so that nothing is missing between reply and
        # events.
        if present is not None:
            room.hold(client)
        # #if presence
        else:
            # At once: if it goes meanwhile, that has to come after this.
            await self._store.enter(name, client.user, client.share.ip)
        # #endif
        if room.subscribed is not None:
            await room.subscribed
        joined = answer(command, "joined", room=name)
        # #if presence
        joined["members"] = await self._store.users(name)
        room.skip_changes(client)
        # #endif
        # #if history
        # #if resume
        since: Position | None = command.get("since")
        recovery = await self._store.recover(name, since)
        # #if metrics
        if since is not None:
            self._metrics.recoveries[str(recovery.is_recovered).lower()] += 1
        # #endif
        joined["position"] = Position(recovery.offset, recovery.epoch).to_json()
        joined["recovered"] = recovery.is_recovered
        # #else
        #~ recovery = await self._store.recover(name)
        # #endif
        # #endif
        if not room.has(client):
            # It has gone while the store was asked, or was put out to make space.
            client.fail(command, "too_many_rooms", _REASONS["too_many_rooms"])
            return
        # #if history
        messages = b",".join(map(message_of, recovery.entries))
        payload = b'%b,"messages":[%b]}' % (encode(joined)[:-1], messages)
        client.deliver(Frame("joined", payload))
        room.admit(client, recovery.offset)
        # #else
        #~ client.send(joined)
        #~ room.admit(client, 0)
        # #endif

    async def _leave(self, client: Client, command: Command) -> None:
        room = self._rooms.of(client, command["room"])
        if room is None:
            client.fail(command, "not_in_room", f"not in {command['room']}")
            return
        self._rooms.exit(client, room)
        # #if presence
        await self._store.leave(room.name, client.user, is_lost=False)
        # #endif
        client.send(answer(command, "left", room=room.name))

    # #endif
    # #if presence
    async def _list_members(self, client: Client, command: Command) -> None:
        room = self._rooms.of(client, command["room"])
        if room is None:
            client.fail(command, "not_in_room", f"join {command['room']} first")
            return
        members = await self._store.users(room.name)
        client.send(answer(command, "members", room=room.name, members=members))

    # #endif
