"""Tokens are fetched when they are needed, and no more often."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

# #if chat
from ws_client import ChatClient as Client
# #endif
from ws_client import ClientError, Options
# #if pubsub
from ws_client import PubsubClient as Client
# #endif
# #if live
from ws_client import LiveUpdatesClient as Client
# #endif

from .support import FAST, Peer, run, serving


class Purse:
    """Gives t1, t2 and so on."""

    def __init__(self) -> None:
        """Have given none."""
        self.given = 0

    async def __call__(self) -> str:
        """Give another token."""
        await asyncio.sleep(0)
        self.given += 1
        return f"t{self.given}"


async def asked(peer: Peer) -> str:
    """Ask for a token, and return it."""
    await peer.send({"type": "auth-required", "timeoutMs": 10_000})
    return str((await peer.next("auth"))["token"])


@asynccontextmanager
async def client_of(url: str, purse: Purse, options: Options = FAST) -> AsyncIterator[Client]:
    client = Client(url, get_token=purse, options=options)
    client.start()
    try:
        yield client
    finally:
        await client.close()


@run
async def test_a_token_is_used_until_it_is_refused() -> None:
    purse = Purse()
    async with serving() as server, client_of(server.url, purse):
        peer = await server.accept()
        assert await asked(peer) == "t1"
        await peer.welcome()
        peer.cut()
        peer = await server.accept()
        assert await asked(peer) == "t1"
        await peer.welcome()
        await peer.socket.close(4401)
        assert await asked(await server.accept()) == "t2"


@run
async def test_a_refused_token_is_replaced_once() -> None:
    purse = Purse()
    async with serving() as server, client_of(server.url, purse) as client:
        events = client.events()
        for token in ("t1", "t2"):
            peer = await server.accept()
            assert await asked(peer) == token
            await peer.socket.close(4501)
        while client.state.name != "closed":
            await anext(events)
        assert client.state.code == 4501


@run
async def test_a_token_that_expires_is_replaced_on_the_connection() -> None:
    purse = Purse()
    async with serving() as server, client_of(server.url, purse):
        peer = await server.accept()
        assert await asked(peer) == "t1"
        await peer.welcome()
        # Whoever is asked twice at the same time fetches once.
        warning = {"type": "token-expiring", "expiresInMs": 5000}
        await peer.send(warning, warning)
        assert (await peer.next("auth"))["token"] == "t2"
        expires_at = (datetime.now(UTC) + timedelta(seconds=1.2)).isoformat()
        await peer.send({"type": "authenticated", "expiresAt": expires_at})
        # This server does not warn.
        assert (await peer.next("auth"))["token"] == "t3"


@run
async def test_the_same_token_is_sent_later_to_a_server_that_cannot_check_it() -> None:
    purse = Purse()
    async with serving() as server, client_of(server.url, purse) as client:
        peer = await server.accept()
        await peer.send({"type": "auth-required", "timeoutMs": 10_000})
        command = await peer.next("auth")
        later = {"code": "unavailable", "message": "later", "retryAfterMs": 100}
        await peer.reply(command, "error", **later)
        await peer.socket.close(1013)
        events = client.events()
        while client.state.name != "waiting":
            await anext(events)
        assert client.state.retry_in is not None
        assert client.state.retry_in >= 0.1
        peer = await server.accept()
        assert await asked(peer) == "t1"
        await peer.welcome()
        await peer.send({"type": "token-expiring", "expiresInMs": 5000})
        command = await peer.next("auth")
        await peer.reply(command, "error", **{**later, "retryAfterMs": 1})
        assert (await peer.next("auth"))["token"] == command["token"] == "t2"


@run
async def test_a_token_that_cannot_be_had_is_an_error_and_another_attempt() -> None:
    calls = 0

    def get_token() -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("away")
        return "t1"

    async with serving() as server:
        client = Client(server.url, get_token=get_token, options=FAST)
        events = client.events()
        client.start()
        peer = await server.accept()
        await peer.send({"type": "auth-required", "timeoutMs": 10_000})
        event = await anext(events)
        while not isinstance(event, ClientError):
            event = await anext(events)
        assert event.code == "token"
        assert await asked(await server.accept()) == "t1"
        await client.close()


@run
async def test_the_server_limits_the_time_for_a_token() -> None:
    async def get_token() -> str:
        await asyncio.Event().wait()
        return "never"

    async with serving() as server:
        client = Client(server.url, get_token=get_token, options=FAST)
        client.start()
        peer = await server.accept()
        events = client.events()
        await peer.send({"type": "auth-required", "timeoutMs": 100})
        while client.state.name != "waiting":
            await anext(events)
        assert client.state.reason == "no token in time"
        await client.close()
