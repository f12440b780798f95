"""Rooms: each message once and in order, over lost connections, or word of a gap."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ws_client import (
    Ack,
    ChatClient,
    ChatMessage,
    ClientError,
    Joined,
    # #if presence
    Members,
    # #endif
    Options,
    Recovered,
    Refused,
)

from .support import FAST, Message, Peer, Server, run, serving, take

AT = "2026-01-01T00:00:00.000Z"


def message(offset: int, **more: object) -> Message:
    body = {"from": "bob", "text": f"m{offset}", "at": AT, "offset": offset}
    return {"type": "message", "room": "lobby", **body, **more}


def given(offset: int) -> ChatMessage:
    return ChatMessage("bob", f"m{offset}", AT, "lobby", offset)


def position(offset: int, epoch: str = "e1") -> Message:
    return {"offset": offset, "epoch": epoch}


@asynccontextmanager
async def client_of(server: Server, options: Options = FAST) -> AsyncIterator[ChatClient]:
    client = ChatClient(server.url, options=options)
    client.start()
    try:
        yield client
    finally:
        await client.close()


async def let_in(peer: Peer, last: int = 0, **more: object) -> Message:
    """Welcome a client and answer its `join`; return that."""
    await peer.welcome()
    command = await peer.next("join")
    await peer.reply(command, "joined", room="lobby", position=position(last), **more)
    return command


@run
async def test_it_gives_messages_once_and_resumes() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        command = await let_in(peer, 1, messages=[message(1)])
        assert "since" not in command
        await peer.send(message(2), message(2), message(1), message(3))
        assert await take(room, 4) == [given(1), Joined(), given(2), given(3)]
        peer.cut()
        peer = await server.accept()
        command = await let_in(peer, 5, recovered=True, messages=[message(4), message(5)])
        assert command["since"] == position(3)
        recovered = Recovered(recovered=True)
        assert await take(room, 4) == [recovered, given(4), given(5), Joined()]
        assert client.state.name == "open"


@pytest.mark.parametrize(
    "reply",
    [
        {"recovered": False, "messages": [message(5)]},
        {"recovered": True, "messages": [message(5)]},
        {"recovered": True, "messages": [], "position": position(4)},
        {"recovered": True, "messages": [message(5)], "position": position(5, "e2")},
    ],
)
def test_it_says_that_something_is_lost(reply: Message) -> None:
    @run
    async def test() -> None:
        async with serving() as server, client_of(server) as client:
            room = client.join("lobby")
            peer = await server.accept()
            await let_in(peer, 3)
            assert await anext(room) == Joined()
            peer.cut()
            peer = await server.accept()
            await peer.welcome()
            whole = {"position": position(5), **reply}
            await peer.reply(await peer.next("join"), "joined", room="lobby", **whole)
            assert await anext(room) == Recovered(recovered=False)

    test()


@run
async def test_a_gap_makes_it_ask_again() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        await let_in(peer)
        await peer.send(message(1), message(3))
        command = await peer.next("join")
        assert command["since"] == position(1)
        missed = {"recovered": True, "messages": [message(2), message(3)]}
        await peer.reply(command, "joined", room="lobby", position=position(3), **missed)
        recovered = Recovered(recovered=True)
        expected = [Joined(), given(1), recovered, given(2), given(3), Joined()]
        assert await take(room, 6) == expected


@run
async def test_without_resume_a_gap_is_told() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        await peer.welcome(["rooms", "history"])
        await peer.reply(await peer.next("join"), "joined", room="lobby", messages=[message(1)])
        await peer.send(message(3))
        expected = [given(1), Joined(), Recovered(recovered=False), given(3)]
        assert await take(room, 4) == expected


@run
async def test_messages_before_the_answer_wait_for_it() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        await peer.welcome()
        command = await peer.next("join")
        await peer.send(message(2))
        missed = [message(1), message(2)]
        await peer.reply(command, "joined", room="lobby", position=position(2), messages=missed)
        assert await take(room, 3) == [given(1), given(2), Joined()]


@pytest.mark.parametrize(
    "fault", [{"text": 1}, {"from": None}, {"at": 7}, {"text": None}, {"from": ["x"]}]
)
def test_a_malformed_message_is_asked_for_again(fault: Message) -> None:
    @run
    async def test() -> None:
        async with serving() as server, client_of(server) as client:
            room = client.join("lobby")
            peer = await server.accept()
            await let_in(peer)
            await peer.send(message(1), message(2, **fault))
            peer = await server.accept()
            command = await let_in(peer, 2, recovered=True, messages=[message(2)])
            assert command["since"] == position(1)
            expected = [Joined(), given(1), Recovered(recovered=True), given(2), Joined()]
            assert await take(room, 5) == expected

    test()


@pytest.mark.parametrize("value", ["x", {"offset": -1, "epoch": "e"}, {"offset": 1}, [1]])
def test_a_malformed_position_needs_a_new_connection(value: object) -> None:
    @run
    async def test() -> None:
        async with serving() as server, client_of(server) as client:
            client.join("lobby")
            peer = await server.accept()
            await peer.welcome()
            await peer.reply(await peer.next("join"), "joined", room="lobby", position=value)
            await let_in(await server.accept())

    test()


@run
async def test_it_tells_who_is_refused_and_goes_on() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        await peer.welcome()
        error = {"code": "forbidden", "message": "no"}
        await peer.reply(await peer.next("join"), "error", **error)
        event = await anext(room)
        assert isinstance(event, Refused)
        assert event.error.code == "forbidden"
        with pytest.raises(ClientError, match="not_in_room"):
            await asyncio.gather(room.send("hi"), deny(peer))
        await client_is(client, "open")


async def deny(peer: Peer) -> None:
    await peer.reply(await peer.next("message"), "error", code="not_in_room", message="no")


async def client_is(client: ChatClient, name: str) -> None:
    events = client.events()
    while client.state.name != name:
        await anext(events)


@run
async def test_it_asks_later_when_there_was_too_much() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        await peer.welcome()
        for code in ("rate_limited", "unavailable", "of_a_newer_server"):
            error = {"code": code, "message": "slowly", "retryAfterMs": 1}
            await peer.reply(await peer.next("join"), "error", **error)
        await peer.reply(await peer.next("join"), "joined", room="lobby", position=position(0))
        assert await anext(room) == Joined()


@run
async def test_a_server_that_does_not_answer_is_left() -> None:
    options = Options(backoff_base=0.001, join_timeout=0.05)
    async with serving() as server, client_of(server, options) as client:
        client.join("lobby")
        await (await server.accept()).welcome()
        await let_in(await server.accept())


@run
async def test_it_is_put_out() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        await let_in(peer)
        await peer.send({"type": "left", "room": "lobby", "code": "forbidden"})
        events = await take(room, 2)
        assert isinstance(events[1], Refused)


@run
async def test_readers_share_a_room_and_the_last_leaves_it() -> None:
    async with serving() as server, client_of(server) as client:
        first = client.join("lobby")
        peer = await server.accept()
        await let_in(peer)
        assert await anext(first) == Joined()
        async with client.join("lobby") as second:
            await peer.send(message(1))
            assert await anext(first) == given(1)
            assert await anext(second) == given(1)
        assert [event async for event in second] == []
        await peer.send(message(2))
        assert await anext(first) == given(2)
        first.leave()
        first.leave()
        assert (await peer.next("leave"))["room"] == "lobby"


@run
async def test_a_reader_that_is_too_slow_is_told_so() -> None:
    options = Options(backoff_base=0.001, max_events=3)
    async with serving() as server, client_of(server, options) as client:
        room, other = client.join("lobby"), client.join("lobby")
        peer = await server.accept()
        await let_in(peer)
        for offset in range(1, 6):
            await peer.send(message(offset))
        while await anext(other) != given(5):
            pass
        assert await take(room, 2) == [Recovered(recovered=False), given(5)]


@run
async def test_a_server_without_rooms_has_one() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join()
        peer = await server.accept()
        await peer.welcome([])
        assert await anext(room) == Joined()
        sending = asyncio.ensure_future(room.send("hi"))
        command = await peer.next("message")
        assert "room" not in command
        await peer.reply(command, "ack")
        assert await sending == Ack()
        await peer.send({"type": "message", "from": "bob", "text": "m", "at": AT})
        assert await anext(room) == ChatMessage("bob", "m", AT)


@run
async def test_what_is_sent_waits_for_the_room() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        sending = asyncio.ensure_future(room.send("hi \ud800", message_id="i1"))
        peer = await server.accept()
        await let_in(peer)
        command = await peer.next("message")
        text = {"id": "i1", "room": "lobby", "text": "hi \ud800"}
        assert command == {"type": "message", **text}
        await peer.reply(command, "ack", offset=1, duplicate=True)
        assert await sending == Ack(1, duplicate=True)


@run
async def test_what_has_no_answer_is_sent_again_with_the_same_id() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        sending = asyncio.ensure_future(room.send("hi"))
        peer = await server.accept()
        await let_in(peer)
        first = await peer.next("message")
        peer.cut()
        peer = await server.accept()
        await let_in(peer, recovered=True)
        second = await peer.next("message")
        assert second == first
        await peer.reply(second, "ack", offset=1)
        assert await sending == Ack(1)


@pytest.mark.parametrize(
    ("features", "epoch"), [(["rooms", "history", "resume"], "e2"), (["rooms", "history"], "e1")]
)
def test_nothing_is_sent_again_to_a_server_that_does_not_know_it(
    features: list[str], epoch: str
) -> None:
    @run
    async def test() -> None:
        async with serving() as server, client_of(server) as client:
            room = client.join("lobby")
            sending = asyncio.ensure_future(room.send("hi"))
            peer = await server.accept()
            await let_in(peer)
            await peer.next("message")
            peer.cut()
            peer = await server.accept()
            await peer.welcome(features)
            place = position(0, epoch)
            await peer.reply(await peer.next("join"), "joined", room="lobby", position=place)
            with pytest.raises(ClientError, match="unknown_outcome"):
                await sending

    test()


@run
async def test_readers_end_with_the_client() -> None:
    async with serving() as server:
        async with client_of(server) as client:
            room = client.join("lobby")
            await let_in(await server.accept())
            sending = asyncio.ensure_future(room.send("hi", ack_timeout=0))
            with pytest.raises(ClientError, match="timeout"):
                await sending
        assert [event async for event in room] == [Joined()]
        with pytest.raises(ClientError, match="closed"):
            await room.send("late")
        with pytest.raises(ClientError, match="closed"):
            client.join("other")
        with pytest.raises(ClientError, match="closed"):
            client.start()


@run
async def test_readers_end_with_the_reason_when_the_server_has_closed() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        await let_in(peer)
        assert await anext(room) == Joined()
        await peer.socket.close(4502, "revoked")
        with pytest.raises(ClientError, match="revoked"):
            await anext(room)


# #if presence
@run
async def test_members_come_and_go() -> None:
    async with serving() as server, client_of(server) as client:
        room = client.join("lobby")
        peer = await server.accept()
        await let_in(peer, members=["bob", "ada"])
        assert await anext(room) == Members(("ada", "bob"))
        assert await anext(room) == Joined()
        await peer.send({"type": "member-joined", "room": "lobby", "user": "cem"})
        await peer.send({"type": "member-left", "room": "lobby", "user": "ada"})
        assert await take(room, 2) == [Members(("ada", "bob", "cem")), Members(("bob", "cem"))]
        assert room.members == ("bob", "cem")


# #endif
@run
async def test_a_block_waits_until_it_is_open() -> None:
    async with serving((403, {})) as server:
        with pytest.raises(ClientError, match="HTTP 403"):
            async with ChatClient(server.url):
                raise AssertionError
        entering = asyncio.ensure_future(ChatClient(server.url).__aenter__())
        await (await server.accept()).welcome()
        client = await entering
        assert client.state.name == "open"
        client.reconnect()
        await (await server.accept()).welcome()
        await client.close()
