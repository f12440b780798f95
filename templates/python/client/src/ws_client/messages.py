"""What programs get and give, and how it is read from the wire."""

import json
import re
# #if applications || auth || graphql
import secrets
# #endif
# #if applications
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar
# #else
#~ from typing import Any, NoReturn
# #endif

# A message of the server before it is known what it is.
Message = dict[str, Any]
# #if applications
T = TypeVar("T")

_MOST = 2**53 - 1
# #else
#~
# #endif
_SURROGATE = re.compile("[\ud800-\udfff]")


# #if applications
@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader of a room, topic or document is; only offsets of one epoch compare."""

    offset: int
    epoch: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The server has let the client in, and sends all that comes."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """After a lost connection or a gap; if not `recovered`, what came before is to be replaced."""

    recovered: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The server has not let the client in, or has put it out."""

    error: "ClientError"


# #endif
# #if chat
@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message in a room."""

    sender: str
    text: str
    at: str  # ISO 8601
    room: str | None = None
    offset: int | None = None
    id: str | None = None  # that its sender chose


# #endif
# #if presence
@dataclass(frozen=True, slots=True)
class Members:
    """Somebody came or went: who is there now, sorted."""

    users: tuple[str, ...]


# #endif
# #if pubsub
@dataclass(frozen=True, slots=True)
class TopicEvent:
    """What was published to a topic."""

    topic: str
    data: Any
    at: str  # ISO 8601
    sender: str | None = None  # None: the server
    offset: int | None = None
    id: str | None = None  # that its sender chose


# #endif
# #if live
@dataclass(frozen=True, slots=True)
class Change:
    """What a document has become."""

    data: Any
    offset: int
    patch: list[Message] | None = None  # None: the whole was sent


@dataclass(frozen=True, slots=True)
class Removed:
    """The server has removed the document."""


# #endif
# #if chat || pubsub
@dataclass(frozen=True, slots=True)
class Ack:
    """The server has taken a message."""

    offset: int | None = None
    duplicate: bool = False  # it had been taken before: an earlier answer was lost


# #endif
class ClientError(Exception):
    """Why a client could not do what it was asked to do.

    `code` is one of the server's, or `queue_full`, `dropped`, `expired`, `timeout`,
    `unknown_outcome`, `too_big`, `closed`, `token`. After `timeout` and `unknown_outcome` the
    server may have done it.
    """

    def __init__(self, code: str, message: str, *, retry_after: float | None = None) -> None:
        """Say why; `retry_after` is in seconds."""
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retry_after = retry_after


class MalformedError(Exception):
    """What the server sent is not what its protocol says."""


def read_json(data: str | bytes) -> Any:  # noqa: ANN401
    """Read one text message."""
    if isinstance(data, bytes):
        raise MalformedError("a binary message")
    try:
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise MalformedError("not JSON") from error


# #if applications || graphql
def parse(data: str | bytes) -> Message:
    """Read one text message that says what it is."""
    value = read_json(data)
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise MalformedError("not an object with a type")
    return value


# #endif
def encode(message: Message) -> str:
    """Write a message; a lone surrogate, which is no character, is escaped."""
    text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text if text.isascii() else _SURROGATE.sub(_escape, text)


# #if applications
def field(message: Message, name: str, kind: type[T]) -> T:
    """Return what has to be there."""
    value = message.get(name)
    if not isinstance(value, kind):
        raise MalformedError(f"{name}: expected {kind.__name__}")
    return value


def objects(message: Message, name: str) -> list[Message]:
    """Return a list of objects; an empty one if there is none."""
    values = message.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise MalformedError(f"{name}: expected a list of objects")
    return values


def count_of(value: object) -> int | None:
    """Return a whole number from 0; None for anything else."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
    return value if isinstance(value, int) and is_count else None


def text_of(value: object) -> str | None:
    """Return a text; None for anything else."""
    return value if isinstance(value, str) else None


def position_in(message: Message) -> Position | None:
    """Return the position that a message holds; None if it holds none."""
    value = message.get("position")
    if value is None:
        return None
    offset = count_of(value.get("offset")) if isinstance(value, dict) else None
    if offset is None:
        raise MalformedError("position: expected offset and epoch")
    return Position(offset, field(value, "epoch", str))


def seconds_in(message: Message, name: str) -> float | None:
    """Return milliseconds as seconds, at most a day; None if there are none."""
    value = message.get(name)
    is_time = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    return min(value, 86_400_000) / 1000 if is_time and value is not None else None


def error_in(message: Message) -> ClientError:
    """Return an `error` message as an error."""
    code = str(message.get("code"))
    retry_after = seconds_in(message, "retryAfterMs")
    return ClientError(code, str(message.get("message", code)), retry_after=retry_after)


# #endif
# #if applications || auth || graphql
def new_id() -> str:
    """Return 128 random bits: nobody else chooses the same."""
    return secrets.token_hex(16)


# #endif
def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
