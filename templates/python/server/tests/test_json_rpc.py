"""JSON-RPC without a network."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from ws_server.config import Config
from ws_server.json_rpc import Caller, CallFailed, JsonRpc, Methods, RpcError
from ws_server.messages import text
# #if metrics
from ws_server.metrics import Metrics
# #endif

from .remotes import FakeRemote

CONFIG = Config.read({"MAX_BATCH": "5", "MAX_CALLS_PER_CLIENT": "2"})
methods = Methods()
# What methods were told.
seen: list[object] = []
# Counts calls of `wait`.
started = asyncio.Semaphore(0)


@dataclass
class Order:
    """What is ordered, and how it is sent."""

    item: Annotated[str, text(1, 10)]
    count: int = 1
    how: Literal["air", "sea"] = "sea"
    tags: list[str] | None = None


@methods.register
def subtract(minuend: float, subtrahend: float = 1) -> float:
    return minuend - subtrahend


@methods.register_as("orders.add")
def add_order(order: Order) -> dict[str, Order]:
    return {"order": order}


@methods.register
def note(text: str) -> None:
    seen.append(text)


@methods.register
def fail() -> None:
    raise ValueError("secret detail")


@methods.register
async def refuse() -> None:
    raise RpcError(7, "Out of stock", {"left": 0})


@methods.register
async def deep() -> None:
    data: list[object] = []
    for _ in range(100_000):
        data = [data]
    raise RpcError(7, "Out of stock", data)


@methods.register
def unwritable() -> object:
    return {1, 2}


@methods.register
def endless() -> float:
    return float("inf")


@methods.register
async def wait() -> None:
    started.release()
    try:
        await asyncio.Event().wait()
    finally:
        seen.append("cancelled")


@methods.register
async def ask(caller: Caller, name: str, seconds: float = 20) -> str:
    caller.notify("asking", {"name": name})
    try:
        return await caller.call(name, [1], result=str, seconds=seconds)
    except (CallFailed, RpcError) as error:
        seen.append(error)
        return repr(error)


def converse(talk: Callable[[FakeRemote], Coroutine[Any, Any, None]]) -> None:
    """Talk as a client does."""
    seen.clear()

    async def run() -> None:
        remote = FakeRemote()
        # #if metrics
        protocol = JsonRpc(CONFIG, methods, Metrics(CONFIG))
        # #else
        #~ protocol = JsonRpc(CONFIG, methods)
        # #endif
        remote.conversation = protocol.accept(remote)
        await talk(remote)
        await remote.leave()

    asyncio.run(run())


def request(request_id: object, method: str, *params: object, **named: object) -> dict[str, object]:
    """Return a request."""
    more = {"params": named or list(params)} if named or params else {}
    return {"jsonrpc": "2.0", "id": request_id, "method": method, **more}


def result(request_id: object, value: object) -> dict[str, object]:
    """Return a response."""
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


def error(request_id: object, code: int, message: str, **data: object) -> dict[str, object]:
    """Return a response with an error."""
    told = {"code": code, "message": message, **({"data": data} if data else {})}
    return {"jsonrpc": "2.0", "id": request_id, "error": told}


NO_JSON = error(None, -32700, "Parse error")


def test_answers_requests_whatever_their_ids_are() -> None:
    async def talk(remote: FakeRemote) -> None:
        order = {"item": "tea", "count": 2, "how": "sea", "tags": None}
        for sent, received in (
            (request(1, "subtract", 42, 23), result(1, 19)),
            (request("a", "subtract", subtrahend=23, minuend=42), result("a", 19)),
            (request(None, "subtract", 2), result(None, 1)),
            (
                request(1.5, "orders.add", {"item": "tea", "count": 2.0}),
                result(1.5, {"order": order}),
            ),
            (request(2, "nothing"), error(2, -32601, "Method not found")),
            (request(2, "rpc.discover"), error(2, -32601, "Method not found")),
            (request(3, "refuse"), error(3, 7, "Out of stock", left=0)),
            (request(4, "fail"), error(4, -32603, "Internal error")),
            (request(4, "deep"), error(4, -32603, "Internal error")),
            (request(4, "unwritable"), error(4, -32603, "Internal error")),
            (request(4, "endless"), error(4, -32603, "Internal error")),
            ("[" * 100_000, NO_JSON),
            ("[1e999]", NO_JSON),
            ("nothing", NO_JSON),
        ):
            assert await remote.ask(sent) == received
        assert remote.logged == ["method-failed"] * 4
        # #if metrics
        assert remote.counts["subtract"] == 3
        assert remote.counts["unknown"] == 2
        assert remote.counts["invalid"] == 3
        # #endif

    converse(talk)


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        (request(1, "subtract", "x"), ["minuend"]),
        (request(1, "subtract", minuend=True), ["minuend"]),
        (request(1, "subtract", 1, 2, 3), []),
        (request(1, "subtract", minuend=1, other=1), []),
        (request(1, "subtract"), ["minuend"]),
        (request(1, "orders.add", {}), ["order", "item"]),
        (request(1, "orders.add", {"item": ""}), ["order", "item"]),
        (request(1, "orders.add", {"item": "tea", "count": 1.5}), ["order", "count"]),
        (request(1, "orders.add", {"item": "tea", "how": "rail"}), ["order", "how"]),
        (request(1, "orders.add", {"item": "tea", "tags": ["a", 1]}), ["order", "tags", "1"]),
    ],
)
def test_names_what_is_wrong_with_parameters(sent: object, path: list[str]) -> None:
    async def talk(remote: FakeRemote) -> None:
        fault = (await remote.ask(sent))["error"]
        assert (fault["code"], fault["data"]["path"]) == (-32602, path)

    converse(talk)


def test_answers_no_notification_and_a_batch_at_once() -> None:
    async def talk(remote: FakeRemote) -> None:
        await remote.say({"jsonrpc": "2.0", "method": "note", "params": ["a"]})
        await remote.say([{"jsonrpc": "2.0", "method": name} for name in ("fail", "nothing")])
        sent = [request(1, "refuse"), {"jsonrpc": "2.0", "method": "note", "params": ["b"]}, 7]
        first, invalid = await remote.ask(sent)
        assert first == error(1, 7, "Out of stock", left=0)
        assert (invalid["id"], invalid["error"]["code"]) == (None, -32600)
        assert seen == ["a", "b"]
        assert (remote.spent, remote.warnings) == (3, 1)
        for batch in ([], [request(1, "note", "c")] * 6):
            assert (await remote.ask(batch))["error"]["data"] == {
                "reason": "expected 1 to 5 in a batch"
            }
        assert len(seen) == 2

    converse(talk)


def test_limits_calls_and_cancels_those_of_who_has_gone() -> None:
    async def talk(remote: FakeRemote) -> None:
        await remote.say([request(1, "wait"), request(2, "wait")])
        assert (await remote.ask(request(3, "wait")))["error"]["code"] == -32000
        for _ in range(2):
            await started.acquire()
        await remote.leave()
        assert seen == ["cancelled", "cancelled"]

    converse(talk)


def test_calls_the_client() -> None:
    async def talk(remote: FakeRemote) -> None:
        answers: list[tuple[dict[str, object], str]] = [
            ({"result": "Ada"}, "Ada"),
            ({"result": 1}, repr(CallFailed("name was answered with another result"))),
            ({"error": {"code": 1, "message": "no"}}, repr(RpcError(1, "no"))),
        ]
        for number, (answer, expected) in enumerate(answers, 1):
            notification = await remote.ask(request("q", "ask", "name"))
            assert notification == {
                "jsonrpc": "2.0",
                "method": "asking",
                "params": {"name": "name"},
            }
            assert await remote.next() == request(number, "name", 1)
            # Of nobody, and not whole: neither is an answer.
            await remote.say({"jsonrpc": "2.0", "id": 77, "result": 1})
            await remote.say({"jsonrpc": "2.0", "id": number, **answer})
            found = await remote.next()
            assert found["result"] == expected
        await remote.ask(request("q", "ask", "name", 0.01))
        await remote.next()
        assert "in time" in (await remote.next())["result"]

    converse(talk)
# #if auth


def test_asks_who_a_client_is() -> None:
    async def talk(remote: FakeRemote) -> None:
        remote.identity = None
        assert (await remote.ask(request(1, "subtract", 1)))["error"]["code"] == -32001
        assert (await remote.ask(request(1, "rpc.authenticate")))["error"]["code"] == -32602
        found = await remote.ask(request(1, "rpc.authenticate", token="good"))  # noqa: S106
        assert found["result"]["user"] == "ada"
        assert await remote.ask(request(2, "subtract", 2)) == result(2, 1)
        assert (await remote.ask(request(1, "rpc.authenticate", "bad")))["error"]["code"] == -32002
        assert remote.closed == (4501, "the token was refused")

    converse(talk)


@pytest.mark.parametrize("token", ["good", "bad"])
def test_takes_the_entries_of_a_batch_in_their_order(token: str) -> None:
    async def talk(remote: FakeRemote) -> None:
        remote.identity = None
        enter = request("enter", "rpc.authenticate", token)
        calls = [request(1, "ask", "a"), request(2, "ask", "b")]
        answer = await remote.ask([request(0, "subtract", 2), enter, *calls])
        if token == "good":  # noqa: S105
            # Calls in progress hold up nothing.
            assert answer["method"] == "asking"
            asked = [await remote.next() for _ in range(3)]
            for number in [one["id"] for one in asked if "id" in one]:
                await remote.say({"jsonrpc": "2.0", "id": number, "result": "x"})
            answer = await remote.next()
        codes = {one["id"]: one.get("error", {}).get("code") for one in answer}
        if token == "good":  # noqa: S105
            assert codes == {0: -32001, "enter": None, 1: None, 2: None}
            again = [request(0, "ask", "c"), request("enter", "rpc.authenticate", "bad")]
            assert (await remote.ask(again))["method"] == "asking"
        else:
            assert codes == {0: -32001, "enter": -32002, 1: -32001, 2: -32001}
            assert remote.closed == (4501, "the token was refused")

    converse(talk)
# #endif


def test_refuses_what_clients_cannot_call() -> None:
    def unknown(value: complex) -> None:
        """Take what JSON does not have."""

    with pytest.raises(TypeError, match="cannot be read"):
        methods.register(unknown)
    with pytest.raises(ValueError, match="reserved"):
        methods.register_as("rpc.x")(note)
