"""GraphQL without a network."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

import pytest
from graphql import GraphQLError, get_introspection_query

from ws_server.broadcast import MAX_WAITING, Broadcast
from ws_server.config import Config
from ws_server.graphql_documents import Documents, RefusedError, Request
# #if graphql-legacy
from ws_server.graphql_legacy import LegacyGraphql
# #endif
from ws_server.graphql_schema import create_schema
from ws_server.graphql_ws import Graphql
from ws_server.handlers.resolvers import resolvers

from .remotes import FakeRemote

SCHEMA = """
directive @cost(weight: String!) on FIELD_DEFINITION
directive @listSize(assumedSize: Int, slicingArguments: [String!]) on FIELD_DEFINITION
type Query {
  hello(toWhom: String! = "you"): String!
  things(first: Int): [Thing!]!
  dear: String! @cost(weight: "500")
  fail: String
  refuse: String
  slow: Int
}
type Thing { bigName: String! parts: [Thing!]! @listSize(assumedSize: 50) }
type Subscription { forever: Int! none: Int! }
"""
# What resolvers were told.
seen: list[str] = []
NOTHING: Mapping[str, str] = {}
ACK = {"type": "connection_ack"}


def fail(*_: object) -> None:
    raise ValueError("secret detail")


def refuse(*_: object) -> None:
    raise GraphQLError("not today", extensions={"code": "CLOSED"})


async def slow(*_: object) -> int:
    try:
        await asyncio.sleep(3600)
    finally:
        seen.append("slow ended")
    return 1


async def forever(*_: object) -> AsyncIterator[int]:
    try:
        yield 1
        await asyncio.sleep(3600)
    finally:
        seen.append("forever ended")


RESOLVERS: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "Query": {
        "hello": lambda _, info, to_whom: f"Hello {to_whom}, I am {info.context.user}",
        "things": lambda _, __, first=1: [{"bigName": "a", "parts": []}] * first,
        "dear": lambda *_: "",
        "fail": fail,
        "refuse": refuse,
        "slow": slow,
    },
    "Subscription": {"forever": forever, "none": refuse},
}


def converse(
    talk: Callable[[FakeRemote], Coroutine[Any, Any, None]],
    env: Mapping[str, str] = NOTHING,
    kind: type[Graphql] = Graphql,
) -> None:
    """Talk as a client does that has not said anything yet."""
    seen.clear()

    async def run() -> None:
        remote = FakeRemote()
        remote.subprotocol = kind.name
        config = Config.read(env)
        protocol = kind(config, Documents(create_schema(RESOLVERS, SCHEMA), config))
        remote.conversation = protocol.accept(remote)
        await talk(remote)
        await remote.leave()
        await asyncio.sleep(0)
        assert protocol.documents.running == 0

    asyncio.run(run())


def start(query: str, operation_id: str = "1", **more: object) -> dict[str, object]:
    """Return a message that starts an operation."""
    return {"type": "subscribe", "id": operation_id, "payload": {"query": query, **more}}


async def begin(remote: FakeRemote) -> None:
    """Say hello."""
    assert await remote.ask({"type": "connection_init"}) == ACK


def test_answers_queries_with_next_and_complete() -> None:
    async def talk(remote: FakeRemote) -> None:
        await begin(remote)
        query = "query ($who: String!) { hello(toWhom: $who) things(first: 2) { bigName } }"
        data = {"hello": "Hello Bob, I am ada", "things": [{"bigName": "a"}] * 2}
        assert await remote.ask(start(query, variables={"who": "Bob"})) == {
            "id": "1",
            "type": "next",
            "payload": {"data": data},
        }
        assert await remote.next() == {"id": "1", "type": "complete"}

    converse(talk)


def test_tells_of_bugs_only_that_there_is_one() -> None:
    async def talk(remote: FakeRemote) -> None:
        await begin(remote)
        errors = (await remote.ask(start("{ fail refuse }")))["payload"]["errors"]
        told = {one["path"][0]: (one["message"], one["extensions"]["code"]) for one in errors}
        assert told == {
            "fail": ("internal error", "INTERNAL_SERVER_ERROR"),
            "refuse": ("not today", "CLOSED"),
        }
        assert remote.logged == ["resolver-failed"]
        await remote.next()
        # What is no stream has no events.
        refused = await remote.ask(start("subscription { none }"))
        assert (refused["type"], refused["payload"][0]["message"]) == ("error", "not today")

    converse(talk)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("{ hello", "Syntax Error: Expected Name, found <EOF>."),
        ("{" + " hello" * 100 + "}", "Syntax Error: Document contains more than 60 tokens."),
        ("{ helo }", "Cannot query field 'helo' on type 'Query'."),
        ("{ __schema { types { name } } }", "GraphQL introspection has been disabled"),
        ("query A { hello } query B { hello }", "expected one operation"),
        ("{ things { parts { parts { bigName } } } }", "expected a depth of at most 3, not 4"),
        ("{ things(first: 500) { bigName } dear }", "expected a cost of at most 1000, not 1001"),
        ("{ things(first: 20) { parts { bigName } } }", "expected a cost of at most 1000, not 10"),
        ("{ hello " + " " * 1000 + "}", "query: expected at most 1000 bytes"),
    ],
)
def test_refuses_what_is_wrong_or_too_much(query: str, why: str) -> None:
    async def talk(remote: FakeRemote) -> None:
        await begin(remote)
        refused = await remote.ask(start(query))
        assert refused["type"] == "error"
        assert refused["payload"][0]["message"].startswith(why)

    limits = {"GRAPHQL_MAX_DEPTH": "3", "GRAPHQL_MAX_TOKENS": "60", "GRAPHQL_MAX_DOCUMENT": "1000"}
    converse(talk, {**limits, "GRAPHQL_INTROSPECTION": "false"})


def test_lets_clients_read_the_schema_only_if_that_is_allowed() -> None:
    async def talk(remote: FakeRemote) -> None:
        await begin(remote)
        assert (await remote.ask(start("{ __schema { types { name } } }")))["type"] == "next"

    converse(talk, {"GRAPHQL_INTROSPECTION": "true"})


def test_refuses_variables_that_do_not_fit() -> None:
    async def talk(remote: FakeRemote) -> None:
        await begin(remote)
        deep: list[object] = []
        for _ in range(100):
            deep = [deep]
        query = "query ($who: String!) { hello(toWhom: $who) }"
        for variables, code in (
            ({}, "BAD_USER_INPUT"),
            ({"who": 1}, "BAD_USER_INPUT"),
            ({"who": "a" * 20_000}, "BAD_REQUEST"),
            ({"who": deep}, "BAD_REQUEST"),
        ):
            refused = await remote.ask(start(query, variables=variables))
            assert refused["payload"][0]["extensions"]["code"] == code

    converse(talk)


DEEP = '{"type":"ping","payload":' + '{"a":' * 9000 + "1" + "}" * 9001


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (["nothing"], 4400),
        ([DEEP], 4400),
        ([[]], 4400),
        ([{"type": "next", "id": "1", "payload": {}}], 4400),
        ([{"type": "connection_init", "payload": "x"}], 4400),
        ([start("{ hello }", "")], 4400),
        ([start("{ hello }", operationName=1)], 4400),
        ([start("{ hello }", variables=[])], 4400),
        ([start("{ hello }")], 4401),
        ([{"type": "connection_init"}, start("{ slow }"), start("{ slow }")], 4409),
        ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
    ],
)
def test_closes_over_what_breaks_the_protocol(messages: list[object], code: int) -> None:
    async def talk(remote: FakeRemote) -> None:
        for message in messages:
            await remote.say(message)
        assert remote.closed is not None
        assert remote.closed[0] == code
        assert len(remote.closed[1].encode()) <= 123
        # #if metrics
        assert sum(remote.counts.values()) == len(messages)
        # #endif

    converse(talk)


def test_closes_who_does_not_begin_in_time() -> None:
    async def talk(remote: FakeRemote) -> None:
        async with asyncio.timeout(20):
            await remote.is_closed.wait()
        assert remote.closed is not None
        assert remote.closed[0] == 4408

    converse(talk, {"GRAPHQL_INIT_TIMEOUT": "50"})


def test_limits_operations_and_ends_what_nobody_waits_for() -> None:
    async def talk(remote: FakeRemote) -> None:
        await begin(remote)
        event = await remote.ask(start("subscription { forever }"))
        assert event["payload"] == {"data": {"forever": 1}}
        await remote.say(start("{ slow }", "2"))
        refused = await remote.ask(start("{ hello }", "3"))
        assert refused["payload"][0]["extensions"]["code"] == "TOO_MANY_OPERATIONS"
        await remote.say({"type": "complete", "id": "1"})
        await remote.say({"type": "complete", "id": "1"})
        for _ in range(5):
            await asyncio.sleep(0)
        assert seen == ["forever ended"]
        # The id is free again.
        assert (await remote.ask(start("{ hello }")))["type"] == "next"
        await remote.next()
        await remote.leave()
        assert seen == ["forever ended", "slow ended"]

    converse(talk, {"GRAPHQL_MAX_OPERATIONS": "2"})


def test_answers_pings_before_and_after_the_beginning() -> None:
    async def talk(remote: FakeRemote) -> None:
        ping = {"type": "ping", "payload": {"a": [1]}}
        assert await remote.ask(ping) == {**ping, "type": "pong"}
        await begin(remote)
        await remote.say({"type": "pong"})
        assert await remote.ask({"type": "ping"}) == {"type": "pong"}

    converse(talk)
# #if auth


@pytest.mark.parametrize(
    "params", [{"token": "good"}, {"Authorization": "Bearer good"}, {"token": "bad"}, {}]
)
def test_asks_who_a_client_is(params: dict[str, str]) -> None:
    async def talk(remote: FakeRemote) -> None:
        remote.identity = None
        await remote.say({"type": "connection_init", "payload": params})
        if "good" in " ".join(params.values()):
            assert await remote.next() == ACK
            return
        await asyncio.gather(*remote.tasks)
        assert remote.closed == (4403, "Forbidden")

    converse(talk)
# #endif
# #if graphql-legacy


def test_speaks_the_older_protocol() -> None:
    async def talk(remote: FakeRemote) -> None:
        assert await remote.ask({"type": "connection_init"}) == ACK
        assert await remote.next() == {"type": "ka"}
        query = {"type": "start", "id": "1", "payload": {"query": "{ hello }"}}
        data = {"hello": "Hello you, I am ada"}
        assert await remote.ask(query) == {"id": "1", "type": "data", "payload": {"data": data}}
        assert await remote.next() == {"id": "1", "type": "complete"}
        wrong = {"type": "start", "id": "1", "payload": {"query": "{"}}
        assert "Syntax Error" in (await remote.ask(wrong))["payload"]["message"]
        refused = await remote.ask({"type": "subscribe"})
        assert refused["type"] == "connection_error"
        assert remote.closed == (4400, "Unexpected message")

    converse(talk, kind=LegacyGraphql)


def test_counts_operations_of_both_protocols_to_one_limit() -> None:
    async def run() -> None:
        config = Config.read({"GRAPHQL_MAX_ALL_OPERATIONS": "1"})
        documents = Documents(create_schema(RESOLVERS, SCHEMA), config)
        remotes = []
        for kind in (Graphql, LegacyGraphql):
            remote = FakeRemote()
            remote.subprotocol = kind.name
            remote.conversation = kind(config, documents).accept(remote)
            await begin(remote)
            remotes.append(remote)
        newer, older = remotes
        await newer.say(start("{ slow }"))
        assert await older.next() == {"type": "ka"}
        query = {"type": "start", "id": "1", "payload": {"query": "{ hello }"}}
        assert "too many operations" in (await older.ask(query))["payload"]["message"]
        await newer.leave()
        assert (await older.ask(query))["type"] == "data"
        await older.leave()

    asyncio.run(run())
# #endif


def test_lets_tools_read_the_schema() -> None:
    # It consists of fragments, whose types are those of the schema itself.
    documents = Documents(create_schema(resolvers), Config.read({}))
    documents.prepare(Request(get_introspection_query(), None, {}))


def test_does_not_compare_many_fields_with_each_other() -> None:
    documents = Documents(create_schema(resolvers), Config.read({}))
    query = f'{{ messages(channel: "a", last: 1) {{{" id" * 200} }} }}'
    with pytest.raises(RefusedError, match="aborted"):
        documents.prepare(Request(query, None, {}))


def test_refuses_resolvers_that_do_not_fit() -> None:
    for wrong in ({"Query": {"x": fail}}, {"X": {"x": fail}}, {}):
        with pytest.raises(ValueError, match="resolvers"):
            create_schema(wrong, SCHEMA)
    with pytest.raises(ValueError, match="schema"):
        create_schema({}, "type Query {")


def test_passes_messages_on_to_who_follows_a_channel() -> None:
    async def run() -> None:
        remote = FakeRemote()
        remote.subprotocol = "graphql-transport-ws"
        config = Config.read({})
        protocol = Graphql(config, Documents(create_schema(resolvers), config))
        remote.conversation = protocol.accept(remote)
        await begin(remote)
        fields = "channel from text sentAt"
        await remote.say(start(f'subscription {{ messages(channel: "a") {{ {fields} }} }}', "s"))
        send = f'mutation {{ send(channel: "a", text: "hi") {{ {fields} }} }}'
        await remote.say(start(send, "m"))
        found = [await remote.next() for _ in range(3)]
        sent = {one["id"]: one["payload"]["data"] for one in found if one["type"] == "next"}
        assert sent["s"]["messages"] == sent["m"]["send"]
        assert sent["m"]["send"]["from"] == "ada"
        await remote.say(start("subscription { countdown(from: 1, everyMs: 60000) }", "c"))
        assert (await remote.next())["payload"]["data"] == {"countdown": 1}
        # It ends at once.
        async with asyncio.timeout(20):
            await remote.leave()

    asyncio.run(run())


def test_ends_who_follows_too_slowly() -> None:
    async def run() -> None:
        broadcast: Broadcast[int] = Broadcast()
        values = broadcast.subscribe("a")
        first = asyncio.ensure_future(anext(values))
        await asyncio.sleep(0)
        for number in range(MAX_WAITING + 2):
            broadcast.publish("a", number)
        assert [await first, await anext(values)] == [0, 1]
        for _ in range(MAX_WAITING - 2):
            await anext(values)
        with pytest.raises(GraphQLError, match="faster"):
            await anext(values)

    asyncio.run(run())
