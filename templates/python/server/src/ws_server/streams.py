"""Who subscribes to which topics on this server, and what they are sent."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from .admission import Share
from .client import Client
# #if redis
from .close_codes import LOST_POSITION
# #endif
from .config import Config
from .frame import Frame
from .store import Entry, Store
from .topics import Topics, matches, stream_of

# What every event starts with: its topic is read without parsing the rest.
EVENT_START = b'{"type":"event","topic":"'


@dataclass(slots=True)
class _Waiting:
    """A client that waits for the reply to its subscription."""

    pattern: str
    # Events with their offsets, and whether they match a pattern that the client has had before.
    held: list[tuple[int, Frame, bool]] = field(default_factory=list)


class Stream:
    """The topics with one first segment: listens to a channel of the store."""

    def __init__(self, name: str, owner: Share, store: Store) -> None:
        """Start without clients; it counts for the address `owner`."""
        self.name = name
        self.owner = owner
        # The events of the store arrive; what it returns ends that.
        self.subscribed: asyncio.Future[Callable[[], None]] = asyncio.ensure_future(
            store.subscribe(name, self, owner.ip)
        )
        self._topics: Topics[Client] = Topics()
        # Patterns of clients, both in the order in which they came.
        self._patterns: dict[Client, dict[str, None]] = {}
        self._waiting: dict[Client, _Waiting] = {}

    def on_entry(self, entry: Entry) -> None:
        """Send an event to who subscribed to its topic."""
        topic = topic_of(entry)
        known = self._topics.match(topic)
        frame = Frame("event", event_of(entry))
        for client in known:
            if client not in self._waiting:
                client.deliver(frame)
        for client, waiting in self._waiting.items():
            is_known = client in known
            if is_known or matches(waiting.pattern, topic):
                waiting.held.append((entry.offset, frame, is_known))

    # #if presence
    def on_presence(self, user: str, *, is_there: bool) -> None:
        """See Listener: streams have no members."""

    # #endif
    # #if redis
    def on_lost(self) -> None:
        """End the connections of the clients: they have missed what cannot be had any more."""
        for client in self.clients:
            client.close(LOST_POSITION)

    # #if live
    def on_removed(self) -> None:
        """See Listener: streams are not removed."""

    # #endif
    # #endif
    @property
    def clients(self) -> list[Client]:
        """The clients with a pattern, in the order of their first one."""
        return list(self._patterns)

    def count(self, topic: str) -> int:
        """Return how many clients get an event of `topic`."""
        return len(self._topics.match(topic))

    def has(self, client: Client, pattern: str) -> bool:
        """Whether a client has a pattern."""
        return pattern in self._patterns.get(client, ())

    def hold(self, client: Client, pattern: str) -> None:
        """From now on, what comes for `client` waits for `admit`."""
        self._topics.discard(pattern, client)
        self._waiting[client] = _Waiting(pattern)
        self._patterns.setdefault(client, {})[pattern] = None

    def admit(self, client: Client, pattern: str, reply: Frame, offset: int) -> None:
        """Send the reply, which holds what there was up to `offset`.

        It goes between what came before and after it: a client sees the offsets of a stream rise,
        whatever pattern brings them.
        """
        waiting = self._waiting.pop(client, None)
        held = waiting.held if waiting is not None else []
        self._topics.add(pattern, client)
        for own, frame, is_known in held:
            if is_known and own <= offset:
                client.deliver(frame)
        client.deliver(reply)
        for own, frame, _ in held:
            if own > offset:
                client.deliver(frame)

    def remove(self, client: Client, pattern: str) -> None:
        """Send a client nothing more for a pattern."""
        self._topics.discard(pattern, client)
        waiting = self._waiting.get(client)
        if waiting is not None and waiting.pattern == pattern:
            del self._waiting[client]
        patterns = self._patterns.get(client, {})
        patterns.pop(pattern, None)
        if not patterns:
            self._patterns.pop(client, None)


class Subscriptions:
    """The subscriptions of all clients, and the streams that they need."""

    def __init__(self, config: Config, store: Store) -> None:
        """Start without any."""
        self._config = config
        self._store = store
        self._streams: dict[str, Stream] = {}
        # By client, the stream of each pattern.
        self._patterns: dict[Client, dict[str, Stream]] = {}
        self._count = 0

    # #if metrics
    def __len__(self) -> int:
        """Return how many streams have clients."""
        return len(self._streams)

    # #endif
    def stream(self, name: str) -> Stream | None:
        """Return a stream, if anybody subscribes to a topic of it."""
        return self._streams.get(name)

    def patterns(self, client: Client) -> list[str]:
        """Return what a client subscribes to."""
        return list(self._patterns.get(client, ()))

    def open(self, client: Client, pattern: str) -> Stream | None:
        """Let a client wait for events that match `pattern`.

        None when there are too many subscriptions or streams, or too many of its address. One is
        for every client, whatever its neighbours do.
        """
        share, config = client.share, self._config
        patterns = self._patterns.get(client, {})
        stream = patterns.get(pattern)
        if stream is not None:
            stream.hold(client, pattern)
            return stream
        is_used_up = share.subscriptions >= config.max_subscriptions_per_ip
        if (
            len(patterns) >= config.max_subscriptions_per_client
            or self._count >= config.max_subscriptions
            or (patterns and is_used_up)
        ):
            return None
        name = stream_of(pattern)
        stream = self._streams.get(name)
        if stream is None:
            is_used_up = share.streams >= config.max_streams_per_ip
            if len(self._streams) >= config.max_streams or (patterns and is_used_up):
                return None
            stream = self._streams[name] = Stream(name, share, self._store)
            share.streams += 1
        self._patterns[client] = patterns
        patterns[pattern] = stream
        share.subscriptions += 1
        self._count += 1
        stream.hold(client, pattern)
        return stream

    def end(self, client: Client, pattern: str) -> bool:
        """End one subscription; False if there is none."""
        patterns = self._patterns.get(client, {})
        stream = patterns.pop(pattern, None)
        if stream is None:
            return False
        if not patterns:
            del self._patterns[client]
        client.share.subscriptions -= 1
        self._count -= 1
        stream.remove(client, pattern)
        if not stream.clients:
            self._forget(stream)
        elif stream.owner is client.share:
            self._pass_on(stream)
        return True

    def _pass_on(self, stream: Stream) -> None:
        """Count a stream whose owner's clients have left for an address with space in its share.

        As long as there is none, it stays the owner's: handed on, streams could take more than the
        shares of all.
        """
        shares = [client.share for client in stream.clients]
        most = self._config.max_streams_per_ip
        free = next((share for share in shares if share.streams < most), None)
        if stream.owner in shares or free is None:
            return
        stream.owner.streams -= 1
        free.streams += 1
        stream.owner = free

    def _forget(self, stream: Stream) -> None:
        del self._streams[stream.name]
        stream.owner.streams -= 1
        # That it failed is known to who asked for it.
        stream.subscribed.add_done_callback(_unsubscribe)


def _unsubscribe(subscribed: asyncio.Future[Callable[[], None]]) -> None:
    if not subscribed.cancelled() and subscribed.exception() is None:
        subscribed.result()()


def topic_of(entry: Entry) -> str:
    """Return the topic of an event as the store has it."""
    start = len(EVENT_START)
    return entry.data[start : entry.data.index(b'"', start)].decode()


def event_of(entry: Entry) -> bytes:
    """Return an event as subscribers get it."""
    # #if history
    # Its last key.
    return b'%b,"offset":%d}' % (entry.data[:-1], entry.offset)
    # #else
    #~ return entry.data
    # #endif
