"""Commands of clients: their forms, and what wrong ones are answered with."""

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# Bytes of the largest command; a larger message is closed with 1009.
MAX_COMMAND_BYTES = 65_536
# The largest integer that is exact in every double.
MAX_INTEGER = 2**53 - 1

# A command that fits its form, and a message of the server: JSON objects with a type.
Command = dict[str, Any]
AnyMessage = Mapping[str, object]

# Features that do not depend on the type of server.
COMMON_FEATURES: tuple[str, ...] = (
    # In the order of the documentation.
    # #if auth
    "auth",
    # #endif
    # #if rate-limit
    "rate-limit",
    # #endif
    # #if metrics
    "metrics",
    # #endif
)


class BadCommandError(Exception):
    """A message that is no command; its sender gets the code, the reason and the id."""

    def __init__(self, code: str, reason: str, command: Command | None = None) -> None:
        """Name the error code and what is wrong, and with what, as far as it could be read."""
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.command = command or {}


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a command; `read` returns its value, or raises ValueError: what is expected."""

    read: Callable[[object], object]
    is_required: bool = True


Form = Mapping[str, Field]


def text(least: int, most: int) -> Callable[[object], str]:
    """Return what reads a text of so many characters."""

    def read(value: object) -> str:
        if isinstance(value, str) and least <= len(value) <= most:
            return value
        raise ValueError(f"expected a text of {least} to {most} characters")

    return read


def is_name(value: object) -> bool:
    """Whether it is the name of a user, or of what clients share."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def name(value: object) -> object:
    """Read the name of what clients share."""
    if not is_name(value):
        raise ValueError('expected 1 to 64 letters, digits, ".", "_" or "-"')
    return value


# #if resume
@dataclass(frozen=True, slots=True)
class Position:
    """How far something has come; offsets of different epochs are not comparable."""

    offset: int
    epoch: str

    def to_json(self) -> dict[str, object]:
        """Write it as clients get it."""
        return {"offset": self.offset, "epoch": self.epoch}


def position(value: object) -> Position:
    """Read a position."""
    if isinstance(value, dict) and value.keys() == {"offset", "epoch"}:
        offset, epoch = value["offset"], value["epoch"]
        # In JSON, 1.0 is an integer, too.
        if isinstance(offset, float) and offset.is_integer():
            offset = int(offset)
        is_count = type(offset) is int and 0 <= offset <= MAX_INTEGER
        if is_count and isinstance(epoch, str) and 1 <= len(epoch) <= 64:
            return Position(offset, epoch)
    raise ValueError('expected {"offset": 0, "epoch": "..."}')


# #endif
ID = Field(text(1, 64), is_required=False)
NAME = Field(name)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

# What every application understands.
COMMON_COMMANDS: Mapping[str, Form] = {
    "ping": {},
    # #if auth
    # Says who the client is: its first token, or a newer one.
    "auth": {"token": Field(text(1, MAX_COMMAND_BYTES))},
    # #endif
}


def parse_command(message: str, forms: Mapping[str, Form]) -> Command:
    """Read a command: the id that every one may have, and the fields of its form, and no others.

    Raises BadCommandError.
    """
    value = read_json(message)
    if not isinstance(value, dict):
        raise BadCommandError("bad_message", "expected one JSON object")
    command: Command = {}
    try:
        command["id"] = ID.read(value["id"])
    except KeyError:
        pass
    except ValueError as error:
        raise BadCommandError("bad_message", f"id: {error}") from None
    kind = value.get("type")
    form = forms.get(kind) if isinstance(kind, str) else None
    if form is None:
        raise BadCommandError("bad_message", f"type: expected {' or '.join(forms)}", command)
    rest = {key: item for key, item in value.items() if key not in ("type", "id")}
    try:
        return {**command, "type": kind, **read_fields(rest, form)}
    except ValueError as error:
        raise BadCommandError("bad_message", str(error), command) from None


def read_fields(value: object, form: Form) -> Command:
    """Read the fields of a form, and no others. Raises ValueError that says what is wrong."""
    if not isinstance(value, dict):
        raise ValueError("expected one JSON object")  # noqa: TRY004 -- it is data of others
    fields: Command = {}
    for key, field in form.items():
        if key not in value:
            if field.is_required:
                raise ValueError(f"{key}: expected")
            continue
        try:
            fields[key] = field.read(value[key])
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    if len(fields) < len(value):
        unknown = next(key for key in value if key not in fields)
        raise ValueError(f"unknown key {unknown[:32]!a}")
    return fields


def read_json(message: str) -> object:
    """Read JSON whose numbers are doubles. Raises BadCommandError."""
    try:
        return _DECODER.decode(message)
    except OverflowError:
        raise BadCommandError("bad_message", "a number is too large for a double") from None
    except RecursionError:
        raise BadCommandError("bad_message", "nested too deeply") from None
    except ValueError:
        raise BadCommandError("bad_json", "expected one JSON object") from None


def encode(message: object) -> bytes:
    """Write a message as JSON in UTF-8."""
    try:
        return _PLAIN.encode(message).encode()
    except UnicodeEncodeError:
        # Half of a character, which a client has sent as an escape.
        return _ESCAPED.encode(message).encode()


def wall_clock() -> float:
    """Milliseconds since 1970."""
    return time.time() * 1000


def iso_time(moment: float) -> str:
    """Write milliseconds since 1970 as ISO 8601."""
    text = datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def answer(command: Command, kind: str, **fields: object) -> dict[str, object]:
    """Return the reply to a command, with its id if it has one."""
    own = {"id": command["id"]} if "id" in command else {}
    return {"type": kind, **own, **fields}


def _read_float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise OverflowError
    return number


def _read_integer(digits: str) -> int:
    # A double has 309 digits at most; to read thousands takes long.
    if len(digits) > 310:
        raise OverflowError
    number = int(digits)
    float(number)
    return number


def _refuse(constant: str) -> object:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(
    parse_float=_read_float, parse_int=_read_integer, parse_constant=_refuse
)
_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_ESCAPED = json.JSONEncoder(separators=(",", ":"))
