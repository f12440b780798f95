"""A client of WAMP, against a router whose every message a test chooses."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from ws_client import Event, Options, Result, State, WampClient, WampError

from .support import FAST, run, serving

Wire = list[Any]


class Router:
    """The other end: it answers HELLO, and leaves the rest to the test."""

    def __init__(self) -> None:
        """Expect connections."""
        self.url = ""
        self.greeting: Wire = [2, 4711, {"roles": {"broker": {}, "dealer": {}}}]
        self.hellos: asyncio.Queue[Wire] = asyncio.Queue()
        self.messages: asyncio.Queue[Wire] = asyncio.Queue()
        self.socket: ServerConnection | None = None

    async def accept(self, socket: ServerConnection) -> None:
        """Read all that comes."""
        self.socket = socket
        async for text in socket:
            message = json.loads(text)
            if message[0] == 1:
                await self.hellos.put(message)
                await self.say(*self.greeting)
            else:
                await self.messages.put(message)

    async def say(self, *message: object) -> None:
        """Send a message."""
        assert self.socket is not None
        await self.socket.send(json.dumps(message))

    async def next(self, code: int) -> Wire:
        """Return the next message, which has to have a code."""
        message = await self.messages.get()
        assert message[0] == code, message
        return message

    def cut(self) -> None:
        """Break the connection off."""
        assert self.socket is not None
        self.socket.transport.abort()


@asynccontextmanager
async def routing(*greeting: object) -> AsyncIterator[Router]:
    router = Router()
    if greeting:
        router.greeting = list(greeting)
    protocols = [Subprotocol("wamp.2.json")]
    async with serve(router.accept, "127.0.0.1", 0, subprotocols=protocols) as server:
        router.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/"
        yield router


async def error_of(task: asyncio.Task[Any]) -> WampError:
    with pytest.raises(WampError) as caught:
        await task
    return caught.value


@run
async def test_calls_and_publishes() -> None:
    async with routing() as router, WampClient(router.url, options=FAST) as client:
        assert (await router.hellos.get())[1] == "realm1"
        assert client.state == State("open")
        for rest, expected in (
            ([], None),
            ([[3]], 3),
            ([[1, 2], {"k": 3}], Result([1, 2], {"k": 3})),
        ):
            call = asyncio.create_task(client.call("com.add", 1, 2, k="é"))
            _, request, _, *sent = await router.next(48)
            assert sent == ["com.add", [1, 2], {"k": "é"}]
            await router.say(50, request, {}, *rest)
            assert await call == expected
        call = asyncio.create_task(client.call("com.fails"))
        _, request, *_ = await router.next(48)
        await router.say(8, 48, request, {}, "com.error", ["why"], {"k": 4})
        error = await error_of(call)
        assert (error.uri, error.arguments, error.kwargs) == ("com.error", ("why",), {"k": 4})
        publish = asyncio.create_task(client.publish("com.news", "hello"))
        _, request, options, *sent = await router.next(16)
        assert (options, sent) == ({"acknowledge": True}, ["com.news", ["hello"]])
        await router.say(17, request, 1)
        await publish


@run
async def test_cancels_a_call_with_its_task() -> None:
    async with routing() as router, WampClient(router.url, options=FAST) as client:
        call = asyncio.create_task(client.call("com.long"))
        _, request, *_ = await router.next(48)
        call.cancel()
        assert await router.next(49) == [49, request, {"mode": "killnowait"}]
        # An answer that comes too late.
        await router.say(8, 48, request, {}, "wamp.error.canceled")
        later = asyncio.create_task(client.call("com.p"))
        _, request, *_ = await router.next(48)
        await router.say(50, request, {}, [1])
        assert await later == 1


async def begin(router: Router, code: int, task: asyncio.Task[Any], number: int) -> Any:  # noqa: ANN401
    """Grant a subscription or a registration."""
    _, request, *sent = await router.next(code)
    await router.say(code + 1, request, number)
    return await task, sent


@run
async def test_hears_events_until_it_wants_no_more() -> None:
    async with routing() as router, WampClient(router.url, options=FAST) as client:
        heard: asyncio.Queue[Event] = asyncio.Queue()
        subscribe = asyncio.create_task(client.subscribe("com.", heard.put_nowait, match="prefix"))
        _, request, *sent = await router.next(32)
        assert sent == [{"match": "prefix"}, "com."]
        # The event may follow at once.
        await router.say(33, request, 7)
        await router.say(36, 7, 1, {"topic": "com.x"}, [1], {"k": 2})
        assert await heard.get() == Event("com.x", [1], {"k": 2})
        subscription = await subscribe
        again = asyncio.create_task(client.subscribe("com.", heard.put_nowait, match="prefix"))
        second, _ = await begin(router, 32, again, 7)
        await second.end()
        end = asyncio.create_task(subscription.end())
        _, request, number = await router.next(34)
        assert number == 7
        await router.say(35, request)
        await end
        await subscription.end()
        await router.say(36, 7, 2, {"topic": "com.x"})
        other = asyncio.create_task(client.call("com.p"))
        _, request, *_ = await router.next(48)
        await router.say(50, request, {})
        await other
        assert heard.empty()


@run
async def test_answers_calls() -> None:
    started, canceled = asyncio.Event(), asyncio.Event()

    def answer(*args: object, **kwargs: object) -> object:
        return Result(args, kwargs) if kwargs else args[0]

    async def long() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            canceled.set()

    async def fail() -> None:
        raise WampError("com.error", "why", k=4)

    def bug() -> None:
        raise KeyError("a secret path")

    async with routing() as router, WampClient(router.url, options=FAST) as client:
        procedures: list[Callable[..., object]] = [answer, long, fail, bug]
        for number, procedure in enumerate(procedures, 1):
            register = client.register(f"com.p{number}", procedure, invoke="roundrobin")
            _, sent = await begin(router, 64, asyncio.create_task(register), number)
            assert sent == [{"invoke": "roundrobin"}, f"com.p{number}"]
        await router.say(68, 1, 1, {}, [5])
        assert await router.next(70) == [70, 1, {}, [5]]
        await router.say(68, 2, 1, {}, [5], {"k": 6})
        assert await router.next(70) == [70, 2, {}, [5], {"k": 6}]
        await router.say(68, 3, 3, {})
        assert await router.next(8) == [8, 68, 3, {}, "com.error", ["why"], {"k": 4}]
        await router.say(68, 4, 4, {})
        internal = [8, 68, 4, {}, "wamp.error.runtime_error", ["internal error"]]
        assert await router.next(8) == internal
        await router.say(68, 5, 2, {})
        await router.say(69, 5, {})
        assert (await router.next(8))[:5] == [8, 68, 5, {}, "wamp.error.canceled"]
        assert not canceled.is_set()
        await router.say(68, 6, 2, {})
        await started.wait()
        await router.say(69, 6, {})
        assert (await router.next(8))[:5] == [8, 68, 6, {}, "wamp.error.canceled"]
        assert canceled.is_set()


@run
async def test_has_after_a_reconnect_what_it_had_before() -> None:
    states: list[str] = []
    async with (
        routing() as router,
        WampClient(
            router.url, options=FAST, on_state=lambda state: states.append(state.name)
        ) as client,
    ):
        heard: asyncio.Queue[Event] = asyncio.Queue()
        await begin(router, 32, asyncio.create_task(client.subscribe("com.x", heard.put_nowait)), 1)
        await begin(router, 64, asyncio.create_task(client.register("com.p", print)), 2)
        call = asyncio.create_task(client.call("com.q"))
        await router.next(48)
        router.cut()
        assert (await error_of(call)).uri == "unknown_outcome"
        closed = asyncio.create_task(client.call("com.q"))
        assert (await error_of(closed)).uri == "closed"
        # Requests count anew in each session.
        assert await router.next(32) == [32, 1, {}, "com.x"]
        await router.say(33, 1, 77)
        assert await router.next(64) == [64, 2, {}, "com.p"]
        await router.say(8, 64, 2, {}, "wamp.error.not_authorized")
        await router.say(36, 77, 1, {}, ["again"])
        assert await heard.get() == Event("com.x", ["again"], {})
    assert states == ["connecting", "open", "waiting", "connecting", "open", "closed"]


@run
async def test_gives_an_attempt_up_that_does_not_come_to_its_end() -> None:
    hasty = Options(backoff_base=0.001, backoff_max=0.01, connect_timeout=1)
    async with routing() as router, WampClient(router.url, options=hasty) as client:
        await begin(router, 32, asyncio.create_task(client.subscribe("com.x", print)), 1)
        router.cut()
        for _ in range(3):
            await router.hellos.get()
        assert client.state.name == "connecting"


@run
async def test_wants_no_more_of_what_has_ended_meanwhile() -> None:
    states: asyncio.Queue[State] = asyncio.Queue()

    async def reopened() -> None:
        while (await states.get()).name != "open":
            pass

    async with (
        routing() as router,
        WampClient(router.url, options=FAST, on_state=states.put_nowait) as client,
    ):
        await reopened()
        subscribe = asyncio.create_task(client.subscribe("com.x", print))
        subscription, _ = await begin(router, 32, subscribe, 1)
        router.cut()
        _, request, *_ = await router.next(32)
        await subscription.end()
        await router.say(33, request, 77)
        _, request, number = await router.next(34)
        assert number == 77
        await router.say(35, request)
        await reopened()
        router.cut()
        await reopened()
        # Nothing is asked for any more.
        assert router.messages.empty()


@run
async def test_what_ends_with_its_session_has_ended() -> None:
    async with routing() as router, WampClient(router.url, options=FAST) as client:
        subscribe = asyncio.create_task(client.subscribe("com.x", print))
        subscription, _ = await begin(router, 32, subscribe, 1)
        end = asyncio.create_task(subscription.end())
        await router.next(34)
        router.cut()
        await end


@run
async def test_comes_back_when_the_server_says() -> None:
    states: asyncio.Queue[State] = asyncio.Queue()
    async with serving((503, {"Retry-After": "100"})) as server:
        client = WampClient(server.url, on_state=states.put_nowait, options=FAST)
        connect = asyncio.create_task(client.connect())
        assert (await states.get()).name == "connecting"
        state = await states.get()
        assert (state.name, state.reason) == ("waiting", "HTTP 503")
        assert state.retry_in is not None
        assert 100 <= state.retry_in <= 100.001
        await client.close()
        await error_of(connect)


@run
async def test_tries_again_after_what_it_cannot_read() -> None:
    async with routing() as router, WampClient(router.url, options=FAST):
        for text in ("not json", '{"a": 1}]', "[1e999]["):
            await router.hellos.get()
            assert router.socket is not None
            await router.socket.send(text)
        await router.hellos.get()


@pytest.mark.parametrize("key", [{}, {"iterations": 10**9, "keylen": 32}, {"iterations": 1}])
def test_tries_again_after_an_unlikely_challenge(key: dict[str, int]) -> None:
    @run
    async def check() -> None:
        async with routing(4, "wampcra", {"challenge": "x", "salt": "y", **key}) as router:
            client = WampClient(router.url, authid="eve", secret=str(key), options=FAST)
            connect = asyncio.create_task(client.connect())
            await router.hellos.get()
            router.greeting = [2, 1, {}]
            await connect
            await router.say(69, [])
            call = asyncio.create_task(client.call("com.p"))
            _, request, *_ = await router.next(48)
            await router.say(50, request, {}, [1])
            assert await call == 1
            await client.close()

    check()


@run
async def test_tries_again_without_a_ticket() -> None:
    tickets = iter(["a ticket"])

    def ticket() -> str:
        if not asks:
            asks.append(1)
            raise KeyError("later")
        return next(tickets)

    asks: list[int] = []
    async with routing(4, "ticket", {}) as router:
        client = WampClient(router.url, authid="ada", get_ticket=ticket, options=FAST)
        connect = asyncio.create_task(client.connect())
        assert await router.next(5) == [5, "a ticket", {}]
        await router.say(2, 1, {})
        await connect
        await client.close()


@run
async def test_asks_for_nothing_before_the_welcome() -> None:
    asked = asyncio.Event()
    ticket: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def get_ticket() -> str:
        asked.set()
        return await ticket

    async with routing(4, "ticket", {}) as router:
        client = WampClient(router.url, authid="ada", get_ticket=get_ticket, options=FAST)
        connect = asyncio.create_task(client.connect())
        await asked.wait()
        for ask in (client.subscribe, client.register):
            assert (await error_of(asyncio.create_task(ask("com.x", print)))).uri == "closed"
        await client.close()
        assert (await error_of(connect)).uri == "closed by the client"
        assert router.messages.empty()


@run
async def test_is_closed_by_a_call() -> None:
    closed = asyncio.Event()

    def note(state: State) -> None:
        if state.name == "closed":
            closed.set()

    async with routing() as router:
        client = WampClient(router.url, on_state=note, options=FAST)
        await client.connect()
        await begin(router, 64, asyncio.create_task(client.register("com.stop", client.close)), 7)
        await router.say(68, 1, 7, {})
        await router.next(6)
        await closed.wait()


@run
async def test_says_who_it_is() -> None:
    async def ticket() -> str:
        return "a ticket"

    async with routing(4, "ticket", {}) as router:
        client = WampClient(router.url, authid="ada", get_ticket=ticket, options=FAST)
        connect = asyncio.create_task(client.connect())
        _, _, details = await router.hellos.get()
        assert (details["authid"], details["authmethods"]) == ("ada", ["ticket"])
        assert await router.next(5) == [5, "a ticket", {}]
        await router.say(2, 1, {})
        await connect
        await client.close()
    salted = {"challenge": "text", "salt": "salty", "iterations": 100, "keylen": 32}
    derived = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"secret", b"salty", 100, 32))
    for extra, key in (({"challenge": "text"}, b"secret"), (salted, derived)):
        async with routing(4, "wampcra", extra) as router:
            client = WampClient(router.url, authid="bob", secret="secret", options=FAST)  # noqa: S106
            connect = asyncio.create_task(client.connect())
            signature = base64.b64encode(hmac.digest(key, b"text", "sha256")).decode()
            assert await router.next(5) == [5, signature, {}]
            await router.say(2, 1, {})
            await connect
            await client.close()


@run
async def test_gives_up_when_the_router_refuses() -> None:
    async with routing(3, {}, "wamp.error.no_such_realm") as router:
        client = WampClient(router.url, realm="nowhere", options=FAST)
        connect = asyncio.create_task(client.connect())
        assert (await error_of(connect)).uri == "wamp.error.no_such_realm"
        assert client.state == State("closed", "wamp.error.no_such_realm")
        await client.close()
    # This may pass.
    async with routing(3, {}, "wamp.close.system_shutdown") as router:
        client = WampClient(router.url, options=Options(backoff_base=0.001, backoff_max=0.01))
        connect = asyncio.create_task(client.connect())
        await router.hellos.get()
        router.greeting = [2, 1, {}]
        await connect
        await client.close()
