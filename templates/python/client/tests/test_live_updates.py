"""Documents: kept up to date by patches, or by the whole where patches do not help."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ws_client import Change, Joined, LiveUpdatesClient, Recovered, Removed

from .support import FAST, Message, Peer, Server, run, serving, take

FEATURES = ("resume",)


def patch_of(value: object, path: str = "/home") -> list[Message]:
    return [{"op": "replace", "path": path, "value": value}]


def patch(offset: int, value: object, path: str = "/home") -> Message:
    operations = patch_of(value, path)
    return {"type": "patch", "document": "score", "offset": offset, "patch": operations}


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[LiveUpdatesClient]:
    client = LiveUpdatesClient(server.url, options=FAST)
    client.start()
    try:
        yield client
    finally:
        await client.close()


async def answer(peer: Peer, offset: int, epoch: str = "e1", **more: object) -> Message:
    command = await peer.next("watch")
    position = {"offset": offset, "epoch": epoch}
    await peer.reply(command, "watching", document="score", position=position, **more)
    return command


@run
async def test_it_applies_patches_and_resumes() -> None:
    async with serving() as server, client_of(server) as client:
        score = client.watch("score")
        peer = await server.accept()
        await peer.welcome(FEATURES)
        assert score.data is None
        command = await answer(peer, 1, recovered=False, data={"home": 0})
        assert "since" not in command
        await peer.send(patch(2, 1), patch(2, 1))
        first = Change({"home": 0}, 1)
        assert await take(score, 3) == [first, Joined(), Change({"home": 1}, 2, patch_of(1))]
        assert score.data == {"home": 1}
        assert first.data == {"home": 0}
        peer.cut()
        peer = await server.accept()
        await peer.welcome(FEATURES)
        missed = [{"offset": 3, "patch": patch_of(2)}]
        command = await answer(peer, 3, recovered=True, patches=missed)
        assert command["since"] == {"offset": 2, "epoch": "e1"}
        change = Change({"home": 2}, 3, patch_of(2))
        assert await take(score, 3) == [Recovered(recovered=True), change, Joined()]


@run
async def test_a_patch_that_does_not_apply_needs_the_whole() -> None:
    async with serving() as server, client_of(server) as client:
        score = client.watch("score")
        peer = await server.accept()
        await peer.welcome(FEATURES)
        await answer(peer, 1, recovered=False, data={"home": 0})
        await peer.send(patch(2, 1, "/guests"), patch(3, 5))
        command = await answer(peer, 3, recovered=False, data={"home": 5})
        assert "since" not in command
        expected = [Change({"home": 0}, 1), Joined(), Recovered(recovered=False)]
        assert await take(score, 4) == [*expected, Change({"home": 5}, 3)]


@run
async def test_patches_with_a_gap_need_the_whole() -> None:
    async with serving() as server, client_of(server) as client:
        score = client.watch("score")
        peer = await server.accept()
        await peer.welcome(FEATURES)
        await answer(peer, 1, recovered=False, data={"home": 0})
        peer.cut()
        peer = await server.accept()
        await peer.welcome(FEATURES)
        await answer(peer, 3, recovered=True, patches=[{"offset": 3, "patch": patch_of(2)}])
        command = await answer(peer, 3, recovered=False, data={"home": 2})
        assert "since" not in command
        while await anext(score) != Change({"home": 2}, 3):
            pass


@run
async def test_a_snapshot_replaces_patches() -> None:
    async with serving() as server, client_of(server) as client:
        score = client.watch("score")
        peer = await server.accept()
        await peer.welcome(FEATURES)
        await answer(peer, 1, recovered=False, data={"home": 0})
        snapshot = {"type": "snapshot", "document": "score"}
        for offset, epoch in ((5, "e1"), (4, "e1"), (2, "e2")):
            position = {"offset": offset, "epoch": epoch}
            await peer.send({**snapshot, "position": position, "data": {"home": offset}})
        await peer.send(patch(3, 9))
        changes = [Change({"home": 0}, 1), Joined(), Change({"home": 5}, 5)]
        changes += [Recovered(recovered=False), Change({"home": 2}, 2), Joined()]
        assert await take(score, 7) == [*changes, Change({"home": 9}, 3, patch_of(9))]


@run
async def test_a_document_is_removed() -> None:
    async with serving() as server, client_of(server) as client:
        score = client.watch("score")
        peer = await server.accept()
        await peer.welcome(FEATURES)
        await answer(peer, 1, recovered=False, data=None)
        await peer.send({"type": "removed", "document": "score"})
        assert await take(score, 3) == [Change(None, 1), Joined(), Removed()]
        peer.cut()
        peer = await server.accept()
        await peer.welcome(FEATURES)
        assert "since" not in await peer.next("watch")


@pytest.mark.parametrize("patches", ["x", [1], [{"offset": 2}], [{"offset": 2, "patch": "x"}]])
def test_malformed_patches_need_a_new_connection(patches: object) -> None:
    @run
    async def test() -> None:
        async with serving() as server, client_of(server) as client:
            client.watch("score")
            peer = await server.accept()
            await peer.welcome(FEATURES)
            await answer(peer, 1, recovered=False, data={"home": 0})
            peer.cut()
            peer = await server.accept()
            await peer.welcome(FEATURES)
            await answer(peer, 2, recovered=True, patches=patches)
            await server.accept()

    test()


@run
async def test_who_has_no_document_leaves_the_server() -> None:
    async with serving() as server, client_of(server) as client:
        client.watch("score")
        peer = await server.accept()
        await peer.welcome(FEATURES)
        await answer(peer, 1, recovered=True, patches=[])
        await server.accept()
