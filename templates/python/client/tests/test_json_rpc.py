"""Calls in both directions, against a server whose every message a test chooses."""

import asyncio
import json
# #if auth
from collections.abc import AsyncIterator, Callable
# #else
#~ from collections.abc import AsyncIterator
# #endif
from contextlib import asynccontextmanager
# #if auth
from datetime import UTC, datetime, timedelta
# #endif
from typing import Any, Protocol

import pytest

from ws_client import ClientError, JsonRpcClient, Options, RpcError

from .support import FAST, LIMIT, Peer, Server, run, serving


class Methods(Protocol):
    """What the server of these tests can do."""

    async def add(self, a: int, b: int) -> int:
        """Add."""

    async def list(self) -> list[str]:
        """List."""


@asynccontextmanager
async def talking(options: Options = FAST) -> AsyncIterator[tuple[Server, JsonRpcClient, Peer]]:
    async with serving() as server, JsonRpcClient(server.url, options=options) as client:
        yield server, client, await server.accept()


async def code_of(call: asyncio.Future[Any]) -> str:
    with pytest.raises(ClientError) as caught:
        await call
    return caught.value.code


def reply(key: object, **more: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": key, **more}


async def until(client: JsonRpcClient, name: str) -> str:
    """Return why the client is in a state."""
    events = client.events()
    while client.state.name != name:
        await anext(events)
    return client.state.reason


@run
async def test_it_calls_and_gets_results_and_errors_in_whatever_order_they_come() -> None:
    async with talking() as (_, client, peer):
        assert peer.socket.subprotocol == "json-rpc"
        methods: Methods = client.server
        by_name = asyncio.ensure_future(methods.add(a=1, b=2))
        listed = asyncio.ensure_future(methods.list())
        by_place = asyncio.ensure_future(client.call("math.add", 1, "é"))
        assert await peer.heard() == reply(1, method="add", params={"a": 1, "b": 2})
        assert await peer.heard() == reply(2, method="list")
        assert await peer.heard() == reply(3, method="math.add", params=[1, "é"])
        error = {"code": 7, "message": "none left", "data": [1]}
        odd = {**reply(1, result=4), "id": True}
        await peer.send(reply(2, error=error), odd, reply(1, result=3))
        assert await by_name == 3
        with pytest.raises(RpcError, match="7: none left") as caught:
            await listed
        assert (caught.value.code, caught.value.data) == (7, [1])
        await peer.send(reply(3, error="odd"))
        with pytest.raises(RpcError, match="odd"):
            await by_place
        with pytest.raises(TypeError, match="names for all"):
            await client.call("add", 1, b=2)


def answer(count: int) -> object:
    if count == 1:
        raise RpcError(5, "busy", "later")
    if count == 2:
        raise KeyError("a bug")
    if count == 3:
        raise RpcError(6, "no JSON", {4})
    return {4} if count == 4 else f"Ada {count}"


INTERNAL = {"code": -32603, "message": "Internal error"}
INVALID = {"error": {"code": -32600, "message": "Invalid Request"}}


@run
async def test_it_is_called_and_told_and_answers() -> None:
    async def later(*, count: int) -> str:
        await asyncio.sleep(0)
        return f"later {count}"

    async with talking() as (_, client, peer):
        events = client.events()
        stop = client.handle("name", answer)
        client.handle("later", later)
        for count, outcome in (
            (0, {"result": "Ada 0"}),
            (1, {"error": {"code": 5, "message": "busy", "data": "later"}}),
            (2, {"error": INTERNAL}),
            (3, {"error": INTERNAL}),
            (4, {"error": INTERNAL}),
        ):
            told = {"jsonrpc": "2.0", "method": "name", "params": [0]}
            await peer.send(told, reply(count, method="name", params=[count]))
            assert await peer.heard() == reply(count, **outcome)
        assert [str(await anext(events)).split(":")[0] for _ in range(3)] == ["handler"] * 3
        await peer.send(reply("x", method="later", params={"count": 7}))
        assert await peer.heard() == reply("x", result="later 7")
        for params in ([], {"a": 1}, [1, 2], 5):
            await peer.send(reply(None, method="name", params=params))
            assert (await peer.heard())["error"]["code"] == -32602
        stop()
        await peer.send(reply(9, method="name"))
        unknown = {"code": -32601, "message": "Method not found"}
        assert await peer.heard() == reply(9, error=unknown)


@run
async def test_it_answers_batches_and_what_is_no_request() -> None:
    async with talking() as (_, client, peer):
        client.handle("name", answer)
        call = asyncio.ensure_future(client.call("list"))
        await peer.heard()
        told = {"jsonrpc": "2.0", "method": "name", "params": [5]}
        asked = [reply(n, method="name", params=[n]) for n in (0, 6)]
        await peer.send(json.dumps([*asked, told, 1, reply(1, result=5)]))
        answers = [reply(0, result="Ada 0"), reply(6, result="Ada 6"), reply(None, **INVALID)]
        assert await peer.heard() == answers
        assert await call == 5
        for text in ("[]", "1", "{}", '{"method":"name","id":1}', '{"jsonrpc":"2.0","method":1}'):
            await peer.send(text)
            assert await peer.heard() == reply(None, **INVALID)
        for key in ("[]", "true", "1e999"):
            await peer.send(f'{{"jsonrpc":"2.0","method":"name","id":{key}}}')
            assert await peer.heard() == reply(None, **INVALID)


@run
async def test_it_never_repeats_what_was_sent_and_sends_later_what_was_not() -> None:
    async with talking() as (server, client, peer):
        started, cancelled = asyncio.Semaphore(0), asyncio.Semaphore(0)
        has_returned = asyncio.Event()

        async def stubborn() -> None:
            started.release()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.release()
                await asyncio.wait_for(has_returned.wait(), LIMIT)

        client.handle("stubborn", stubborn)
        sent = asyncio.ensure_future(client.call("list"))
        await peer.heard()
        await peer.send(json.dumps([reply(key, method="stubborn") for key in (1, 2)]))
        for _ in range(2):
            await started.acquire()
        peer.cut()
        assert await code_of(sent) == "unknown_outcome"
        for _ in range(2):
            await cancelled.acquire()
        assert not client.notify("list")
        waiting = asyncio.ensure_future(client.call("add", 1, 2))
        after = await server.accept()
        has_returned.set()
        assert await after.heard() == reply(2, method="add", params=[1, 2])
        await after.send(reply(2, result=3))
        assert await waiting == 3
        assert client.notify("list")
        # Nothing was said between.
        assert await after.heard() == {"jsonrpc": "2.0", "method": "list"}


@run
async def test_it_begins_in_order_and_no_more_than_it_may() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    async with talking(Options(max_calls=2)) as (_, client, peer):
        told: list[object] = []
        client.handle("tell", told.append)
        client.handle("wait", wait)
        call = asyncio.ensure_future(client.call("list"))
        await peer.heard()
        tell = {"jsonrpc": "2.0", "method": "tell", "params": ["before"]}
        await peer.send(tell, reply(1, result=1))
        await call
        assert told == ["before"]
        await peer.send(*(reply(key, method="wait") for key in (1, 2, 3)))
        busy = {"code": -32000, "message": "Too many calls in progress"}
        assert await peer.heard() == reply(3, error=busy)


@run
async def test_it_gives_calls_up() -> None:
    options = Options(backoff_base=0.001, max_calls=2, call_timeout=0.01)
    async with talking(options) as (_, client, peer):
        assert await code_of(asyncio.ensure_future(client.call("list"))) == "timeout"
        call = asyncio.ensure_future(client.call("list"))
        await asyncio.sleep(0)
        call.cancel()
        # Answers that come too late.
        await peer.send(reply(1, result=1), reply(2, result=2))
    idle = JsonRpcClient("ws://localhost:1", options=options)
    assert await code_of(asyncio.ensure_future(idle.call("list"))) == "expired"
    async with talking(Options(max_calls=2)) as (_, client, peer):
        calls = [asyncio.ensure_future(client.call("list")) for _ in range(2)]
        for _ in calls:
            await peer.heard()
        assert await code_of(asyncio.ensure_future(client.call("list"))) == "queue_full"
        await client.close()
        assert [await code_of(call) for call in calls] == ["unknown_outcome"] * 2
        assert await code_of(asyncio.ensure_future(client.call("list"))) == "closed"


@run
async def test_a_close_code_that_says_so_fails_what_waits() -> None:
    async with serving() as server:
        client = JsonRpcClient(server.url, options=FAST)
        waiting = asyncio.ensure_future(client.call("list"))
        client.start()
        peer = await server.accept()
        await peer.heard()
        peer.cut()
        assert await code_of(waiting) == "unknown_outcome"
        waiting = asyncio.ensure_future(client.call("list"))
        await asyncio.sleep(0)
        await client.close()
        assert await code_of(waiting) == "closed"
        with pytest.raises(ClientError, match="closed by the client"):
            await client.connect()


@run
async def test_it_obeys_the_wait_of_a_server_that_has_no_place() -> None:
    async with serving((503, {"Retry-After": "7"})) as server:
        client = JsonRpcClient(server.url, options=FAST)
        client.start()
        assert await until(client, "waiting") == "HTTP 503"
        assert client.state.retry_in is not None
        assert 7 <= client.state.retry_in <= 7.001
        await client.close()


@pytest.mark.parametrize("text", ["no JSON", "NaN", "[" * 100_000])
def test_it_connects_anew_after_a_message_that_is_no_json(text: str) -> None:
    @run
    async def test() -> None:
        async with talking() as (server, client, peer):
            await peer.send(text)
            assert await until(client, "waiting") == "malformed message: not JSON"
            await server.accept()

    test()


@run
async def test_it_gives_up_a_server_that_is_silent() -> None:
    hasty = Options(backoff_base=0.001, ping_interval=0.02, pong_timeout=5)
    async with talking(hasty) as (_, _, peer):
        for _ in range(2):
            assert await peer.heard() == reply("ping", method="rpc.ping")
            await peer.send(reply("ping", error={"code": -32601, "message": "no such method"}))
    hasty = Options(backoff_base=0.001, ping_interval=0.02, pong_timeout=0.05)
    async with talking(hasty) as (server, client, _):
        assert await until(client, "waiting") == "the server is silent"
        await server.accept()
# #if auth


def token(key: object, text: str) -> dict[str, object]:
    return reply(key, method="rpc.authenticate", params={"token": text})


def soon() -> dict[str, str]:
    """Accept a token for a second."""
    return {"user": "ada", "expiresAt": (datetime.now(UTC) + timedelta(seconds=1)).isoformat()}


@asynccontextmanager
async def showing(
    server: Server, get_token: Callable[[], str]
) -> AsyncIterator[tuple[JsonRpcClient, Peer]]:
    client = JsonRpcClient(server.url, get_token=get_token, options=FAST)
    client.start()
    try:
        yield client, await server.accept()
    finally:
        await client.close()


@run
async def test_it_shows_a_token_first_and_a_newer_one_when_it_is_refused() -> None:
    tokens = iter(["old", "new", "newer", "newest"])
    async with serving() as server, showing(server, lambda: next(tokens)) as (client, first):
        waiting = asyncio.ensure_future(client.call("list"))
        shown = await first.heard()
        assert shown == token(shown["id"], "old")
        assert client.state.name == "authenticating"
        assert not client.notify("list")
        await first.send(reply(shown["id"], error={"code": -32002, "message": "refused"}))
        await first.socket.close(4501)
        second = await server.accept()
        shown = await second.heard()
        assert shown == token(shown["id"], "new")
        await second.send(reply(shown["id"], result=soon()))
        assert (await second.heard())["method"] == "list"
        await second.send(reply(1, result=[]))
        assert await waiting == []
        # The next ones, before they expire.
        for text in ("newer", "newest"):
            shown = await second.heard()
            assert shown == token(shown["id"], text)
            await second.send(reply(shown["id"], result=soon()))
        second.cut()
        assert (await (await server.accept()).heard())["params"] == {"token": "newest"}


@run
async def test_it_gives_up_when_the_second_token_is_refused_too() -> None:
    async with serving() as server, showing(server, lambda: "no") as (client, peer):
        await peer.socket.close(4501)
        await (await server.accept()).socket.close(4501, "refused")
        assert await until(client, "closed") == "refused"


@run
async def test_it_goes_on_with_a_server_that_asks_for_no_token() -> None:
    async with serving() as server, showing(server, lambda: "a token") as (client, peer):
        shown = await peer.heard()
        await peer.send(reply(shown["id"], error={"code": -32601, "message": "no such method"}))
        await until(client, "open")
# #endif
