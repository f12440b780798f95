"""A client of chat servers."""

# #if presence
from typing import Any

# #endif
from .client import Reader, Words
from .messages import (
    Ack,
    ChatMessage,
    # #if presence
    Members,
    # #endif
    Message,
    count_of,
    field,
    text_of,
)
from .outbox import Outbox
from .publishing import PublishingClient
from .stream import Host, Stream

# #if presence
Event = ChatMessage | Members


# #else
#~ Event = ChatMessage
#~
#~
# #endif
class _RoomStream(Stream[Event]):
    def __init__(self, name: str, host: Host, outbox: Outbox) -> None:
        super().__init__(name, host)
        self.outbox = outbox
        # #if presence
        self.members: tuple[str, ...] = ()
        # #endif

    # #if presence
    def accept(self, reply: Message) -> None:
        members = reply.get("members")
        if isinstance(members, list):
            self._set_members(members)
        super().accept(reply)

    def change_members(self, user: str, *, is_there: bool) -> None:
        # The answer to `join` holds what came before it.
        if self.status == "joined":
            others = [member for member in self.members if member != user]
            self._set_members([*others, user] if is_there else others)

    def _set_members(self, members: list[Any]) -> None:
        self.members = tuple(sorted(map(str, members)))
        self.emit(Members(self.members))

    # #endif
    def give(self, event: Message) -> None:
        self.emit(
            ChatMessage(
                field(event, "from", str),
                field(event, "text", str),
                field(event, "at", str),
                text_of(event.get("room")),
                count_of(event.get("offset")),
                text_of(event.get("id")),
            )
        )


class Room(Reader[Event]):
    """A room that the client is in, or will be in as soon as it is connected."""

    def __init__(self, stream: _RoomStream, limit: int) -> None:
        """Read from now on."""
        super().__init__(stream, limit)
        self._room = stream

    # #if presence
    @property
    def members(self) -> tuple[str, ...]:
        """Who is there, sorted."""
        return self._room.members

    # #endif
    async def send(
        self, text: str, *, message_id: str | None = None, ack_timeout: float | None = None
    ) -> Ack:
        """Publish `text`, and wait until the server has taken it; else raise ClientError.

        The same `message_id` is published once; by default it is random.
        """
        command = {"type": "message", "text": text}
        if self.name:
            command["room"] = self.name
        return await self._room.outbox.add(
            self.name, command, message_id=message_id, ack_timeout=ack_timeout
        )


class ChatClient(PublishingClient[_RoomStream]):
    """A client of a chat server."""

    words = Words("chat.v1", "join", "joined", "leave", "left", "room")

    def join(self, room: str = "") -> Room:
        """Join `room`, and again after each reconnect.

        Without a name, it is the one room of a server without rooms.
        """
        stream = self._open(_RoomStream(room, self, self._outbox))
        return Room(stream, self.options.max_events)

    @property
    def _asks_to_join(self) -> bool:
        return "rooms" in self.features

    def _is_ready(self, stream: str) -> bool:
        room = self._streams.get(stream)
        return room is None or room.status not in {"new", "asked"}

    def _handle(self, message: Message) -> None:
        room = self._streams.get(str(message.get("room", "")))
        if room is None:
            return
        match message["type"]:
            case "message":
                room.handle(message)
            # #if presence
            case "member-joined":
                room.change_members(field(message, "user", str), is_there=True)
            case "member-left":
                room.change_members(field(message, "user", str), is_there=False)
            # #endif
