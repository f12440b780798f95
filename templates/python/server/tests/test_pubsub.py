"""Events, seen through the network alone."""

import json
from collections.abc import Callable

import pytest

from .conftest import Boot, Client, visit

Connect = Callable[..., Client]
TOKEN = "the-token-of-another-program-that-publishes"  # noqa: S105

CLOSED = """
import ws_server.handlers.authorize

ws_server.handlers.authorize.authorize = lambda access: access.name != f"secret.{access.action}"
from ws_server.__main__ import main
main()
"""


def test_passes_events_on_to_who_subscribed(boot: Boot, connect: Connect) -> None:
    port = boot().port
    ada, bob = visit(connect, port, "ada"), visit(connect, port, "bob")
    for topic in ("news.*", "news.#"):
        assert ada.request("subscribe", "subscribed", topic=topic)["topic"] == topic
    bob.request("publish", "ack", topic="other.sport", data=0)
    bob.request("publish", "ack", topic="news.sport", data={"a": [1, None]})
    event = ada.next("event")
    assert (event["topic"], event["data"], event["from"]) == ("news.sport", {"a": [1, None]}, "bob")
    ada.request("unsubscribe", "unsubscribed", topic="news.*")
    bob.request("publish", "ack", topic="news.world", data=2)
    # However many patterns match, it comes once.
    assert ada.next("event")["topic"] == "news.world"
    ada.request("unsubscribe", "unsubscribed", topic="news.#")
    assert ada.request("unsubscribe", "error", topic="news.#")["code"] == "not_subscribed"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ({"type": "subscribe", "topic": "#"}, "pattern_too_broad"),
        ({"type": "subscribe", "topic": "a b"}, "bad_message"),
        ({"type": "publish", "topic": "a.*", "data": 1}, "bad_message"),
        ({"type": "publish", "topic": "a"}, "bad_message"),
        ({"type": "publish", "topic": "a", "data": 1, "more": 1}, "bad_message"),
    ],
)
def test_refuses(boot: Boot, connect: Connect, command: dict[str, object], code: str) -> None:
    ada = visit(connect, boot().port, "ada")
    kind = str(command.pop("type"))
    assert ada.request(kind, "error", **command)["code"] == code


def test_refuses_data_that_is_nested_too_deep(boot: Boot, connect: Connect) -> None:
    ada = visit(connect, boot().port, "ada")
    for levels, reply in ((64, "ack"), (65, "error"), (20_000, "error")):
        data = "[" * levels + "]" * levels
        text = f'{{"type":"publish","id":"1","topic":"a","data":{data}}}'
        ada.client.send(1, text.encode())
        ada.next(reply)


def test_asks_the_handler_who_may_do_what(boot: Boot, connect: Connect) -> None:
    ada = visit(connect, boot("-c", CLOSED).port, "ada")
    for action, data in (("subscribe", {}), ("publish", {"data": 1})):
        topic = f"secret.{action}"
        assert ada.request(action, "error", topic=topic, **data)["code"] == "forbidden"


def test_lets_no_client_publish_where_that_is_not_wanted(boot: Boot, connect: Connect) -> None:
    ada = visit(connect, boot(CLIENT_PUBLISH="false").port, "ada")
    assert ada.request("publish", "error", topic="a", data=1)["code"] == "forbidden"


@pytest.mark.parametrize(
    "limit",
    [
        {"MAX_SUBSCRIPTIONS_PER_CLIENT": "1"},
        {"MAX_SUBSCRIPTIONS_PER_IP": "1"},
        {"MAX_SUBSCRIPTIONS": "1"},
        {"MAX_STREAMS": "1"},
        {"MAX_STREAMS_PER_IP": "1"},
    ],
)
def test_limits_subscriptions(boot: Boot, connect: Connect, limit: dict[str, str]) -> None:
    ada = visit(connect, boot(**limit).port, "ada")
    for _ in range(2):
        ada.request("subscribe", "subscribed", topic="a")
        error = ada.request("subscribe", "error", topic="b")
        assert error["code"] == "too_many_subscriptions"
        ada.request("unsubscribe", "unsubscribed", topic="a")
        ada.request("subscribe", "subscribed", topic="b")
        ada.request("unsubscribe", "unsubscribed", topic="b")


def test_has_one_subscription_for_each_client(boot: Boot, connect: Connect) -> None:
    port = boot(MAX_SUBSCRIPTIONS_PER_IP="1", MAX_STREAMS_PER_IP="1").port
    for name in ("ada", "bob"):
        user = visit(connect, port, name)
        user.request("subscribe", "subscribed", topic=name)
        assert user.request("subscribe", "error", topic="c")["code"] == "too_many_subscriptions"


def test_takes_publications_over_http(boot: Boot, connect: Connect) -> None:
    server = boot(PUBLISH_TOKEN=TOKEN)
    ada = visit(connect, server.port, "ada")
    ada.request("subscribe", "subscribed", topic="news.#")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    good = json.dumps({"topic": "news.a", "data": "é", "id": "1"}, ensure_ascii=False)
    status, body = server.get("/publish", "POST", good.encode(), **bearer)
    assert (status, json.loads(body)["subscribers"]) == (200, 1)
    event = ada.next("event")
    assert (event["data"], "from" in event) == ("é", False)
    for bad in (
        "",
        "[]",
        '{"topic":"a"}',
        '{"topic":"#","data":1}',
        b"\xff",
        b'{"topic":"a","data":NaN}',
    ):
        assert server.get("/publish", "POST", bad, **bearer)[0] == 400
    assert server.get("/publish", "POST", good.encode())[0] == 401
    assert server.get("/publish", "POST", "x" * 65_537, **bearer)[0] == 413
    assert (
        server.get("/publish", "POST", good.encode(), **bearer, Origin="https://b.example")[0]
        == 403
    )
    assert boot().get("/publish", "POST", good.encode(), **bearer)[0] == 404
# #if history


def test_keeps_events_for_who_comes_late(boot: Boot, connect: Connect) -> None:
    port = boot(HISTORY_MESSAGES="2").port
    ada = visit(connect, port, "ada")
    for topic in ("a.x", "a.y", "a.x", "b"):
        ada.send("publish", topic=topic, data=topic)
    messages = ada.request("subscribe", "subscribed", topic="a.x")["messages"]
    assert [(one["data"], one["offset"]) for one in messages] == [("a.x", 3)]
# #endif
# #if resume


def test_closes_the_gap_of_who_comes_back(boot: Boot, connect: Connect) -> None:
    port = boot().port
    ada = visit(connect, port, "ada")
    since = ada.request("subscribe", "subscribed", topic="a.#")["position"]
    assert "duplicate" not in ada.request("publish", "ack", topic="a.b", data=1)
    assert ada.request("publish", "ack", topic="a.b", data=1)["duplicate"] is True
    assert "duplicate" not in ada.request("publish", "ack", topic="a.c", data=2)
    late = visit(connect, port, "bob").request("subscribe", "subscribed", topic="a.#", since=since)
    assert (late["recovered"], [one["data"] for one in late["messages"]]) == (True, [1, 2])
# #endif
