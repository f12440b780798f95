"""A client at the other end of a conversation, without sockets."""

import asyncio
import json
# #if metrics
from collections import Counter
# #endif
from typing import Any

from ws_server.conversation import Conversation, Remote, Step
from ws_server.hooks import Identity

ADA = Identity("ada")


class FakeRemote(Remote):
    """Notes what it is sent."""

    id = "1"
    subprotocol = ""
    is_open = True
    # #if auth
    identity: Identity | None = ADA
    # #else
    #~ identity = ADA
    # #endif

    def __init__(self) -> None:
        """Start with nothing sent."""
        self.conversation = Conversation()
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self.closed: tuple[int, str] | None = None
        self.is_closed = asyncio.Event()
        self.spent = self.warnings = 0
        self.logged: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()
        # #if metrics
        self.counts: Counter[str] = Counter()
        # #endif

    async def say(self, message: object) -> None:
        """Let the client send a message; a text is sent as it is."""
        text = message if isinstance(message, str) else json.dumps(message)
        step = self.conversation.receive(text)
        if step is not None:
            await step

    async def next(self) -> Any:  # noqa: ANN401 -- whatever the server says
        """Return the next message of the server."""
        async with asyncio.timeout(20):
            return await self.sent.get()

    async def ask(self, message: object) -> Any:  # noqa: ANN401
        """Return the answer to a message."""
        await self.say(message)
        return await self.next()

    async def leave(self) -> None:
        """End the connection."""
        self.conversation.close()
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # #if auth
    async def authenticate(self, token: str) -> Identity | None:
        """Let in whoever says "good"."""
        self.identity = ADA if token == "good" else None  # noqa: S105
        return self.identity

    # #if wamp
    def admit(self) -> None:
        """Let it in."""

    # #endif
    # #endif
    def send(self, text: str, kind: str) -> None:
        """Note a message."""
        assert kind
        self.sent.put_nowait(json.loads(text))

    async def drained(self) -> None:
        """Read at once."""

    def close(self, code: int, reason: str) -> None:
        """Note why."""
        self.closed = self.closed or (code, reason)
        self.is_closed.set()

    def spend(self, messages: int) -> None:
        """Count."""
        self.spent += messages

    def warn(self) -> bool:
        """Count."""
        self.warnings += 1
        return True

    # #if metrics
    def received(self, kind: str) -> None:
        """Count."""
        self.counts[kind] += 1

    # #endif
    def spawn(self, step: Step) -> asyncio.Task[None]:
        """Run it."""

        async def run() -> None:
            await step

        task = asyncio.get_running_loop().create_task(run())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda _: step.close())
        return task

    def log(self, level: str, event: str, **_: object) -> None:
        """Note the event."""
        assert level
        self.logged.append(event)
