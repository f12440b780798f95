"""URIs of WAMP, patterns of them, and what has been put under which."""

import re
from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

# How a URI stands for others: for itself, for all that start with it, or with empty components
# for any.
Match = Literal["exact", "prefix", "wildcard"]
MATCHES: tuple[Match, ...] = ("exact", "prefix", "wildcard")

_NOT_IN_COMPONENT = re.compile(r"[\s#]")

V = TypeVar("V")


def is_reserved(uri: str) -> bool:
    """Whether only the router itself registers and publishes it."""
    return uri.startswith("wamp.")


def is_uri(uri: str, match: Match = "exact") -> bool:
    """Whether it follows the loose rules; empty components stand for any in a pattern."""
    if uri == "" or _NOT_IN_COMPONENT.search(uri) is not None:
        return False
    if match == "wildcard":
        return True
    whole = uri.removesuffix(".") if match == "prefix" else uri
    return "" not in whole.split(".")


def covers(pattern: str, by: Match, uri: str, match: Match) -> bool:
    """Whether all that `uri` stands for is among what `pattern` stands for."""
    if by == "exact":
        return match == "exact" and uri == pattern
    components = uri.split(".")
    if by == "prefix":
        if match == "wildcard" and "" in components:
            # Up to the first component that is left open.
            fixed = components[: components.index("")]
            return ".".join([*fixed, ""]).startswith(pattern)
        return uri.startswith(pattern)
    parts = pattern.split(".")
    return (
        match != "prefix"
        and len(parts) == len(components)
        and all(part in ("", own) for part, own in zip(parts, components, strict=True))
    )


@dataclass(slots=True, eq=False)
class _Node(Generic[V]):
    # By component, the empty one among them.
    next: dict[str, "_Node[V]"] = field(default_factory=dict)
    value: V | None = None


class Patterns(Generic[V]):
    """Values by URIs and patterns of URIs: to look one up does not ask each pattern."""

    def __init__(self) -> None:
        """Start without any."""
        self._exact: dict[str, V] = {}
        self._prefixes: dict[str, V] = {}
        # How many prefixes there are of each length, and the lengths in ascending order.
        self._counts: dict[int, int] = {}
        self._lengths: list[int] = []
        # Wildcards of so many components.
        self._trees: dict[int, _Node[V]] = {}

    def get(self, uri: str, match: Match) -> V | None:
        """Return the value of a pattern."""
        if match == "exact":
            return self._exact.get(uri)
        if match == "prefix":
            return self._prefixes.get(uri)
        components = uri.split(".")
        node = self._trees.get(len(components))
        for component in components:
            if node is None:
                return None
            node = node.next.get(component)
        return node.value if node is not None else None

    def add(self, uri: str, match: Match, value: V) -> None:
        """Put a value under a pattern that has none."""
        if match == "exact":
            self._exact[uri] = value
        elif match == "prefix":
            self._prefixes[uri] = value
            count = self._counts.get(len(uri), 0)
            self._counts[len(uri)] = count + 1
            if count == 0:
                insort(self._lengths, len(uri))
        else:
            components = uri.split(".")
            node = self._trees.setdefault(len(components), _Node())
            for component in components:
                node = node.next.setdefault(component, _Node())
            node.value = value

    def remove(self, uri: str, match: Match) -> None:
        """Undo `add`; what nobody needs any more is not kept."""
        if match == "exact":
            del self._exact[uri]
        elif match == "prefix":
            del self._prefixes[uri]
            self._counts[len(uri)] -= 1
            if self._counts[len(uri)] == 0:
                del self._counts[len(uri)]
                self._lengths.remove(len(uri))
        else:
            components = uri.split(".")
            way = [self._trees[len(components)]]
            for component in components:
                way.append(way[-1].next[component])
            for before, component in zip(way[-2::-1], reversed(components), strict=True):
                del before.next[component]
                if before.next:
                    return
            del self._trees[len(components)]

    def matching(self, uri: str) -> Iterator[V]:
        """Yield what stands for `uri`, in the order in which calls are routed.

        That is itself, the longest prefix, and of the wildcards the one whose components are given
        furthest from the left.
        """
        exact = self._exact.get(uri)
        if exact is not None:
            yield exact
        for length in reversed(self._lengths):
            if length <= len(uri):
                value = self._prefixes.get(uri[:length])
                if value is not None:
                    yield value
        if not self._trees:
            return
        components = uri.split(".")
        tree = self._trees.get(len(components))
        # What is still to be looked at, the preferred one last.
        nodes = [(0, tree)] if tree is not None else []
        while nodes:
            depth, node = nodes.pop()
            if depth == len(components):
                if node.value is not None:
                    yield node.value
                continue
            for way in ("", components[depth]):
                further = node.next.get(way)
                if further is not None:
                    nodes.append((depth + 1, further))
