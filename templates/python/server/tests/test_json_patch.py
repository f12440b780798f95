"""Changes of documents."""

import copy
import json
import sys
from typing import Any

import pytest

from ws_server.json_patch import (
    PatchError,
    apply_patch,
    fault_of_document,
    is_equal,
    patch_between,
    read_patch,
)
from ws_server.json_value import fault_of
from ws_server.messages import BadCommandError, encode, read_json

LIMIT = 10_000


def change(document: object, operations: object) -> Any:  # noqa: ANN401 -- any JSON value
    return apply_patch(document, read_patch(operations, 1000), LIMIT)


# RFC 6902 appendix A and what it leaves open.
APPLIED: list[tuple[Any, str, Any]] = [
    ({"foo": "bar"}, '{"op":"add","path":"/baz","value":"qux"}', {"foo": "bar", "baz": "qux"}),
    ({"foo": [1, 3]}, '{"op":"add","path":"/foo/1","value":2}', {"foo": [1, 2, 3]}),
    ({"baz": 1, "foo": 2}, '{"op":"remove","path":"/baz"}', {"foo": 2}),
    ({"foo": [1, 2, 3]}, '{"op":"remove","path":"/foo/1"}', {"foo": [1, 3]}),
    ({"a": 1}, '{"op":"replace","path":"/a","value":null}', {"a": None}),
    (
        {"a": {"b": 1}, "c": {}},
        '{"op":"move","from":"/a/b","path":"/c/d"}',
        {"a": {}, "c": {"d": 1}},
    ),
    ({"a": [1, 2, 3]}, '{"op":"move","from":"/a/0","path":"/a/2"}', {"a": [2, 3, 1]}),
    ({"a": 1}, '{"op":"move","from":"/a","path":"/a"}', {"a": 1}),
    ({"a": [1]}, '{"op":"copy","from":"/a","path":"/a/-"}', {"a": [1, [1]]}),
    ({"a": 1}, '{"op":"test","path":"/a","value":1.0}', {"a": 1}),
    (
        {"a": {"b": 1, "c": 2}},
        '{"op":"test","path":"/a","value":{"c":2,"b":1}}',
        {"a": {"b": 1, "c": 2}},
    ),
    ({"a/b": 1, "m~n": 2}, '{"op":"remove","path":"/a~1b"},{"op":"remove","path":"/m~0n"}', {}),
    ({"~1": 10}, '{"op":"test","path":"/~01","value":10}', {"~1": 10}),
    ({"": 1}, '{"op":"replace","path":"/","value":2}', {"": 2}),
    (1, '{"op":"replace","path":"","value":[]}', []),
    ({"a": 1}, '{"op":"add","path":"/b","value":2,"more":3}', {"a": 1, "b": 2}),
]


@pytest.mark.parametrize(("document", "operations", "result"), APPLIED)
def test_applies_as_rfc_6902_says(document: object, operations: str, result: object) -> None:
    before = copy.deepcopy(document)
    assert change(document, json.loads(f"[{operations}]")) == result
    assert document == before


@pytest.mark.parametrize(
    ("why", "document", "operations"),
    [
        ("conflict", {"a": 1}, [{"op": "test", "path": "/a", "value": "1"}]),
        ("conflict", {"a": 1}, [{"op": "test", "path": "/a", "value": True}]),
        ("conflict", {"a": [0]}, [{"op": "test", "path": "", "value": {"a": [False]}}]),
        ("conflict", {"a": 1}, [{"op": "remove", "path": "/b"}]),
        ("conflict", {"a": 1}, [{"op": "replace", "path": "/b", "value": 1}]),
        ("conflict", {"a": 1}, [{"op": "add", "path": "/b/c", "value": 1}]),
        ("conflict", {"a": [1]}, [{"op": "add", "path": "/a/2", "value": 1}]),
        ("conflict", {"a": [1]}, [{"op": "add", "path": "/a/01", "value": 1}]),
        ("conflict", {"a": [1]}, [{"op": "add", "path": "/a/-1", "value": 1}]),
        ("conflict", {"a": [1]}, [{"op": "add", "path": "/a/\u0661", "value": 1}]),
        ("conflict", {"a": [1]}, [{"op": "remove", "path": "/a/-"}]),
        ("conflict", {"a": {}}, [{"op": "move", "from": "/a", "path": "/a/b"}]),
        ("conflict", "text", [{"op": "test", "path": "/0", "value": "t"}]),
        ("conflict", {}, [{"op": "remove", "path": ""}]),
        ("invalid", {}, {}),
        ("invalid", {}, [None]),
        ("invalid", {}, [{"op": [], "path": ""}]),
        ("invalid", {}, [{"op": "add", "path": "/a"}]),
        ("invalid", {}, [{"op": "add", "path": "a", "value": 1}]),
        ("invalid", {}, [{"op": "add", "path": "/~2", "value": 1}]),
        ("invalid", {}, [{"op": "spam", "path": "/a"}]),
        ("invalid", {}, [{"op": "move", "path": "/a"}]),
        ("invalid", {}, [{"op": "add", "path": "/__proto__/x", "value": 1}]),
        ("invalid", {}, [{"op": "add", "path": "/a", "value": [{"__proto__": {"x": 1}}]}]),
        ("invalid", {}, [{"op": "add", "path": "/a" * 65, "value": 1}]),
        ("too large", {}, [{"op": "test", "path": "", "value": {}}] * 1001),
        # Each time twice as much.
        ("too large", [1], [{"op": "copy", "from": "", "path": "/-"}] * 40),
        # Of two operations, the second fails.
        (
            "conflict",
            {"a": 1},
            [
                {"op": "replace", "path": "/a", "value": 2},
                {"op": "test", "path": "/a", "value": 1},
            ],
        ),
    ],
)
def test_refuses_the_whole(why: str, document: object, operations: object) -> None:
    before = copy.deepcopy(document)
    with pytest.raises(PatchError) as caught:
        change(document, operations)
    assert caught.value.why == why
    assert document == before


def test_does_not_copy_what_is_nested_without_end() -> None:
    value: list[Any] = []
    for _ in range(60):
        value = [value]
    step = [
        {"op": "add", "path": "/0", "value": value},
        {"op": "move", "from": "/1", "path": "/0" * 60},
    ]
    patch = [*step * 400, {"op": "copy", "from": "/0", "path": "/-"}]
    with pytest.raises(PatchError) as caught:
        apply_patch([1, []], read_patch(patch, 1000), sys.maxsize)
    assert caught.value.why == "too large"


def test_changes_what_it_copied_in_one_place_alone() -> None:
    value = [1]
    patch = [
        {"op": "add", "path": "/a/x", "value": value},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/a/x/-", "value": 2},
        {"op": "move", "from": "/a", "path": "/c"},
        {"op": "add", "path": "/c/x/0", "value": 0},
        {"op": "remove", "path": "/b/y"},
    ]
    before = {"a": {"y": 1}}
    assert change(before, patch) == {"b": {"x": [1]}, "c": {"y": 1, "x": [0, 1, 2]}}
    assert (before, value) == ({"a": {"y": 1}}, [1])


class Watched(dict[str, Any]):
    """A document that counts how often it is copied."""

    copies = 0

    def copy(self) -> "Watched":
        """Count it."""
        Watched.copies += 1
        return Watched(self)


def test_copies_a_container_once_and_not_for_each_operation() -> None:
    document = Watched({f"k{index}": 0 for index in range(1000)})
    patch = [{"op": "remove", "path": f"/{key}"} for key in document]
    assert change(document, patch) == {}
    assert (Watched.copies, len(document)) == (1, 1000)


DOCUMENTS: list[Any] = [
    {"a": 1, "b": [1, 2, 3], "c": {"d": None}},
    {"b": [1, 3], "c": {"d": "x", "e/~": 1}},
    {"b": [0, 1, 3, 4], "c": []},
    {"a": True, "b": [True, 2, 3], "c": {"d": None}},
    [],
    [[1], [2], {"a": 1}],
    [[1], {"a": 2}],
    "text",
    None,
]


@pytest.mark.parametrize("before", DOCUMENTS)
@pytest.mark.parametrize("after", DOCUMENTS)
def test_makes_a_patch_of_a_difference(before: object, after: object) -> None:
    made = change(before, patch_between(before, after, 1000))
    assert is_equal(made, after)


def test_sends_a_small_change_alone_and_many_as_one() -> None:
    long = {"text": "x" * 1000, "n": 1}
    patch = [{"op": "replace", "path": "/n", "value": 2}]
    assert patch_between(long, long | {"n": 2}, 1000) == patch
    assert len(patch_between([0] * 2000, [1] * 2000, 1000)) == 1
    assert patch_between({"n": 1, "rest": "x" * 99}, {"n": True, "rest": "x" * 99}, 9) == [
        {"op": "replace", "path": "/n", "value": True}
    ]


def nested(levels: int) -> object:
    value: object = 0
    for _ in range(levels):
        value = [value]
    return value


def test_finds_what_is_no_document() -> None:
    assert fault_of_document(nested(64)) is None
    assert "64 levels" in str(fault_of_document(nested(65)))
    for number in (float("inf"), float("nan"), 10**400):
        assert "double" in str(fault_of_document({"a": [number]}))
    assert "__proto__" in str(fault_of_document({"a": [{"__proto__": 1}]}))


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "[" * 30_000, "1 2"])
def test_reads_json_alone(text: str) -> None:
    with pytest.raises(BadCommandError):
        read_json(text)


def test_reads_numbers_that_a_double_can_hold() -> None:
    for text in ("1" * 5000, "1e400"):
        with pytest.raises(BadCommandError):
            read_json(text)
    assert fault_of(read_json(str(2**60))) is None


def test_writes_what_is_no_character_as_it_was() -> None:
    assert json.loads(encode(read_json('["\\ud800","é"]'))) == ["\ud800", "é"]
    assert encode(read_json('"\\ud83d\\ude00"')) == '"\U0001f600"'.encode()
