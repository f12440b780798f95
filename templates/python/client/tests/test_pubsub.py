"""Subscriptions: each event once and in order for every pattern that it matches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ws_client import Ack, ClientError, Joined, PubsubClient, Recovered, TopicEvent
from ws_client.pubsub import matches

from .support import FAST, Message, Peer, Server, run, serving, take

AT = "2026-01-01T00:00:00.000Z"


def event(offset: int, topic: str = "news.de") -> Message:
    return {"type": "event", "topic": topic, "data": offset, "at": AT, "offset": offset}


def given(offset: int, topic: str = "news.de") -> TopicEvent:
    return TopicEvent(topic, offset, AT, offset=offset)


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[PubsubClient]:
    client = PubsubClient(server.url, options=FAST)
    client.start()
    try:
        yield client
    finally:
        await client.close()


async def let_in(peer: Peer, offset: int, **more: object) -> Message:
    command = await peer.next("subscribe")
    position = {"offset": offset, "epoch": "e1"}
    await peer.reply(command, "subscribed", topic=command["topic"], position=position, **more)
    return command


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.c", False),
        ("a.b", "a", False),
        ("a", "a.b", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*.c", "a.b.c", True),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("a.#", "b.a", False),
        ("a.*.#", "a", False),
        ("a.*.#", "a.b.c", True),
    ],
)
def test_patterns(pattern: str, topic: str, *, expected: bool) -> None:
    assert matches(pattern, topic) is expected


@run
async def test_patterns_share_a_sequence() -> None:
    async with serving() as server, client_of(server) as client:
        one, every = client.subscribe("news.de"), client.subscribe("news.#")
        peer = await server.accept()
        await peer.welcome()
        await let_in(peer, 0)
        await let_in(peer, 0)
        await peer.send(event(1), event(2, "news.fr"), event(3, "sport"), event(3))
        assert await take(one, 3) == [Joined(), given(1), given(3)]
        assert await take(every, 4) == [Joined(), given(1), given(2, "news.fr"), given(3)]
        peer.cut()
        peer = await server.accept()
        await peer.welcome()
        for _ in range(2):
            command = await let_in(peer, 3, recovered=True, messages=[])
            assert command["since"] == {"offset": 3, "epoch": "e1"}
        assert await anext(one) == Recovered(recovered=True)


@run
async def test_only_whole_sequences_have_gaps() -> None:
    async with serving() as server, client_of(server) as client:
        one, every = client.subscribe("news.de"), client.subscribe("news.#")
        peer = await server.accept()
        await peer.welcome()
        await let_in(peer, 0)
        await let_in(peer, 0)
        await peer.send(event(2))
        missed = [event(1, "news.fr"), event(2)]
        command = await let_in(peer, 2, recovered=True, messages=missed)
        assert command["topic"] == "news.#"
        assert await take(one, 2) == [Joined(), given(2)]
        recovered = Recovered(recovered=True)
        assert await take(every, 4) == [Joined(), recovered, given(1, "news.fr"), given(2)]


@run
async def test_it_publishes_any_json() -> None:
    async with serving() as server, client_of(server) as client:
        peer = await server.accept()
        await peer.welcome()
        for data in ({"title": ["é", None, 1.5]}, None, "x"):
            publishing = asyncio.ensure_future(client.publish("news.de", data))
            command = await peer.next("publish")
            assert (command["topic"], command["data"]) == ("news.de", data)
            await peer.reply(command, "ack", offset=1)
            assert await publishing == Ack(1)
        publishing = asyncio.ensure_future(client.publish("news.de", 1))
        await peer.reply(await peer.next("publish"), "error", code="forbidden", message="no")
        with pytest.raises(ClientError, match="forbidden"):
            await publishing


@run
async def test_a_server_that_lost_its_memory_gets_nothing_again() -> None:
    async with serving() as server, client_of(server) as client:
        client.subscribe("news.#")
        publishing = asyncio.ensure_future(client.publish("news.de", 1))
        peer = await server.accept()
        await peer.welcome()
        await let_in(peer, 0)
        await peer.next("publish")
        peer.cut()
        peer = await server.accept()
        await peer.welcome()
        position = {"offset": 0, "epoch": "e2"}
        await peer.reply(await peer.next("subscribe"), "subscribed", position=position)
        with pytest.raises(ClientError, match="unknown_outcome"):
            await publishing


@pytest.mark.parametrize("name", ["topic", "data", "at"])
def test_a_malformed_event_needs_a_new_connection(name: str) -> None:
    @run
    async def test() -> None:
        async with serving() as server, client_of(server) as client:
            client.subscribe("news.#")
            peer = await server.accept()
            await peer.welcome()
            await let_in(peer, 0)
            wrong = {key: value for key, value in event(1).items() if key != name}
            await peer.send(wrong)
            peer = await server.accept()
            await peer.welcome()
            command = await peer.next("subscribe")
            assert command["since"]["offset"] == 0

    test()
