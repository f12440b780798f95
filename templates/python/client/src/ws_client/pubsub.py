"""A client of pubsub servers."""

import re

from .client import Reader, Words
from .messages import Ack, MalformedError, Message, TopicEvent, count_of, field, text_of
from .publishing import PublishingClient
from .stream import Host, Stream


class _TopicStream(Stream[TopicEvent]):
    def __init__(self, name: str, host: Host) -> None:
        super().__init__(name, host)
        # All topics with the same first segment are one sequence; others get a part of it.
        self.has_every_offset = re.fullmatch(r"[^.]+\.#", name) is not None

    def give(self, event: Message) -> None:
        if "data" not in event:
            raise MalformedError("data: expected a value")
        self.emit(
            TopicEvent(
                field(event, "topic", str),
                event["data"],
                field(event, "at", str),
                text_of(event.get("from")),
                count_of(event.get("offset")),
                text_of(event.get("id")),
            )
        )


class Subscription(Reader[TopicEvent]):
    """A pattern, and what is published to the topics that match it."""


class PubsubClient(PublishingClient[_TopicStream]):
    """A client of a pubsub server."""

    words = Words("pubsub.v1", "subscribe", "subscribed", "unsubscribe", "unsubscribed", "topic")

    def subscribe(self, pattern: str) -> Subscription:
        """Get what is published to `pattern`, over reconnects.

        `*` stands for one segment, `#` at the end for any number.
        """
        stream = self._open(_TopicStream(pattern, self))
        return Subscription(stream, self.options.max_events)

    async def publish(
        self,
        topic: str,
        data: object,
        *,
        message_id: str | None = None,
        ack_timeout: float | None = None,
    ) -> Ack:
        """Publish any JSON, and wait until the server has taken it; else raise ClientError.

        The same `message_id` is published once; by default it is random.
        """
        command = {"type": "publish", "topic": topic, "data": data}
        stream = self._outbox_of(topic)
        return await self._outbox.add(
            stream, command, message_id=message_id, ack_timeout=ack_timeout
        )

    def _outbox_of(self, name: str) -> str:
        return name.split(".", 1)[0]

    def _handle(self, message: Message) -> None:
        if message["type"] != "event":
            return
        topic = field(message, "topic", str)
        sequence = self._outbox_of(topic)
        for stream in list(self._streams.values()):
            if matches(stream.name, topic):
                stream.handle(message)
            elif self._outbox_of(stream.name) == sequence:
                stream.passed(message.get("offset"))


def matches(pattern: str, topic: str) -> bool:
    """Return whether a topic is one of those that a pattern stands for."""
    wanted, parts = pattern.split("."), topic.split(".")
    is_open = wanted[-1] == "#"
    if is_open:
        wanted.pop()
    if len(parts) < len(wanted) or (len(parts) > len(wanted) and not is_open):
        return False
    return all(part in {"*", given} for part, given in zip(wanted, parts, strict=False))
