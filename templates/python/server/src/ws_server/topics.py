"""Topics, patterns of them, and who subscribes to which."""

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MAX_SEGMENTS = 8
# Characters of a whole topic.
MAX_LENGTH = 255

_LITERAL = re.compile("[A-Za-z0-9_-]{1,64}")

S = TypeVar("S", bound=Hashable)


def is_topic(text: str) -> bool:
    """Whether `text` is segments of letters, digits, `_` and `-`, joined by `.`."""
    return _is_bounded(text) and all(map(_is_literal, text.split(".")))


def is_pattern(text: str) -> bool:
    """Whether `text` is a topic whose segments may be `*`: any one, and the last `#`: any number.

    Whether it would match too much is another question, see is_too_broad.
    """
    *segments, last = text.split(".")
    return (
        _is_bounded(text)
        and all(one == "*" or _is_literal(one) for one in segments)
        and (last in ("*", "#") or _is_literal(last))
    )


def _is_bounded(text: str) -> bool:
    return len(text) <= MAX_LENGTH and text.count(".") < MAX_SEGMENTS


def _is_literal(segment: str) -> bool:
    return _LITERAL.fullmatch(segment) is not None


def is_too_broad(pattern: str) -> bool:
    """Whether the first segment of a pattern, which names its stream, is left open."""
    return not _is_literal(stream_of(pattern))


def stream_of(topic: str) -> str:
    """Return the first segment of a topic or pattern: those that share it are one stream."""
    return topic.partition(".")[0]


def matches(pattern: str, topic: str) -> bool:
    """Whether `topic` is one of those that `pattern` stands for."""
    parts, segments = pattern.split("."), topic.split(".")
    if parts[-1] == "#":
        parts.pop()
        segments = segments[: len(parts)]
    return len(parts) == len(segments) and all(
        part in ("*", segment) for part, segment in zip(parts, segments, strict=True)
    )


@dataclass(slots=True, eq=False)
class _Node(Generic[S]):
    # By segment, `*` among them.
    next: dict[str, "_Node[S]"] = field(default_factory=dict)
    # Whose pattern ends here, and whose pattern has its `#` here.
    exact: set[S] = field(default_factory=set)
    open: set[S] = field(default_factory=set)


class Topics(Generic[S]):
    """Patterns as a tree of segments, so that ten thousand cost a match no more than ten.

    At each segment of a topic there are two ways at most.
    """

    def __init__(self) -> None:
        """Start without any."""
        self._root: _Node[S] = _Node()

    def add(self, pattern: str, subscriber: S) -> None:
        """Let a subscriber have what matches."""
        node = self._root
        *segments, last = pattern.split(".")
        for segment in segments if last == "#" else [*segments, last]:
            node = node.next.setdefault(segment, _Node())
        (node.open if last == "#" else node.exact).add(subscriber)

    def discard(self, pattern: str, subscriber: S) -> None:
        """Undo `add`; what nobody needs any more is not kept."""
        way: list[tuple[_Node[S], str]] = []
        node = self._root
        *segments, last = pattern.split(".")
        for segment in segments if last == "#" else [*segments, last]:
            if segment not in node.next:
                return
            way.append((node, segment))
            node = node.next[segment]
        (node.open if last == "#" else node.exact).discard(subscriber)
        for before, segment in reversed(way):
            if node.next or node.exact or node.open:
                return
            del before.next[segment]
            node = before

    def match(self, topic: str) -> set[S]:
        """Return who gets a message of `topic`, however many patterns of theirs match."""
        found: set[S] = set()
        nodes = [self._root]
        for segment in topic.split("."):
            found.update(*(node.open for node in nodes))
            ways = (node.next.get(way) for node in nodes for way in (segment, "*"))
            nodes = [node for node in ways if node is not None]
        return found.union(*(node.exact | node.open for node in nodes))
