"""JSON Patch (RFC 6902) and JSON Pointer (RFC 6901)."""

import re
from collections.abc import Callable
from typing import Any

_POINTER = re.compile(r"(?:/(?:[^~]|~[01])*)?")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


class PatchError(Exception):
    """A patch that does not apply; nothing of it was done."""


def apply_patch(document: Any, patch: list[dict[str, Any]]) -> Any:  # noqa: ANN401 -- any JSON
    """Return what a patch makes of `document`, which stays as it is; both share the rest."""
    for operation in patch:
        document = _apply(document, operation)
    return document


def _apply(document: Any, operation: dict[str, Any]) -> Any:  # noqa: ANN401
    keys = _parse(operation.get("path"))
    match operation.get("op"):
        case "add":
            return _put(document, keys, _value_of(operation))
        case "replace":
            _find(document, keys)
            return _put(document, keys, _value_of(operation), is_new=False)
        case "remove":
            return _remove(document, keys)
        case "copy":
            return _put(document, keys, _find(document, _parse(operation.get("from"))))
        case "move":
            source = _parse(operation.get("from"))
            if len(keys) > len(source) and keys[: len(source)] == source:
                raise PatchError("a value cannot be moved into itself")
            moved = _find(document, source)
            # Moving the root to the root is the only move of the root there is.
            return _put(_remove(document, source), keys, moved) if source else document
        case "test":
            if not is_equal(_find(document, keys), _value_of(operation)):
                raise PatchError("a test failed")
            return document
    raise PatchError("no such operation")


def _value_of(operation: dict[str, Any]) -> Any:  # noqa: ANN401
    if "value" not in operation:
        raise PatchError("the operation has no value")
    return operation["value"]


def _parse(pointer: object) -> list[str]:
    if not isinstance(pointer, str) or _POINTER.fullmatch(pointer) is None:
        raise PatchError("not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _find(document: Any, keys: list[str]) -> Any:  # noqa: ANN401
    for key in keys:
        document = document[_key_in(document, key)]
    return document


def _key_in(holder: object, key: str, *, is_new: bool = False) -> Any:  # noqa: ANN401
    """Return the key or index that a token means; a new one may be missing."""
    if isinstance(holder, list):
        if is_new and key == "-":
            return len(holder)
        if _INDEX.fullmatch(key) and int(key) < len(holder) + is_new:
            return int(key)
    elif isinstance(holder, dict) and (is_new or key in holder):
        return key
    raise PatchError(f"there is no {key}")


def _edit(holder: Any, keys: list[str], change: Callable[[Any, str], None]) -> Any:  # noqa: ANN401
    """Do `change` to a copy of what holds the last of `keys`."""
    key, *others = keys
    if not isinstance(holder, list | dict):
        raise PatchError(f"nothing can hold {key}")
    copy = holder.copy()
    if others:
        place = _key_in(holder, key)
        copy[place] = _edit(holder[place], others, change)
    else:
        change(copy, key)
    return copy


def _put(document: Any, keys: list[str], value: object, *, is_new: bool = True) -> Any:  # noqa: ANN401
    def change(holder: Any, key: str) -> None:  # noqa: ANN401
        place = _key_in(holder, key, is_new=is_new)
        if is_new and isinstance(holder, list):
            holder.insert(place, value)
        else:
            holder[place] = value

    return _edit(document, keys, change) if keys else value


def _remove(document: Any, keys: list[str]) -> Any:  # noqa: ANN401
    def change(holder: Any, key: str) -> None:  # noqa: ANN401
        del holder[_key_in(holder, key)]

    if not keys:
        raise PatchError("the whole document cannot be removed")
    return _edit(document, keys, change)


def is_equal(a: object, b: object) -> bool:
    """Compare by RFC 6902 section 4.6; to Python true is 1, to JSON it is not."""
    return a == b and _has_same_kinds(a, b)


def _has_same_kinds(a: Any, b: Any) -> bool:  # noqa: ANN401 -- values that Python calls equal
    if isinstance(a, dict):
        return all(_has_same_kinds(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return all(map(_has_same_kinds, a, b))
    return isinstance(a, bool) == isinstance(b, bool)
