"""Events for those who subscribed to their topics."""

import re
from collections.abc import Mapping

from .application import Context
from .authorization import is_allowed
from .client import Client
from .frame import Frame
from .guards import check_publisher, read_body, refused
from .handshake import Refusal
from .json_value import fault_of
from .messages import (
    COMMON_COMMANDS,
    COMMON_FEATURES,
    ID,
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
    read_fields,
)
from .routes import Answer, HttpRequest, Route, problem
from .store import Published
from .streams import (
    EVENT_START,
    Subscriptions,
    # #if history
    event_of,
    topic_of,
    # #endif
)
from .topics import (
    is_pattern,
    is_too_broad,
    is_topic,
    # #if history
    matches,
    # #endif
    stream_of,
)

# Cost of a subscription in messages of the rate limit: the reply may hold a whole history.
SUBSCRIBE_COST = 10
# Bytes of the largest body of `POST /publish`.
MAX_BODY = 65_536


def _topic(value: object) -> object:
    if not isinstance(value, str) or not is_topic(value):
        what = '1 to 8 segments of letters, digits, "_" or "-", joined by "."'
        raise ValueError(f"expected {what}")
    return value


def _pattern(value: object) -> object:
    if not isinstance(value, str) or not is_pattern(value):
        raise ValueError('expected a topic, whose segments may be "*" and the last one "#"')
    return value


def _data(value: object) -> object:
    fault = fault_of(value)
    if fault is not None:
        raise ValueError(fault)
    return value


PUBLICATION: Form = {"topic": Field(_topic), "data": Field(_data)}
COMMANDS: Mapping[str, Form] = {
    **COMMON_COMMANDS,
    "subscribe": {
        "topic": Field(_pattern),
        # #if resume
        # The last position of the stream that the client knows: it gets what came after it.
        "since": Field(position, is_required=False),
        # #endif
    },
    "unsubscribe": {"topic": Field(_pattern)},
    "publish": PUBLICATION,
}


class PubSub:
    """The application `pubsub.v1`."""

    commands = COMMANDS
    features = (
        # In the order of the documentation.
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
        self._config = context.config
        self._store = context.store
        self._now = context.now
        self._subscriptions = Subscriptions(context.config, context.store)
        # #if metrics
        self._metrics = context.metrics
        # #endif
        self.routes = (
            Route("POST", re.compile("/publish"), self._take_publication, max_body=MAX_BODY),
        )

    # #if metrics
    @property
    def room_count(self) -> int:
        """How many streams have clients."""
        return len(self._subscriptions)

    # #endif
    async def start(self) -> None:
        """See Application."""

    def open(self, client: Client) -> None:
        """See Application."""

    async def receive(self, client: Client, command: Command) -> None:
        """See Application."""
        match command["type"]:
            case "subscribe":
                await self._subscribe(client, command)
            case "unsubscribe":
                topic = command["topic"]
                if self._subscriptions.end(client, topic):
                    client.send(answer(command, "unsubscribed", topic=topic))
                else:
                    client.fail(command, "not_subscribed", f"not subscribed to {topic}")
            case "publish":
                await self._publish_for(client, command)

    def cost_of(self, command: Command) -> int:
        """See Application."""
        return SUBSCRIBE_COST if command["type"] == "subscribe" else 1

    # #if auth
    async def refresh(self, client: Client) -> None:
        """See Application."""
        for topic in self._subscriptions.patterns(client):
            is_open = await is_allowed(client.identity, "subscribe", topic)
            if not is_open and self._subscriptions.end(client, topic):
                client.send({"type": "unsubscribed", "topic": topic, "code": "forbidden"})

    # #endif
    def close(self, client: Client) -> None:
        """See Application."""
        for pattern in self._subscriptions.patterns(client):
            self._subscriptions.end(client, pattern)

    def drain(self) -> None:
        """See Application."""

    async def _subscribe(self, client: Client, command: Command) -> None:
        pattern = command["topic"]
        if is_too_broad(pattern):
            reason = "expected a first segment without * and #"
            client.fail(command, "pattern_too_broad", reason)
            return
        if not await is_allowed(client.identity, "subscribe", pattern):
            client.fail(command, "forbidden", f"you may not subscribe to {pattern}")
            return
        if not client.is_open:
            return
        # Whatever comes from now on waits for it, so that nothing is missing between reply and
        # events.
        stream = self._subscriptions.open(client, pattern)
        if stream is None:
            reason = "unsubscribe from another topic first"
            client.fail(command, "too_many_subscriptions", reason)
            return
        await stream.subscribed
        subscribed = answer(command, "subscribed", topic=pattern)
        # #if history
        # #if resume
        since: Position | None = command.get("since")
        recovery = await self._store.recover(stream.name, since)
        # #if metrics
        if since is not None:
            self._metrics.recoveries[str(recovery.is_recovered).lower()] += 1
        # #endif
        subscribed["position"] = Position(recovery.offset, recovery.epoch).to_json()
        subscribed["recovered"] = recovery.is_recovered
        # #else
        #~ recovery = await self._store.recover(stream.name)
        # #endif
        # #endif
        # It may have gone while the store was asked.
        if not stream.has(client, pattern):
            return
        # #if history
        entries = [entry for entry in recovery.entries if matches(pattern, topic_of(entry))]
        messages = b",".join(map(event_of, entries))
        payload = b'%b,"messages":[%b]}' % (encode(subscribed)[:-1], messages)
        stream.admit(client, pattern, Frame("subscribed", payload), recovery.offset)
        # #else
        #~ stream.admit(client, pattern, Frame.of(subscribed), 0)
        # #endif

    async def _publish_for(self, client: Client, command: Command) -> None:
        topic = command["topic"]
        is_open = self._config.client_publish
        if not is_open or not await is_allowed(client.identity, "publish", topic):
            client.fail(command, "forbidden", f"you may not publish to {topic}")
            return
        # #if history
        published = await self._publish(command, client)
        # #else
        #~ await self._publish(command, client)
        # #endif
        if "id" not in command:
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

    async def _publish(self, command: Command, client: Client | None = None) -> Published:
        """Publish for a client, or for who has PUBLISH_TOKEN."""
        topic = command["topic"]
        event = {"data": command["data"], "at": iso_time(self._now())}
        if client is not None:
            event["from"] = client.user
        # #if resume
        command_id = command.get("id")
        if command_id is not None:
            event["id"] = command_id
        # #endif
        return await self._store.publish(
            stream_of(topic),
            b'%b%b",%b' % (EVENT_START, topic.encode(), encode(event)[1:]),
            # #if resume
            user=client.user if client is not None else "",
            # The same id in another topic is another event.
            command_id=None if command_id is None else f"{topic}\n{command_id}",
            # #endif
            owner=client.share.ip if client is not None else "",
        )

    async def _take_publication(self, request: HttpRequest) -> Answer:
        try:
            check_publisher(request, self._config)
            command = read_fields(read_body(request), {**PUBLICATION, "id": ID})
        except Refusal as refusal:
            return refused(request, refusal)
        except ValueError as error:
            return problem(400, str(error))
        published = await self._publish(command)
        stream = self._subscriptions.stream(stream_of(command["topic"]))
        count = stream.count(command["topic"]) if stream is not None else 0
        body: dict[str, object] = {"subscribers": 0 if published.is_duplicate else count}
        # #if history
        body |= {"offset": published.offset, "epoch": published.epoch}
        # #endif
        # #if resume
        if published.is_duplicate:
            body["duplicate"] = True
        # #endif
        return Answer(200, body)
