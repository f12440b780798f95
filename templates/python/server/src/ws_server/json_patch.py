"""Changes of JSON documents (RFC 6902), each done whole or not at all."""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from .json_value import MAX_DEPTH, fault_of
from .messages import encode

Operation = dict[str, Any]
Patch = list[Operation]

_MEMBERS = {
    "add": ("value",),
    "remove": (),
    "replace": ("value",),
    "test": ("value",),
    "move": ("from",),
    "copy": ("from",),
}
# RFC 6901 section 3.
_POINTER = re.compile(r"(?:/(?:[^~]|~[01])*)?")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")


class PatchError(Exception):
    """A patch that is none, that does not apply, or that makes too much."""

    def __init__(self, why: Literal["invalid", "conflict", "too large"], message: str) -> None:
        """Say why, to a program and to its user."""
        super().__init__(message)
        self.why = why


def fault_of_document(value: object) -> str | None:
    """Return why a value is no document; None if it is one.

    To JavaScript, which many clients are written in, the key `__proto__` means something else.
    """
    return fault_of(value) or ('expected no key "__proto__"' if _has_proto(value) else None)


def _has_proto(value: object) -> bool:
    if isinstance(value, dict):
        return "__proto__" in value or any(map(_has_proto, value.values()))
    return isinstance(value, list) and any(map(_has_proto, value))


def read_patch(value: object, limit: int) -> Patch:
    """Check that `value` is a patch of at most `limit` operations; unknown members are left out.

    Raises PatchError.
    """
    if not isinstance(value, list):
        raise PatchError("invalid", "expected a list of operations")
    if len(value) > limit:
        raise PatchError("too large", f"expected at most {limit} operations")
    return [_read_operation(item, index) for index, item in enumerate(value)]


def _read_operation(item: object, index: int) -> Operation:
    def refuse(message: str) -> PatchError:
        return PatchError("invalid", f"operation {index}: {message}")

    if not isinstance(item, dict):
        raise refuse("expected an object")
    op = item.get("op")
    names = _MEMBERS.get(op) if isinstance(op, str) else None
    if names is None:
        raise refuse("op: expected add, remove, replace, move, copy or test")
    for name in ("path", *names):
        if name == "value":
            fault = fault_of_document(item[name]) if name in item else "expected a JSON value"
        else:
            fault = _fault_of_pointer(item.get(name))
        if fault is not None:
            raise refuse(f"{name}: {fault}")
    return {name: item[name] for name in ("op", "path", *names)}


def _fault_of_pointer(pointer: object) -> str | None:
    if not isinstance(pointer, str) or _POINTER.fullmatch(pointer) is None:
        return "expected a JSON pointer"
    tokens = _tokens_of(pointer)
    if len(tokens) > MAX_DEPTH:
        return f"expected at most {MAX_DEPTH} levels"
    return 'expected no key "__proto__"' if "__proto__" in tokens else None


def _tokens_of(pointer: str) -> list[str]:
    parts = pointer.split("/")[1:]
    return [part.replace("~1", "/").replace("~0", "~") for part in parts]


def apply_patch(document: Any, patch: Patch, limit: int) -> Any:  # noqa: ANN401 -- any JSON value
    """Return what a patch makes of `document`, which stays as it is.

    What the patch copies takes `limit` bytes at most. Raises PatchError.
    """
    return _Edit(limit).run(document, patch)


class _Edit:
    """Copies what is on the way to the place of a change, once in a patch, and shares the rest."""

    def __init__(self, limit: int) -> None:
        self._space = limit
        # Made by this patch, by identity: what comes next may change them.
        self._own: dict[int, object] = {}

    def run(self, document: Any, patch: Patch) -> Any:  # noqa: ANN401
        for operation in patch:
            document = self._do(document, operation)
        return document

    def _do(self, document: Any, operation: Operation) -> Any:  # noqa: ANN401
        op, path = operation["op"], operation["path"]
        tokens = _tokens_of(path)
        if op == "add":
            return self._change(document, tokens, "add", operation["value"])
        if op == "remove":
            return self._remove(document, tokens)
        if op == "replace":
            _get(document, tokens)
            return self._change(document, tokens, "replace", operation["value"])
        if op == "test":
            if not is_equal(_get(document, tokens), operation["value"]):
                raise PatchError("conflict", f"the test of {json.dumps(path)} failed")
            return document
        source = operation["from"]
        value = _get(document, _tokens_of(source))
        if op == "copy":
            return self._change(document, tokens, "add", self._copy(value))
        if source == path:
            return document
        if path.startswith(f"{source}/"):
            raise PatchError("conflict", "nothing is moved into itself")
        return self._change(self._remove(document, _tokens_of(source)), tokens, "add", value)

    def _copy(self, value: object) -> Any:  # noqa: ANN401
        try:
            text = encode(value)
        except RecursionError as error:
            raise PatchError("too large", "what the patch copies is nested too deep") from error
        self._space -= len(text)
        if self._space < 0:
            raise PatchError("too large", "the patch copies too much")
        return json.loads(text)

    def _remove(self, document: Any, tokens: Sequence[str]) -> Any:  # noqa: ANN401
        if not tokens:
            raise PatchError("conflict", "the whole document is not removed")
        return self._change(document, tokens, "remove")

    def _change(
        self,
        container: Any,  # noqa: ANN401
        tokens: Sequence[str],
        how: Literal["add", "replace", "remove"],
        value: object = None,
    ) -> Any:  # noqa: ANN401
        if not tokens:
            return value
        token, *others = tokens
        key = _key_in(container, token, is_new=not others and how == "add")
        if id(container) not in self._own:
            container = container.copy()
            self._own[id(container)] = container
        if others:
            container[key] = self._change(container[key], others, how, value)
        elif how == "remove":
            del container[key]
        elif how == "add" and isinstance(container, list):
            container.insert(key, value)
        else:
            container[key] = value
        return container


def _get(document: Any, tokens: Sequence[str]) -> Any:  # noqa: ANN401
    for token in tokens:
        document = document[_key_in(document, token)]
    return document


def _key_in(container: object, token: str, *, is_new: bool = False) -> Any:  # noqa: ANN401
    """Return the key or index that a token means (RFC 6901 section 4); a new one may be missing."""
    if isinstance(container, list):
        if is_new and token == "-":  # noqa: S105
            return len(container)
        if _INDEX.fullmatch(token) and int(token) < len(container) + is_new:
            return int(token)
    elif isinstance(container, dict) and (is_new or token in container):
        return token
    raise PatchError("conflict", f"there is no {json.dumps(token)}")


def is_equal(a: object, b: object) -> bool:
    """Compare by RFC 6902 section 4.6; to Python true is 1, to JSON it is not."""
    return a == b and _has_same_kinds(a, b)


def _has_same_kinds(a: Any, b: Any) -> bool:  # noqa: ANN401 -- values that Python calls equal
    if isinstance(a, dict):
        return all(_has_same_kinds(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return all(map(_has_same_kinds, a, b))
    return isinstance(a, bool) == isinstance(b, bool)


def patch_between(before: object, after: object, limit: int) -> Patch:
    """Return a patch that makes `after` of `before`, in time that grows with their size.

    It is not the shortest one for lists whose middle has moved. Where it would be no shorter than
    `after`, it replaces the whole.
    """
    patch: Patch = []
    _compare(before, after, "", patch)
    whole: Patch = [{"op": "replace", "path": "", "value": after}]
    return patch if len(patch) <= limit and len(encode(patch)) < len(encode(whole)) else whole


def _compare(before: object, after: object, path: str, patch: Patch) -> None:
    if is_equal(before, after):
        return
    if isinstance(before, list) and isinstance(after, list):
        _compare_lists(before, after, path, patch)
    elif isinstance(before, dict) and isinstance(after, dict):
        for key in before:
            if key not in after:
                patch.append({"op": "remove", "path": _join(path, key)})
        for key, value in after.items():
            place = _join(path, key)
            if key in before:
                _compare(before[key], value, place, patch)
            else:
                patch.append({"op": "add", "path": place, "value": value})
    else:
        patch.append({"op": "replace", "path": path, "value": after})


def _compare_lists(before: list[Any], after: list[Any], path: str, patch: Patch) -> None:
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and is_equal(before[start], after[start]):
        start += 1
    end = 0
    while end < shorter - start and is_equal(before[-1 - end], after[-1 - end]):
        end += 1
    at = shorter - end
    for index in range(start, at):
        _compare(before[index], after[index], _join(path, str(index)), patch)
    for index in range(len(before) - end - 1, at - 1, -1):
        patch.append({"op": "remove", "path": _join(path, str(index))})
    for index in range(at, len(after) - end):
        patch.append({"op": "add", "path": _join(path, str(index)), "value": after[index]})


def _join(path: str, key: str) -> str:
    return f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
