"""The documents of this server. This file is yours: a later generation leaves it as it is."""

import asyncio
import contextlib
import random
from datetime import UTC, datetime

from ws_server.documents import DocumentError, Documents

# What changes prices; without it, nothing would keep it from being forgotten.
_running: set[asyncio.Task[None]] = set()


async def start(documents: Documents, *, is_demo: bool) -> None:
    """Create documents here before the server listens, and change them whenever something happens.

    `await documents.put(name, value)` sends the difference, `await documents.patch(name,
    operations)` is RFC 6902.
    """
    since = datetime.now(UTC).isoformat(timespec="seconds")
    await documents.put("status", {"state": "running", "since": since})
    if is_demo:
        prices = {"apple": 100, "bread": 250, "coffee": 500}
        await documents.put("prices", prices)
        _running.add(asyncio.create_task(_change(documents, prices)))


async def _change(documents: Documents, prices: dict[str, int]) -> None:
    """Change one of a few prices each second, as an example."""
    while True:
        await asyncio.sleep(1)
        name = random.choice(list(prices))  # noqa: S311
        prices[name] = max(1, prices[name] + random.randint(-5, 5))  # noqa: S311
        # One that is refused is made up for by the next.
        with contextlib.suppress(DocumentError):
            await documents.put("prices", prices)
