"""The chat, seen through the network alone."""

# #if resume
import asyncio
# #endif
import signal
from collections.abc import Callable

import pytest

# #if resume
from ws_server.config import Config
from ws_server.store import MemoryStore, _Channel
# #endif

from .conftest import Boot, Client, User, visit

# #if rooms
WHERE = {"room": "lobby"}
# #else
#~ WHERE: dict[str, str] = {}
# #endif

FAULTY = """
import asyncio
import ws_server.handlers.messages
from ws_server.hooks import Refuse

async def on_message(draft):
    if draft.text == "fail":
        raise ValueError("on purpose")
    if draft.text == "slow":
        await asyncio.sleep(0.2)
    if draft.text == "no":
        return Refuse("not here")
    return draft.text.upper()

ws_server.handlers.messages.on_message = on_message
from ws_server.__main__ import main
main()
"""
# #if rooms

CLOSED = """
import ws_server.handlers.authorize

ws_server.handlers.authorize.authorize = lambda access: access.name != "secret"
from ws_server.__main__ import main
main()
"""
# #if history

SLOW = """
import asyncio
from ws_server.store import MemoryStore

recover, has_last = MemoryStore.recover, asyncio.Event()

async def recover_late(self, channel, *since):
    if channel == "slow":
        print('{"event": "asked"}', flush=True)
        await has_last.wait()
    elif channel == "last":
        has_last.set()
    return await recover(self, channel, *since)

MemoryStore.recover = recover_late
from ws_server.__main__ import main
main()
"""
# #endif
# #endif


Enter = Callable[..., User]


@pytest.fixture
def enter(connect: Callable[..., Client]) -> Enter:
    """Connect users who enter the lobby."""

    def open_user(port: int, name: str, **fields: object) -> User:
        user = visit(connect, port, name)
        # #if rooms
        user.request("join", "joined", **WHERE, **fields)
        # #else
        #~ assert not fields
        # #endif
        return user

    return open_user


def test_passes_messages_on_to_everybody(boot: Boot, enter: Enter) -> None:
    port = boot().port
    ada, bob = enter(port, "ada"), enter(port, "bob")
    assert ada.request("message", "ack", **WHERE, text="hello")["id"] == "1"
    message = bob.next("message")
    assert (message["from"], message["text"]) == ("ada", "hello")


def test_passes_half_a_character_on(boot: Boot, enter: Enter) -> None:
    ada = enter(boot().port, "ada")
    ada.send("message", **WHERE, text="\ud800")
    assert ada.next("message")["text"] == "\ud800"


def test_asks_the_handler_what_becomes_of_messages(boot: Boot, enter: Enter) -> None:
    server = boot("-c", FAULTY)
    ada, bob = enter(server.port, "ada"), enter(server.port, "bob")
    assert ada.request("message", "error", **WHERE, text="no")["message"] == "not here"
    ada.send("message", **WHERE, text="fail")
    assert ada.client.receive() == (8, b"\x03\xf3internal error")
    assert "ValueError: on purpose" in str(server.wait_for("command-failed")["stack"])
    bob.send("message", **WHERE, text="hello")
    assert bob.next("message")["text"] == "HELLO"


def test_waits_for_the_handler_before_the_next_command(boot: Boot, enter: Enter) -> None:
    ada = enter(boot("-c", FAULTY).port, "ada")
    for text in ("slow", "fast", "last"):
        ada.send("message", **WHERE, text=text)
    assert [ada.next("message")["text"] for _ in range(3)] == ["SLOW", "FAST", "LAST"]


# #if rooms
def test_asks_the_handler_who_may_enter(boot: Boot, enter: Enter) -> None:
    ada = enter(boot("-c", CLOSED).port, "ada")
    assert ada.request("join", "error", room="secret")["code"] == "forbidden"


def test_rooms_count_for_the_address_that_has_opened_them(boot: Boot, enter: Enter) -> None:
    ada = enter(boot(MAX_ROOMS="2", MAX_ROOMS_PER_IP="1").port, "ada")
    assert ada.request("join", "error", room="second")["code"] == "too_many_rooms"
    ada.request("leave", "left", **WHERE)
    ada.request("join", "joined", room="second")


# #if history
def test_answers_who_is_put_out_on_its_way_in(boot: Boot, connect: Callable[..., Client]) -> None:
    server = boot("-c", SLOW, MAX_ROOMS="2", MAX_ROOMS_PER_IP="1", TRUST_PROXY="1")
    also = visit(connect, server.port, "also", X_Forwarded_For="10.0.0.1")
    ada = visit(connect, server.port, "ada", X_Forwarded_For="10.0.0.1")
    bob = visit(connect, server.port, "bob", X_Forwarded_For="10.0.0.2")
    also.send("join", room="first")
    also.next("joined")
    ada.send("join", id="1", room="slow")
    server.wait_for("asked")
    bob.request("join", "joined", room="last")
    error = ada.next()
    assert (error["id"], error["code"]) == ("1", "too_many_rooms")


# #endif
# #endif
# #if presence
def test_says_who_is_there(boot: Boot, enter: Enter) -> None:
    port = boot(PRESENCE_GRACE="1").port
    ada, bob = enter(port, "ada"), enter(port, "bob")
    assert ada.next("member-joined")["user"] == "bob"
    assert ada.request("members", "members", **WHERE)["members"] == ["ada", "bob"]
    bob.client.close()
    assert ada.next("member-left")["user"] == "bob"


# #endif
# #if history
def test_keeps_messages_for_who_comes_late(boot: Boot, enter: Enter) -> None:
    port = boot(HISTORY_MESSAGES="2").port
    ada = enter(port, "ada")
    for text in "abc":
        ada.send("message", **WHERE, text=text)
        ada.next("message")
    joined = enter(port, "bob").request("join", "joined", **WHERE)
    assert [message["text"] for message in joined["messages"]] == ["b", "c"]


# #endif
# #if resume
def test_closes_the_gap_of_who_comes_back(boot: Boot, enter: Enter) -> None:
    port = boot().port
    ada = enter(port, "ada")
    since = ada.request("join", "joined", **WHERE)["position"]
    ada.send("message", **WHERE, id="same", text="once")
    assert "duplicate" not in ada.next("ack")
    ada.send("message", **WHERE, id="same", text="once")
    assert ada.next("ack")["duplicate"] is True
    joined = enter(port, "bob").request("join", "joined", **WHERE, since=since)
    assert joined["recovered"] is True
    assert [message["offset"] for message in joined["messages"]] == [since["offset"] + 1]


# #endif
# #if metrics
def test_counts_and_hides_figures(boot: Boot, enter: Enter) -> None:
    server = boot(METRICS_TOKEN="a token of sixteen".replace(" ", "-"))
    enter(server.port, "ada")
    assert server.get("/metrics")[0] == 401
    status, text = server.get("/metrics", Authorization="Bearer a-token-of-sixteen")
    assert (status, "ws_connections 1\n" in text) == (200, True)
    assert 'ws_messages_sent_total{type="welcome"} 1\n' in text


# #endif
# #if rate-limit
def test_refuses_commands_above_the_rate_of_the_user(boot: Boot, enter: Enter) -> None:
    ada = enter(boot(USER_RATE_LIMIT="1", USER_RATE_BURST="3").port, "ada")
    for _ in range(9):
        ada.send("ping")
    error = ada.next("error")
    assert (error["code"], 0 < error["retryAfterMs"] <= 1001) == ("rate_limited", True)


# #endif
# #if rooms
# #if history


def test_makes_space_with_the_rooms_of_who_needs_it(
    boot: Boot, connect: Callable[..., Client]
) -> None:
    port = boot(MAX_ROOMS="2", TRUST_PROXY="1").port
    ada = visit(connect, port, "ada", X_Forwarded_For="10.0.0.1")
    eve = visit(connect, port, "eve", X_Forwarded_For="10.0.0.2")
    ada.request("join", "joined", room="kept")
    ada.request("message", "ack", room="kept", text="hello")
    ada.request("leave", "left", room="kept")
    for room in ("one", "two"):
        eve.request("join", "joined", room=room)
        eve.request("leave", "left", room=room)
    kept = ada.request("join", "joined", room="kept")["messages"]
    assert [message["text"] for message in kept] == ["hello"]
# #endif
# #endif


# #if resume
def test_who_has_most_ids_loses_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ws_server.store.MAX_IDS", 4)

    async def publish() -> list[bool]:
        store = MemoryStore(Config.read({}), lambda: 1e9)

        async def is_known(user: str, key: str) -> bool:
            return (await store.publish("a", b"{}", user=user, command_id=key)).is_duplicate

        said = (("ada", "1"), ("bob", "1"), ("ada", "2"), ("ada", "3"), ("carl", "1"))
        return [await is_known(user, key) for user, key in (*said, *said[1:], said[0])]

    assert asyncio.run(publish()) == [False] * 5 + [True] * 4 + [False]


def test_looks_for_space_where_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    drop_oldest = _Channel.drop_oldest

    def drop(channel: _Channel) -> bool:
        nonlocal asked
        asked += 1
        return drop_oldest(channel)

    monkeypatch.setattr(_Channel, "drop_oldest", drop)

    async def publish() -> int:
        space = 1e9
        store = MemoryStore(Config.read({}), lambda: space)
        for index in range(50):
            await store.publish(str(index), b"{}", command_id="1")
        space = 0
        await store.publish("last", b"{}")
        before = asked
        await store.publish("0", b"{}")
        return asked - before

    assert asyncio.run(publish()) <= 3


# #endif
def test_serves_its_page_where_that_is_wanted(boot: Boot) -> None:
    server = boot(DEMO="1")
    status, page = server.get("/")
    assert (status, "<html" in page) == (200, True)
    assert [server.get(f"/{name}")[0] for name in ("app.js", "client.js", "style.css")] == [200] * 3
    stranger = {"Origin": "https://example.com"}
    assert server.get("/demo/stop", "POST", **stranger)[0] == 403
    assert server.get("/demo/stop", "POST")[0] == 202
    assert server.process.wait(20) == -signal.SIGKILL


def test_has_no_page_otherwise(boot: Boot) -> None:
    server = boot()
    assert [server.get(path)[0] for path in ("/", "/app.js")] == [426, 404]
    assert server.get("/demo/stop", "POST")[0] == 404


def test_closes_a_client_that_sends_nothing_but_errors(boot: Boot, enter: Enter) -> None:
    ada = enter(boot().port, "ada")
    for _ in range(25):
        ada.client.send(1, b"{")
    assert [ada.client.receive()[0] for _ in range(21)] == [1] * 20 + [8]


def test_says_goodbye_before_it_closes(boot: Boot, enter: Enter) -> None:
    server = boot()
    ada = enter(server.port, "ada")
    server.process.terminate()
    assert 0 <= ada.next("draining")["retryAfterMs"] <= 5000
    assert ada.client.receive() == (8, b"\x03\xe9server is shutting down")
    ada.client.send(8, b"\x03\xe9")
    assert server.process.wait(20) == 0


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 200), ("/", 426)])
def test_answers_http(boot: Boot, path: str, status: int) -> None:
    assert boot().get(path)[0] == status


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"PORT": "70000"}, 'PORT is "70000", expected an integer from 0 to 65535'),
        (
            {"MAX_CONNECTIONS": "5", "MAX_CONNECTIONS_PER_IP": "6"},
            "MAX_CONNECTIONS_PER_IP is 6, expected at most 5, as MAX_CONNECTIONS is 5",
        ),
        # #if history
        (
            {"HISTORY_BYTES": "20000000", "MAX_ROOMS": "1000", "MAX_BUFFERED": "100000000"},
            "HISTORY_BYTES is 20000000, expected at most 134217, as MEMORY_BUDGET is 268435456",
        ),
        # #endif
    ],
)
def test_names_a_wrong_setting(boot: Boot, settings: dict[str, str], expected: str) -> None:
    with pytest.raises(RuntimeError, match=f"2: {expected}"):
        boot(**settings)
