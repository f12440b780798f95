"""Values for everybody who iterates over them at the time."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from graphql import GraphQLError

# Values that wait for one who iterates; who has more is too slow.
MAX_WAITING = 1000

Value = TypeVar("Value")


class Broadcast(Generic[Value]):
    """Passes values on, by key."""

    def __init__(self) -> None:
        """Start without anybody."""
        self._listeners: dict[str, set[Listener[Value]]] = {}

    def publish(self, key: str, value: Value) -> None:
        """Pass a value on to everybody who iterates over those of `key`."""
        for listener in list(self._listeners.get(key, ())):
            listener.push(value)

    def subscribe(self, key: str) -> "Listener[Value]":
        """Iterate over what is published under `key` from now on."""
        others = self._listeners.setdefault(key, set())

        def leave() -> None:
            others.discard(listener)
            if not others and self._listeners.get(key) is others:
                del self._listeners[key]

        listener: Listener[Value] = Listener(leave)
        others.add(listener)
        return listener


class Listener(AsyncIterator[Value]):
    """Who iterates over values; `aclose` ends it."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        """Start without values."""
        self._on_end = on_end
        self._values: deque[Value] = deque()
        self._is_ended = self._is_late = False
        self._wake = asyncio.Event()

    def push(self, value: Value) -> None:
        """Take a value."""
        if len(self._values) < MAX_WAITING:
            self._values.append(value)
            self._wake.set()
        else:
            self._is_late = True
            self._end()

    async def __anext__(self) -> Value:
        """Return the next value. Raises GraphQLError for who has missed some."""
        while not self._values and not self._is_ended:
            self._wake.clear()
            await self._wake.wait()
        if self._values:
            return self._values.popleft()
        if not self._is_late:
            raise StopAsyncIteration
        self._is_late = False
        message = "what was published came faster than it was read"
        raise GraphQLError(message, extensions={"code": "TOO_SLOW"})

    async def aclose(self) -> None:
        """Let go."""
        self._values.clear()
        self._end()

    def _end(self) -> None:
        if not self._is_ended:
            self._is_ended = True
            self._on_end()
            self._wake.set()
