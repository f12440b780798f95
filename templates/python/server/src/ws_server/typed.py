"""Values of annotated types, read from JSON."""

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

# Returns a value; raises Fault.
Reader = Callable[[object], Any]


class Fault(Exception):  # noqa: N818 -- of a value, which is data of others
    """A value has another form."""

    def __init__(self, reason: str, path: tuple[str, ...] = ()) -> None:
        """Name what is wrong, and where."""
        super().__init__(reason)
        self.reason = reason
        self.path = path

    def to_json(self) -> dict[str, object]:
        """Write it as clients get it."""
        return {"path": list(self.path), "reason": self.reason}

    def inside(self, key: object) -> "Fault":
        """Return it as it is seen from what holds the value."""
        return Fault(self.reason, (str(key), *self.path))


def reader_of(hint: Any) -> Reader:  # noqa: ANN401 -- annotations have no type of their own
    """Return what reads values of a type.

    `int`, `float`, `str`, `bool`, `None`, `object`, `list[T]`, `dict[str, T]`, `Literal[...]`,
    `A | B`, a dataclass, and `Annotated[T, check]`, where `check` returns the value or raises
    ValueError, which says what is expected. Raises TypeError for other types.
    """
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _checked(reader_of(inner[0]), inner[1:])
    if origin is Literal:
        return _one_of(inner)
    if origin is list:
        return _list_of(reader_of(inner[0]))
    if origin is dict and inner[0] is str:
        return _dict_of(reader_of(inner[1]))
    if origin in (Union, UnionType):
        return _any_of([reader_of(one) for one in inner])
    if isinstance(hint, type) and is_dataclass(hint):
        return _object_of(hint)
    raise TypeError(f"{hint} cannot be read from JSON")


def read_members(
    value: dict[str, Any], readers: dict[str, Reader], required: frozenset[str]
) -> dict[str, Any]:
    """Read the members of an object, and no others. Raises Fault."""
    for name in value:
        if name not in readers:
            raise Fault(f"unknown key {name[:32]!a}")
    read: dict[str, Any] = {}
    for name, reader in readers.items():
        if name in value:
            try:
                read[name] = reader(value[name])
            except Fault as fault:
                raise fault.inside(name) from None
        elif name in required:
            raise Fault("expected", (name,))
    return read


def _plain(kind: type, expected: str) -> Reader:
    def read(value: object) -> object:
        if isinstance(value, kind):
            return value
        raise Fault(f"expected {expected}")

    return read


def _integer(value: object) -> int:
    # In JSON, 1.0 is an integer, too.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Fault("expected an integer")


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise Fault("expected a number")


def _anything(value: object) -> object:
    return value


_PLAIN: dict[Any, Reader] = {
    str: _plain(str, "a text"),
    bool: _plain(bool, "true or false"),
    None: _plain(NoneType, "null"),
    NoneType: _plain(NoneType, "null"),
    int: _integer,
    float: _number,
    object: _anything,
    Any: _anything,
}


def _checked(reader: Reader, checks: tuple[Any, ...]) -> Reader:
    def read(value: object) -> object:
        found = reader(value)
        try:
            for check in checks:
                found = check(found)
        except ValueError as error:
            raise Fault(str(error)) from None
        return found

    return read


def _one_of(values: tuple[object, ...]) -> Reader:
    def read(value: object) -> object:
        for one in values:
            if type(one) is type(value) and one == value:
                return one
        raise Fault(f"expected {' or '.join(map(repr, values))}")

    return read


def _list_of(reader: Reader) -> Reader:
    def read(value: object) -> list[object]:
        if not isinstance(value, list):
            raise Fault("expected a list")
        return [_read_at(index, reader, item) for index, item in enumerate(value)]

    return read


def _dict_of(reader: Reader) -> Reader:
    def read(value: object) -> dict[str, object]:
        if not isinstance(value, dict):
            raise Fault("expected an object")
        return {key: _read_at(key, reader, item) for key, item in value.items()}

    return read


def _read_at(key: object, reader: Reader, value: object) -> object:
    try:
        return reader(value)
    except Fault as fault:
        raise fault.inside(key) from None


def _any_of(readers: list[Reader]) -> Reader:
    def read(value: object) -> object:
        reasons: list[str] = []
        for reader in readers:
            try:
                return reader(value)
            except Fault as fault:
                if fault.path:
                    # The one that it comes near to.
                    raise
                reasons.append(fault.reason.removeprefix("expected "))
        raise Fault(f"expected {' or '.join(reasons)}")

    return read


def _object_of(kind: type) -> Reader:
    hints = get_type_hints(kind, include_extras=True)
    own = [field for field in fields(kind) if field.init]
    readers = {field.name: reader_of(hints[field.name]) for field in own}
    required = frozenset(
        field.name for field in own if field.default is MISSING and field.default_factory is MISSING
    )

    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise Fault("expected an object")
        return kind(**read_members(value, readers, required))

    return read
