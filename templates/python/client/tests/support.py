"""A server whose every message a test chooses."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from http import HTTPStatus
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ws_client import Options

Message = dict[str, Any]
T = TypeVar("T")

# What hangs has to fail.
LIMIT = 20
# #if applications
FEATURES = ("rooms", "history", "resume")
# #endif
# Attempts follow each other at once.
FAST = Options(backoff_base=0.001, backoff_max=0.01)


def run(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Make a test of a coroutine function."""

    @wraps(test)
    def wrapper() -> None:
        asyncio.run(asyncio.wait_for(test(), LIMIT))

    return wrapper


async def take(reader: AsyncIterator[T], count: int) -> list[T]:
    """Return the next events."""
    return [await anext(reader) for _ in range(count)]


class Peer:
    """The server's end of a connection."""

    def __init__(self, socket: ServerConnection) -> None:
        """Leave it to the test what is sent."""
        self.socket = socket

    async def next(self, kind: str) -> Message:
        """Return the client's next message, which has to be of a kind."""
        message: Message = json.loads(await self.socket.recv())
        if message["type"] != kind:
            raise AssertionError(f"no {kind}: {message}")
        return message

    # #if graphql || jsonrpc
    async def heard(self) -> Any:  # noqa: ANN401
        """Return the client's next message."""
        return json.loads(await self.socket.recv())

    # #endif
    async def send(self, *messages: Message | str) -> None:
        """Send messages; a text as it is."""
        for message in messages:
            await self.socket.send(message if isinstance(message, str) else json.dumps(message))

    # #if applications
    async def welcome(self, features: Sequence[str] = FEATURES, **more: object) -> None:
        """Let the client in."""
        message = {"client": "c1", "user": "ada", "pingIntervalMs": 25_000}
        await self.send({"type": "welcome", **message, "features": list(features), **more})

    async def reply(self, command: Message, kind: str, **more: object) -> None:
        """Answer a command."""
        await self.send({"type": kind, "id": command["id"], **more})

    # #endif
    def cut(self) -> None:
        """Break the connection off."""
        self.socket.transport.abort()


class Server:
    """Connections, in the order in which they come."""

    def __init__(self, refusals: Sequence[tuple[int, dict[str, str]]]) -> None:
        """Answer the first handshakes with these statuses and headers."""
        self.url = ""
        self.handshakes = 0
        self._refusals = list(refusals)
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()

    async def accept(self) -> Peer:
        """Wait for the next connection."""
        return await self._peers.get()

    async def handle(self, socket: ServerConnection) -> None:
        """Give the connection to the test."""
        self._peers.put_nowait(Peer(socket))
        await socket.wait_closed()

    def refuse(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer the handshake with a refusal, if one is left."""
        del request
        self.handshakes += 1
        if not self._refusals:
            return None
        status, headers = self._refusals.pop(0)
        response = socket.respond(HTTPStatus(status), "no")
        response.headers.update(headers)
        return response


@asynccontextmanager
async def serving(*refusals: tuple[int, dict[str, str]]) -> AsyncIterator[Server]:
    """Listen for the time of a block."""
    server = Server(refusals)
    # #if applications
    names = ["chat.v1", "pubsub.v1", "live-updates.v1"]
    # #else
    #~ names = ["graphql-transport-ws", "json-rpc", "wamp.2.json"]
    # #endif
    async with serve(
        server.handle,
        "127.0.0.1",
        0,
        subprotocols=[Subprotocol(name) for name in names],
        process_request=server.refuse,
        close_timeout=1,
    ) as listener:
        port = next(iter(listener.sockets)).getsockname()[1]
        server.url = f"ws://127.0.0.1:{port}/"
        yield server
