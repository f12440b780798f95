"""Topics and patterns of them."""

import sys

import pytest

from ws_server.topics import Topics, is_pattern, is_too_broad, is_topic, matches

LONG = ".".join(["x" * 64] * 8)


def test_are_segments_and_patterns_of_them() -> None:
    for topic in ("a", "a.b", "a-1.B_2", "a.b.c.d.e.f.g.h", "__proto__"):
        assert is_topic(topic)
        assert is_pattern(topic)
    nine = "a.b.c.d.e.f.g.h.i"
    for text in ("", ".", "a.", ".a", "a..b", "a b", "a/b", "é", nine, LONG, "x" * 65, "a\n"):
        assert not is_topic(text)
        assert not is_pattern(text)
    for pattern in ("a.*", "a.#", "a.*.c.#", "*", "#", "*.a"):
        assert is_pattern(pattern)
        assert not is_topic(pattern)
    for text in ("a.#.b", "a.b*", "a.**", "#.a", "a#"):
        assert not is_pattern(text)


def test_are_too_broad_without_a_first_segment() -> None:
    broad = ["#", "*", "*.a", "*.#"]
    assert list(filter(is_too_broad, [*broad, "a", "a.#"])) == broad


CASES = {
    "a": (["a"], ["b", "a.b"]),
    "a.b": (["a.b"], ["a", "a.c", "a.b.c"]),
    "a.*": (["a.b", "a.c"], ["a", "a.b.c", "b.c"]),
    "a.#": (["a", "a.b", "a.b.c.d.e.f.g.h"], ["b", "ab.c"]),
    "a.*.c": (["a.b.c"], ["a.c", "a.b.d", "a.b.b.c"]),
    "a.*.#": (["a.b", "a.b.c"], ["a", "b.c"]),
    "a.*.*.#": (["a.b.c", "a.b.c.d"], ["a.b"]),
}


@pytest.mark.parametrize("pattern", CASES)
def test_match_or_not(pattern: str) -> None:
    matching, others = CASES[pattern]
    assert [topic for topic in matching + others if matches(pattern, topic)] == matching


def test_match_as_a_tree_as_each_pattern_does_alone() -> None:
    every = {topic for lists in CASES.values() for topics in lists for topic in topics}
    topics: Topics[str] = Topics()
    for pattern in CASES:
        topics.add(pattern, pattern)
    for topic in every:
        assert topics.match(topic) == {pattern for pattern in CASES if matches(pattern, topic)}
    topics.discard("a.*", "a.*")
    topics.discard("a.x.y", "nobody")
    assert topics.match("a.b") == {"a.b", "a.#", "a.*.#"}
    for pattern in CASES:
        topics.discard(pattern, pattern)
    assert not any(map(topics.match, every))
    assert not topics._root.next  # noqa: SLF001 -- nothing is kept


def test_name_a_subscriber_once() -> None:
    topics: Topics[str] = Topics()
    for pattern in ("a.#", "a.*", "a.b", "a.b.#"):
        topics.add(pattern, "ada")
    topics.add("a.*", "bob")
    assert sorted(topics.match("a.b")) == ["ada", "bob"]


def test_take_few_steps_however_many_patterns_there_are() -> None:
    topics: Topics[str] = Topics()
    # All patterns that match: two ways at each segment but the first, and each end.
    for bits in range(128):
        parts = [
            "*" if index and bits >> (index - 1) & 1 else segment
            for index, segment in enumerate("abcdefgh")
        ]
        for pattern in (".".join(parts), ".".join([*parts[:7], "#"])):
            topics.add(pattern, pattern)
    for index in range(10_000):
        topics.add(f"a.other{index}.#", "other")
    steps = 0

    def count(_frame: object, event: str, called: object) -> None:
        nonlocal steps
        steps += event == "c_call" and getattr(called, "__name__", "") == "get"

    sys.setprofile(count)
    found = topics.match("a.b.c.d.e.f.g.h")
    sys.setprofile(None)
    assert 0 < steps <= 2 * 2**8
    assert len(found) == 128 + 64
