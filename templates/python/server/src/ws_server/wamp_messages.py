"""Messages of WAMP in JSON: their codes, and their forms as a router gets them."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from .json_value import fault_of
from .messages import BadCommandError, read_json

# The largest id.
MAX_ID = 2**53

Dict = Mapping[str, Any]
# A message that fits its form.
Message = list[Any]
# The arguments and the keyword arguments that a message ends with, as far as there are any.
Payload = Sequence[Any]


class Code(IntEnum):
    """The first element of a message."""

    HELLO = 1
    WELCOME = 2
    ABORT = 3
    CHALLENGE = 4
    AUTHENTICATE = 5
    GOODBYE = 6
    ERROR = 8
    PUBLISH = 16
    PUBLISHED = 17
    SUBSCRIBE = 32
    SUBSCRIBED = 33
    UNSUBSCRIBE = 34
    UNSUBSCRIBED = 35
    EVENT = 36
    CALL = 48
    CANCEL = 49
    RESULT = 50
    REGISTER = 64
    REGISTERED = 65
    UNREGISTER = 66
    UNREGISTERED = 67
    INVOCATION = 68
    INTERRUPT = 69
    YIELD = 70


class ViolationError(Exception):
    """The peer broke the protocol: its session ends with ABORT."""


class WampError(Exception):
    """A request is answered with ERROR: a URI, arguments and keyword arguments."""

    def __init__(self, uri: str, *args: object, **kwargs: object) -> None:
        """Name what went wrong."""
        super().__init__(uri, *args)
        self.uri = uri
        self.payload = payload_of(args, kwargs)


# What a client may send, and of what its messages consist: `i` id, `s` text, `d` dictionary,
# `c` code of a message; `+` arguments and keyword arguments, which may be left out.
_FORMS: Mapping[int, tuple[Code, str, bool]] = {
    code: (code, form.rstrip("+"), form.endswith("+"))
    for code, form in {
        Code.HELLO: "sd",
        Code.ABORT: "ds",
        Code.AUTHENTICATE: "sd",
        Code.GOODBYE: "ds",
        Code.ERROR: "cids+",
        Code.PUBLISH: "ids+",
        Code.SUBSCRIBE: "ids",
        Code.UNSUBSCRIBE: "ii",
        Code.CALL: "ids+",
        Code.CANCEL: "id",
        Code.REGISTER: "ids",
        Code.UNREGISTER: "ii",
        Code.YIELD: "id+",
    }.items()
}


def is_integer(value: object) -> bool:
    """Whether it is an integer; in JSON, 1.0 is one, too."""
    return type(value) is int or (isinstance(value, float) and value.is_integer())


def is_id(value: object) -> bool:
    """Whether it is an id, 1 to 2^53."""
    return is_integer(value) and 1 <= value <= MAX_ID  # type: ignore[operator]


def payload_of(args: Sequence[object], kwargs: Mapping[str, object]) -> Payload:
    """Return what a message ends with: nothing if there are no arguments."""
    if kwargs:
        return [args, kwargs]
    return [args] if args else []


def decode(text: str) -> Message:
    """Read a message that a client may send. Raises ViolationError."""
    try:
        message = read_json(text)
    except BadCommandError:
        raise ViolationError("expected JSON") from None
    if not isinstance(message, list):
        raise ViolationError("expected an array")
    first = message[0] if message else None
    form = _FORMS.get(first) if is_integer(first) else None  # type: ignore[arg-type]
    if form is None:
        raise ViolationError("expected the code of a message for a router")
    code, kinds, is_open = form
    message[0] = code
    count = len(message) - 1
    if count < len(kinds) or count > len(kinds) + 2 * is_open:
        raise ViolationError(f"{code.name.lower()}: {len(message)} elements")
    for index, (item, kind) in enumerate(zip(message[1:], kinds + "ld", strict=False), 1):
        fault = _fault_in(item, kind)
        if fault is not None:
            raise ViolationError(f"{code.name.lower()}[{index}]: {fault}")
    return message


def _fault_in(item: object, kind: str) -> str | None:
    if kind == "i":
        return None if is_id(item) else "expected an id, 1 to 2^53"
    if kind == "c":
        return None if is_integer(item) else "expected a code"
    if kind == "d":
        return fault_of(item) if isinstance(item, dict) else "expected a dictionary"
    if kind == "l":
        return fault_of(item) if isinstance(item, list) else "expected a list"
    return None if isinstance(item, str) else "expected a string"
