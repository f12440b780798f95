"""The operations of RFC 6902, done whole or not at all."""

from copy import deepcopy
from typing import Any

import pytest

from ws_client import PatchError, apply_patch
from ws_client.json_patch import is_equal


@pytest.mark.parametrize(
    ("document", "patch", "expected"),
    [
        ({"a": 1}, [], {"a": 1}),
        ({"a": 1}, [{"op": "add", "path": "/b", "value": [2]}], {"a": 1, "b": [2]}),
        ({"a": [1, 3]}, [{"op": "add", "path": "/a/1", "value": 2}], {"a": [1, 2, 3]}),
        ({"a": [1]}, [{"op": "add", "path": "/a/-", "value": 2}], {"a": [1, 2]}),
        ({"a": 1}, [{"op": "add", "path": "", "value": None}], None),
        ({"a": 1}, [{"op": "add", "path": "/", "value": 2}], {"a": 1, "": 2}),
        ({"a": 1, "b": 2}, [{"op": "remove", "path": "/a"}], {"b": 2}),
        ([1, 2, 3], [{"op": "remove", "path": "/1"}], [1, 3]),
        ({"a": 1}, [{"op": "replace", "path": "/a", "value": False}], {"a": False}),
        ([1, 2], [{"op": "replace", "path": "/0", "value": 9}], [9, 2]),
        ({"a": {"b": 1}}, [{"op": "move", "from": "/a/b", "path": "/c"}], {"a": {}, "c": 1}),
        ([1, 2, 3], [{"op": "move", "from": "/0", "path": "/2"}], [2, 3, 1]),
        ({"a": 1}, [{"op": "move", "from": "", "path": ""}], {"a": 1}),
        ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
        ({"a/b": 1, "c~d": 2}, [{"op": "remove", "path": "/a~1b"}], {"c~d": 2}),
        ({"a/b": 1, "c~d": 2}, [{"op": "remove", "path": "/c~0d"}], {"a/b": 1}),
        ({"a": [{"b": 1}]}, [{"op": "test", "path": "/a/0", "value": {"b": 1}}], {"a": [{"b": 1}]}),
    ],
)
def test_it_applies(document: Any, patch: list[dict[str, Any]], expected: Any) -> None:  # noqa: ANN401
    before = deepcopy(document)
    assert is_equal(apply_patch(document, patch), expected)
    assert is_equal(document, before)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/a/4", "value": 1},
        {"op": "add", "path": "/a/01", "value": 1},
        {"op": "add", "path": "/x/y", "value": 1},
        {"op": "add", "path": "/n/y", "value": 1},
        {"op": "add", "path": "/b"},
        {"op": "add", "path": "b", "value": 1},
        {"op": "add", "path": "/~2", "value": 1},
        {"op": "add", "path": None, "value": 1},
        {"op": "remove", "path": ""},
        {"op": "remove", "path": "/x"},
        {"op": "remove", "path": "/a/-"},
        {"op": "replace", "path": "/x", "value": 1},
        {"op": "replace", "path": "/a/3", "value": 1},
        {"op": "move", "from": "/o", "path": "/o/p"},
        {"op": "move", "from": "/x", "path": "/y"},
        {"op": "copy", "path": "/y"},
        {"op": "test", "path": "/n", "value": True},
        {"op": "test", "path": "/a", "value": [1, 2]},
        {"op": "rename", "path": "/a"},
        {"path": "/a"},
    ],
)
def test_it_does_nothing_where_an_operation_does_not_apply(operation: dict[str, Any]) -> None:
    document = {"a": [1, 2, 3], "n": 1, "o": {}}
    before = deepcopy(document)
    with pytest.raises(PatchError):
        apply_patch(document, [{"op": "add", "path": "/b", "value": 1}, operation])
    assert document == before
