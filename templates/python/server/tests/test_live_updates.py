"""Documents, seen through the network, and what of them is hard to see there."""

import asyncio
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from ws_server.config import Config
from ws_server.documents import Document, DocumentError, Documents
from ws_server.messages import Position
from ws_server.store import MemoryStore

from .conftest import Boot, Client, Process, visit

Connect = Callable[..., Client]
TOKEN = "the-token-of-another-program-that-publishes"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}

CLOSED = """
import ws_server.handlers.authorize

ws_server.handlers.authorize.authorize = lambda access: access.action != "watch"
from ws_server.__main__ import main
main()
"""


def put(server: Process, name: str, value: object, **fields: str) -> Any:  # noqa: ANN401
    """Return the position of a document that is put."""
    status, body = server.get(f"/documents/{name}", "PUT", json.dumps(value), **BEARER, **fields)
    assert status == 200, body
    return json.loads(body)["position"]


def change(server: Process, name: str, patch: object, **fields: str) -> int:
    """Return the status of the answer to a patch."""
    kind = {"Content-Type": "application/json-patch+json"}
    return server.get(f"/documents/{name}", "PATCH", json.dumps(patch), **BEARER | kind | fields)[0]


def test_sends_changes_to_who_watches(boot: Boot, connect: Connect) -> None:
    server = boot(PUBLISH_TOKEN=TOKEN)
    position = put(server, "a", {"n": 1, "rest": "x" * 99})
    ada = visit(connect, server.port, "ada")
    watching = ada.request("watch", "watching", document="a")
    assert (watching["position"], watching["recovered"]) == (position, False)
    assert watching["data"] == {"n": 1, "rest": "x" * 99}
    put(server, "a", {"n": 2, "rest": "x" * 99})
    patch = [{"op": "replace", "path": "/n", "value": 2}]
    event = {"type": "patch", "document": "a", "offset": position["offset"] + 1, "patch": patch}
    assert ada.next("patch") == event
    assert change(server, "a", [{"op": "add", "path": "/m", "value": [True]}]) == 200
    assert ada.next("patch")["patch"][0]["value"] == [True]
    again = visit(connect, server.port, "bob").request(
        "watch", "watching", document="a", since=position
    )
    assert (again["recovered"], len(again["patches"]), "data" in again) == (True, 2, False)
    # Shorter than its patches: the whole.
    assert change(server, "a", [{"op": "replace", "path": "", "value": 1}]) == 200
    assert ada.next("snapshot")["data"] == 1
    assert server.get("/documents/a", "DELETE", **BEARER)[0] == 200
    assert ada.next("removed")["document"] == "a"
    assert ada.request("watch", "error", document="a")["code"] == "no_such_document"


def test_ends_watches_and_limits_them(boot: Boot, connect: Connect) -> None:
    server = boot(PUBLISH_TOKEN=TOKEN, MAX_WATCHES_PER_CLIENT="1")
    put(server, "a", 1)
    ada = visit(connect, server.port, "ada")
    ada.request("watch", "watching", document="status")
    assert ada.request("watch", "error", document="a")["code"] == "too_many_watches"
    ada.request("unwatch", "unwatched", document="status")
    assert ada.request("unwatch", "error", document="status")["code"] == "not_watching"
    ada.request("watch", "watching", document="a")


def test_asks_the_handler_who_may_watch(boot: Boot, connect: Connect) -> None:
    ada = visit(connect, boot("-c", CLOSED).port, "ada")
    assert ada.request("watch", "error", document="status")["code"] == "forbidden"


def test_sends_a_slow_reader_the_newest_state_at_once(boot: Boot, connect: Connect) -> None:
    server = boot(PUBLISH_TOKEN=TOKEN, COMPRESSION="none")
    put(server, "a", "")
    ada = visit(connect, server.port, "ada")
    ada.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    ada.request("watch", "watching", document="a")
    count = 150
    for index in range(count):
        put(server, "a", f"{index} " + "x" * 60_000)
    snapshots = 0
    while True:
        opcode, payload = ada.client.receive()
        if opcode == 9:
            continue
        message = json.loads(payload)
        if message["type"] == "snapshot":
            snapshots += 1
        value = message.get("data") or message.get("patch", [{}])[0].get("value", "")
        if value.startswith(f"{count - 1} "):
            break
    assert snapshots > 0
    put(server, "a", "the end")
    assert "the end" in json.dumps(ada.next("snapshot"))


@pytest.mark.parametrize(
    ("method", "path", "body", "fields", "status"),
    [
        ("GET", "/documents/b", None, {}, 404),
        ("GET", "/documents/a", None, {"Authorization": ""}, 401),
        ("GET", "/documents/a", None, {"Authorization": "Bearer spam"}, 401),
        ("POST", "/documents/a", None, {}, 405),
        ("PUT", "/documents/a b".replace(" ", "%20"), "1", {}, 400),
        ("PUT", "/documents/a", "spam", {}, 400),
        ("PUT", "/documents/a", "1e400", {}, 400),
        ("PUT", "/documents/a", "[" * 65 + "]" * 65, {}, 400),
        ("PUT", "/documents/a", '{"__proto__":1}', {}, 400),
        ("PUT", "/documents/a", '"' + "x" * 1030 + '"', {}, 413),
        ("PUT", "/documents/a", '"' + "x" * 66_000 + '"', {}, 413),
        ("PUT", "/documents/third", "1", {}, 413),
        ("PUT", "/documents/a", "1", {"If-Match": '"x:1"'}, 412),
        ("PUT", "/documents/b", "1", {"If-Match": "*"}, 412),
        ("PATCH", "/documents/a", "[]", {}, 415),
        ("DELETE", "/documents/b", None, {}, 404),
        ("DELETE", "/documents/a", None, {"If-Match": '"x:1"'}, 412),
        ("PUT", "/documents/a", "1", {"Origin": "https://b.example"}, 403),
    ],
)
def test_refuses_over_http(  # noqa: PLR0917
    boot: Boot, method: str, path: str, body: str | None, fields: dict[str, str], status: int
) -> None:
    server = boot(PUBLISH_TOKEN=TOKEN, MAX_DOCUMENTS="2", MAX_DOCUMENT_BYTES="1024")
    put(server, "a", {"n": 1})
    assert server.get(path, method, body, **BEARER | fields)[0] == status
    assert json.loads(server.get("/documents/a", **BEARER)[1])["data"] == {"n": 1}


def test_changes_what_is_as_it_is_expected(boot: Boot) -> None:
    server = boot(PUBLISH_TOKEN=TOKEN)
    at = put(server, "a", {"n": 1})
    tag = f'"{at["epoch"]}:{at["offset"]}"'
    assert put(server, "a", {"n": 1}, **{"If-Match": tag}) == at
    replace = [{"op": "replace", "path": "/n", "value": 2}]
    assert change(server, "a", [*replace, {"op": "test", "path": "/n", "value": 1}]) == 409
    assert change(server, "a", [{"op": "spam"}]) == 400
    assert change(server, "b", replace) == 404
    assert change(server, "a", replace, **{"If-Match": tag}) == 200
    assert change(server, "a", replace, **{"If-Match": tag}) == 412
    assert change(server, "a", replace, **{"If-Match": "*"}) == 200


def test_is_for_nobody_without_publish_token(boot: Boot) -> None:
    server = boot()
    assert [server.get("/documents/status", one, **BEARER)[0] for one in ("GET", "DELETE")] == [
        404
    ] * 2


class Log:
    """Notes what happens to documents."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.seen: list[object] = []

    def on_patch(self, document: Document, patch: bytes) -> None:
        """Note it."""
        self.seen.append((document.name, document.data, json.loads(patch)))

    def on_removed(self, name: str) -> None:
        """Note it."""
        self.seen.append(name)

    # #if redis
    def on_replaced(self, document: Document) -> None:
        """Note it."""
        self.seen.append(document)

    def is_watched(self, name: str) -> bool:
        """Return whether anything was noted of it."""
        return name in self.seen

    # #endif


def documents_of(log: Log, **env: str) -> Documents:
    # #if auth
    env["AUTH_SECRET"] = "x" * 32
    # #endif
    config = Config.read(env)
    return Documents(config, MemoryStore(config, lambda: 1e9), log)


def test_what_a_caller_changes_later_is_no_change() -> None:
    async def check() -> None:
        log = Log()
        documents = documents_of(log)
        value = {"list": [1]}
        await documents.put("a", value)
        value["list"].append(2)
        assert documents.get("a") is not None
        added: list[int] = []
        await documents.patch("a", [{"op": "add", "path": "/b", "value": added}])
        added.append(3)
        await documents.patch("a", [{"op": "test", "path": "", "value": {"list": [1], "b": []}}])
        assert len(log.seen) == 2

    asyncio.run(check())


def test_changes_come_one_after_the_other() -> None:
    async def check() -> None:
        documents = documents_of(Log())
        await documents.put("a", [])
        patch = [{"op": "add", "path": "/-", "value": 1}]
        positions = await asyncio.gather(*(documents.patch("a", patch) for _ in range(20)))
        assert sorted(one.offset for one in positions) == list(range(2, 22))

        async def step() -> asyncio.Task[Position]:
            waiting = asyncio.create_task(documents.put("a", 1))
            await asyncio.sleep(0)
            assert not waiting.done()
            await documents.put("b", 1)
            return waiting

        await (await documents.turn("a", step))

    asyncio.run(check())


def test_documents_have_a_share_of_the_memory() -> None:
    async def check() -> None:
        documents = documents_of(Log(), MEMORY_BUDGET="65536", MAX_PAYLOAD="1024")
        await documents.put("a", "x" * 8000)
        with pytest.raises(DocumentError, match="MEMORY_BUDGET") as caught:
            await documents.put("b", "x" * 1000)
        assert caught.value.status == 413
        await documents.remove("a")
        await documents.put("b", "x" * 1000)

    asyncio.run(check())


@pytest.mark.parametrize("value", [float("nan"), {"__proto__": 1}, 10**400])
def test_takes_no_value_that_is_no_document(value: object) -> None:
    with pytest.raises(DocumentError):
        asyncio.run(documents_of(Log()).put("a", value))
