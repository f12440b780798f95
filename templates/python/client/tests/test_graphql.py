"""Operations, against a server whose every message a test chooses."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypedDict

import pytest

from ws_client import ClientError, GraphqlClient, GraphqlError, Options, Subscription

from .support import FAST, Message, Peer, Server, run, serving

ADD = "mutation ($by: Int!) { add(by: $by) }"
COUNT = "subscription { count }"


class Count(TypedDict):
    """What the events of COUNT hold."""

    count: int


async def admit(server: Server, payload: Message | None = None) -> Peer:
    """Let the client in, which shows a payload."""
    peer = await server.accept()
    assert await peer.heard() == {
        "type": "connection_init",
        **({} if payload is None else {"payload": payload}),
    }
    await peer.send({"type": "connection_ack"})
    return peer


@asynccontextmanager
async def talking(
    options: Options = FAST, get_token: Callable[[], str] | None = None
) -> AsyncIterator[tuple[Server, GraphqlClient]]:
    async with serving() as server:
        client = GraphqlClient(server.url, options=options, get_token=get_token)
        client.start()
        try:
            yield server, client
        finally:
            await client.close()


async def asked(peer: Peer, query: str, **variables: object) -> str:
    """Return the id of an operation, which has to be the next."""
    message = await peer.heard()
    payload = {"query": query, **({"variables": variables} if variables else {})}
    assert message == {"type": "subscribe", "id": message["id"], "payload": payload}
    return str(message["id"])


async def give(peer: Peer, key: str, **payload: object) -> None:
    await peer.send({"type": "next", "id": key, "payload": payload})


async def code_of(call: asyncio.Future[Any]) -> str:
    with pytest.raises(ClientError) as caught:
        await call
    return caught.value.code


async def until(client: GraphqlClient, name: str) -> str:
    """Return why the client is in a state."""
    events = client.events()
    while client.state.name != name:
        await anext(events)
    return client.state.reason


@run
async def test_it_executes_and_gets_data_or_errors() -> None:
    async with talking() as (server, client):
        early = asyncio.ensure_future(client.execute(ADD, {"by": 1}))
        peer = await admit(server)
        assert peer.socket.subprotocol == "graphql-transport-ws"
        key = await asked(peer, ADD, by=1)
        await give(peer, key, data={"add": 3})
        await peer.send({"type": "complete", "id": key})
        assert await early == {"add": 3}
        fault = {"message": "not today", "path": ["hello"]}
        for kind, payload in (
            ("next", {"data": {"hello": None}, "errors": [fault]}),
            ("error", [fault]),
        ):
            call = asyncio.ensure_future(client.execute("{ hello }"))
            key = await asked(peer, "{ hello }")
            await peer.send({"type": kind, "id": key, "payload": payload})
            with pytest.raises(GraphqlError, match="not today") as caught:
                await call
            assert caught.value.errors == [fault]
        call = asyncio.ensure_future(client.execute("{ hello }"))
        await peer.send({"type": "complete", "id": await asked(peer, "{ hello }")})
        assert await code_of(call) == "unknown_outcome"


@run
async def test_it_sends_an_operation_once() -> None:
    async with talking() as (server, client):
        call = asyncio.ensure_future(client.execute(ADD, {"by": 1}))
        peer = await admit(server)
        await asked(peer, ADD, by=1)
        peer.cut()
        assert await code_of(call) == "unknown_outcome"
        later = asyncio.ensure_future(client.execute("{ hello }"))
        peer = await admit(server)
        await give(peer, await asked(peer, "{ hello }"), data={})
        assert await later == {}


@run
async def test_it_gives_operations_up_and_tells_the_server() -> None:
    async with talking(Options(call_timeout=0.05, max_calls=1)) as (server, client):
        peer = await admit(server)
        call = asyncio.ensure_future(client.execute("{ slow }"))
        key = await asked(peer, "{ slow }")
        assert await code_of(asyncio.ensure_future(client.execute("{ hello }"))) == "queue_full"
        assert await code_of(call) == "timeout"
        assert await peer.heard() == {"type": "complete", "id": key}
    idle = GraphqlClient("ws://localhost:1", options=Options(call_timeout=0.01))
    assert await code_of(asyncio.ensure_future(idle.execute("{ hello }"))) == "expired"
    await idle.close()
    assert await code_of(asyncio.ensure_future(idle.execute("{ hello }"))) == "closed"
    with pytest.raises(ClientError, match="closed"):
        idle.subscribe(COUNT)


@run
async def test_it_subscribes_again_after_a_lost_connection() -> None:
    async with talking() as (server, client):
        counts: Subscription[Count] = client.subscribe(COUNT)
        left = client.subscribe("subscription { left }")
        for n, end in enumerate((None, 1001, 1000, 1013, 4408)):
            peer = await admit(server)
            await give(peer, await asked(peer, COUNT), data={"count": n})
            assert (await anext(counts))["count"] == n
            if n == 0:
                key = await asked(peer, "subscription { left }")
                left.leave()
                assert await peer.heard() == {"type": "complete", "id": key}
                assert [event async for event in left] == []
            if end is None:
                peer.cut()
            else:
                await peer.socket.close(end)
        await client.close()
        assert [event async for event in counts] == []


@run
async def test_a_subscription_ends_with_complete_and_errors() -> None:
    async with talking() as (server, client):
        peer = await admit(server)
        async with client.subscribe(COUNT) as counts:
            key = await asked(peer, COUNT)
            await give(peer, key, errors=[{"message": "not this one"}])
            await give(peer, key, data={"count": 1})
            await peer.send({"type": "complete", "id": key})
            with pytest.raises(GraphqlError, match="not this one"):
                await anext(counts)
            assert [event async for event in counts] == [{"count": 1}]
        refused = client.subscribe("subscription { nothing }")
        key = await asked(peer, "subscription { nothing }")
        errors = [{"message": "no such field"}, "odd"]
        await peer.send({"type": "error", "id": key, "payload": errors})
        with pytest.raises(GraphqlError, match="no such field; odd"):
            await anext(refused)
        # Nobody asks for them any more.
        peer.cut()
        peer = await admit(server)
        call = asyncio.ensure_future(client.execute("{ hello }"))
        await give(peer, await asked(peer, "{ hello }"), data=None)
        assert await call is None


@run
async def test_a_subscription_that_is_read_too_slowly_ends() -> None:
    async with talking(Options(max_events=2)) as (server, client):
        peer = await admit(server)
        counts = client.subscribe(COUNT)
        key = await asked(peer, COUNT)
        for n in range(3):
            await give(peer, key, data={"count": n})
        assert await peer.heard() == {"type": "complete", "id": key}
        assert [await anext(counts), await anext(counts)] == [{"count": 0}, {"count": 1}]
        with pytest.raises(ClientError, match="queue_full"):
            await anext(counts)


@run
async def test_it_shows_a_token_and_another_one_when_it_is_refused() -> None:
    tokens = iter(["old", "new", "newer"])
    async with talking(get_token=lambda: next(tokens)) as (server, client):
        peer = await server.accept()
        assert (await peer.heard())["payload"] == {"token": "old"}
        await peer.socket.close(4403, "Forbidden")
        peer = await admit(server, {"token": "new"})
        await until(client, "open")
        # It has expired.
        await peer.socket.close(4403, "Forbidden")
        peer = await server.accept()
        assert (await peer.heard())["payload"] == {"token": "newer"}
        counts = client.subscribe(COUNT)
        call = asyncio.ensure_future(client.execute("{ hello }"))
        tokens = iter(["none"])
        await peer.socket.close(4403, "Forbidden")
        assert await until(client, "closed") == "Forbidden"
        with pytest.raises(ClientError, match="closed: Forbidden"):
            await anext(counts)
        assert await code_of(call) == "closed"


@run
async def test_it_tries_again_when_there_is_no_token() -> None:
    def get_token() -> str:
        asks.append(1)
        if len(asks) == 1:
            raise KeyError("later")
        return "a token"

    asks: list[int] = []
    async with talking(get_token=get_token) as (server, client):
        events = client.events()
        await server.accept()
        await admit(server, {"token": "a token"})
        found = [await anext(events) for _ in range(3)]
        assert [event.code for event in found if isinstance(event, ClientError)] == ["token"]


@pytest.mark.parametrize("code", [4400, 4401, 4403, 4406, 4409, 4429, 4500])
def test_it_gives_up_after_close_codes_that_say_so(code: int) -> None:
    @run
    async def test() -> None:
        async with talking() as (server, client):
            peer = await server.accept()
            await peer.heard()
            await peer.socket.close(code, "no")
            assert await until(client, "closed") == "no"

    test()


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        "{}",
        '{"type":"next","id":1}',
        '{"type":"next","id":"1","payload":{"errors":5}}',
        '{"type":"ka"}',
        "[" * 100_000,
    ],
)
def test_garbage_needs_a_new_connection(text: str) -> None:
    @run
    async def test() -> None:
        async with talking() as (server, client):
            call = asyncio.ensure_future(client.execute("{ hello }"))
            peer = await admit(server)
            await peer.heard()
            await peer.send(text)
            assert await code_of(call) == "unknown_outcome"
            await admit(server)

    test()


@run
async def test_pings_are_answered_and_silence_is_noticed() -> None:
    hasty = Options(backoff_base=0.001, ping_interval=0.02, pong_timeout=5)
    async with talking(hasty) as (server, client):
        peer = await admit(server)
        for _ in range(2):
            assert await peer.heard() == {"type": "ping"}
            await peer.send({"type": "pong"})
        await client.close()
    async with talking() as (server, client):
        client.subscribe(COUNT)
        peer = await admit(server)
        await asked(peer, COUNT)
        await peer.send({"type": "connection_ack"}, {"type": "ping"})
        assert await peer.heard() == {"type": "pong"}
    hasty = Options(backoff_base=0.001, ping_interval=0.02, pong_timeout=0.05)
    async with talking(hasty) as (server, client):
        await admit(server)
        assert await until(client, "waiting") == "the server is silent"
        await admit(server)
