"""The members that one room has on this server, and what they are sent."""

import asyncio

# #if rooms
from .admission import Share
# #endif
from .client import Client
# #if redis
from .close_codes import LOST_POSITION
# #endif
from .frame import Frame
# #if rooms
from .store import Entry, Unsubscribe
# #else
#~ from .store import Entry
# #endif

# Bytes of messages that are written at once.
MAX_BATCH = 8192


# #if rooms
class Member:
    """A client with its rooms; `owned` is how many of them count for its address."""

    __slots__ = ("owned", "rooms", "share")

    def __init__(self, share: Share) -> None:
        """Start without rooms."""
        self.share = share
        self.owned = 0
        self.rooms: dict[str, Room] = {}


# #endif
class Room:
    """Listens to a channel of the store and passes on what happens there."""

    def __init__(self, name: str) -> None:
        """Start without members."""
        self.name = name
        # Ordered: longest in it first.
        self.members: dict[Client, None] = {}
        # #if rooms
        # The member whose address it counts for.
        self.owner: Member | None = None
        # The messages of the store arrive; what it returns ends that.
        self.subscribed: asyncio.Future[Unsubscribe] | None = None
        # Members on their way in: what comes for them follows after the reply to their join.
        # An offset of 0 is that of no message.
        self._entering: dict[Client, list[tuple[int, Frame]]] = {}
        # #endif
        # Messages of this turn of the event loop: each member gets them by one write.
        self._batch: list[Frame] = []
        self._batch_size = 0

    def on_entry(self, entry: Entry) -> None:
        """Send a message to the members, at the end of this turn."""
        frame = Frame("message", message_of(entry))
        # #if rooms
        for held in self._entering.values():
            held.append((entry.offset, frame))
        # #endif
        # A large one goes alone, as it may be compressed.
        if frame.is_large or self._batch_size + len(frame.data) > MAX_BATCH:
            self.flush()
        if not self._batch:
            asyncio.get_running_loop().call_soon(self.flush)
        self._batch.append(frame)
        self._batch_size += len(frame.data)
        if frame.is_large:
            self.flush()

    def flush(self) -> None:
        """Send the members what waits: before others become members, and before other events."""
        if not self._batch:
            return
        frame = Frame.join(self._batch)
        self._batch = []
        self._batch_size = 0
        for member in list(self.members):
            member.deliver(frame)

    # #if presence
    def on_presence(self, user: str, *, is_there: bool) -> None:
        """Tell the members who has come or gone."""
        self.flush()
        kind = "member-joined" if is_there else "member-left"
        frame = Frame.of({"type": kind, "room": self.name, "user": user})
        # Every `joined` lists all members, so a slow client may miss a change.
        for member in list(self.members):
            member.deliver(frame, is_droppable=True)
        for client, held in self._entering.items():
            if client.user != user:
                held.append((0, frame))

    # #endif
    # #if redis
    def on_lost(self) -> None:
        """End the connections of the members: they have missed what cannot be had any more."""
        self.flush()
        for client in self.clients:
            client.close(LOST_POSITION)

    # #if live
    def on_removed(self) -> None:
        """See Listener: rooms are not removed."""

    # #endif
    # #endif
    # #if rooms
    @property
    def size(self) -> int:
        """How many are in it, or on their way in."""
        return len(self.members) + len(self._entering)

    @property
    def clients(self) -> list[Client]:
        """Who is in it, or on its way in."""
        return [*self.members, *self._entering]

    def has(self, client: Client) -> bool:
        """Whether `client` is in it, or on its way in."""
        return client in self.members or client in self._entering

    def hold(self, client: Client) -> None:
        """From now on, what comes for `client` waits for `admit`."""
        self.flush()
        self.members.pop(client, None)
        self._entering[client] = []

    # #if presence
    def skip_changes(self, client: Client) -> None:
        """Call it when the list of members is made, which holds the changes up to now."""
        held = self._entering.get(client)
        if held is not None:
            held[:] = [(offset, frame) for offset, frame in held if offset > 0]

    # #endif
    def admit(self, client: Client, offset: int) -> None:
        """Send `client` what has come since `hold`, but for the messages up to `offset`."""
        self.flush()
        held = self._entering.pop(client, [])
        self.members[client] = None
        for own, frame in held:
            if own == 0 or own > offset:
                client.deliver(frame, is_droppable=own == 0)

    # #endif
    def exit(self, client: Client) -> None:
        """Send `client` nothing more."""
        self.flush()
        self.members.pop(client, None)
        # #if rooms
        self._entering.pop(client, None)
        # #endif


def message_of(entry: Entry) -> bytes:
    """Return a message as members get it."""
    # #if history
    # Its last key.
    return b'%b,"offset":%d}' % (entry.data[:-1], entry.offset)
    # #else
    #~ return entry.data
    # #endif
