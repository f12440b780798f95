"""Events for one reader, in order and bounded."""

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar

E = TypeVar("E")


class Feed(Generic[E]):
    """An async iterator: `async for event in feed`."""

    def __init__(self, limit: int, gap: E | None = None) -> None:
        """Hold `limit` events at most.

        When more wait all of them are dropped, and `gap` says so; without one, the oldest is.
        """
        self._events: deque[E] = deque(maxlen=limit)
        self._gap = gap
        self._changed = asyncio.Event()
        self._is_over = False
        self._error: Exception | None = None

    @property
    def size(self) -> int:
        """How many events wait."""
        return len(self._events)

    def put(self, event: E) -> None:
        """Add an event."""
        if len(self._events) == self._events.maxlen and self._gap is not None:
            self._events.clear()
            self._events.append(self._gap)
        self._events.append(event)
        self._changed.set()

    def end(self, error: Exception | None = None) -> None:
        """End the iteration after what waits, with an error if there is one."""
        if not self._is_over:
            self._is_over = True
            self._error = error
            self._changed.set()

    def __aiter__(self) -> Self:
        """Return itself: what one loop has taken, another does not get."""
        return self

    async def __anext__(self) -> E:
        """Wait for the next event."""
        while not self._events:
            if self._is_over:
                if self._error is not None:
                    raise self._error
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()
