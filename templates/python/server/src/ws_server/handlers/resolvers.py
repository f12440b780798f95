"""What the fields of schema.graphql are. This file is yours: a later generation leaves it as it is.

What is raised here as a GraphQLError, the client reads; of any other error it reads that there is
one.
"""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

from graphql import GraphQLError

from ws_server.broadcast import Broadcast
from ws_server.graphql_schema import Info, Resolvers

# What is kept: messages of a channel, and channels.
MAX_MESSAGES = 100
MAX_CHANNELS = 1000
MAX_TEXT = 4096


@dataclass(frozen=True)
class Message:
    """A message; `sentAt` of the schema is `sent_at` here."""

    id: str
    channel: str
    sender: str
    text: str
    sent_at: str


# By channel; in this process, so several servers need a store and a broker that they share.
_histories: dict[str, list[Message]] = {}
_sent: Broadcast[Message] = Broadcast()


def _refuse(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_USER_INPUT"})


def read_messages(_: object, _info: Info, channel: str, last: int) -> list[Message]:
    """Return the last messages of a channel."""
    return _histories.get(channel, [])[-last:] if last > 0 else []


def send(_: object, info: Info, channel: str, text: str) -> Message:
    """Send a message."""
    if re.fullmatch(r"[\w.-]{1,64}", channel, re.ASCII) is None:
        raise _refuse("channel: expected 1 to 64 letters or digits")
    if len(text) > MAX_TEXT:
        raise _refuse(f"text: expected at most {MAX_TEXT} characters")
    sent_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    message = Message(str(uuid.uuid4()), channel, info.context.user, text, sent_at)
    # The channel that was quiet for the longest time is the first.
    _histories[channel] = [*_histories.pop(channel, []), message][-MAX_MESSAGES:]
    if len(_histories) > MAX_CHANNELS:
        del _histories[next(iter(_histories))]
    _sent.publish(channel, message)
    return message


def sender_of(message: Message, _: Info) -> str:
    """Return the field `from`, which is no name in Python."""
    return message.sender


def follow_messages(_: object, _info: Info, channel: str) -> AsyncIterator[Message]:
    """Return the messages of a channel from now on: each is one event."""
    return _sent.subscribe(channel)


async def count_down(_: object, _info: Info, from_: int, every_ms: int) -> AsyncIterator[int]:
    """Count down; a client that goes ends it at once."""
    if not 0 <= from_ <= 1000:
        raise _refuse("from: expected 0 to 1000")
    if not 0 <= every_ms <= 60_000:
        raise _refuse("everyMs: expected 0 to 60000")
    for left in range(from_, -1, -1):
        yield left
        if left > 0:
            await asyncio.sleep(every_ms / 1000)


# By type and field.
resolvers: Resolvers = {
    "Query": {"messages": read_messages},
    "Mutation": {"send": send},
    "Subscription": {"messages": follow_messages, "countdown": count_down},
    "Message": {"from": sender_of},
}
