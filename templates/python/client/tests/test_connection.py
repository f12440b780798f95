"""States, delays, time limits and close codes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ws_client import ClientError, Options, State
from ws_client.application import ApplicationClient
from ws_client.close_codes import Reconnect, after_close, after_status
from ws_client.connection import Connection, Network
from ws_client.feed import Feed
from ws_client.messages import Message

from .support import FAST, run, serving


class Recorder(ApplicationClient):
    """What a connection has told."""

    def __init__(self, url: str, options: Options = FAST) -> None:
        """Begin with nothing."""
        super().__init__(Network(url, ["chat.v1"]), options)
        self.states: Feed[State] = Feed(1000)
        self.messages: Feed[Message] = Feed(1000)
        self.errors: list[ClientError] = []

    @property
    def connection(self) -> Connection:
        """Show what clients hide."""
        return self._connection

    def changed(self, state: State) -> None:
        """Keep it."""
        self.states.put(state)

    def welcomed(self) -> None:
        """Do nothing."""

    def received(self, message: Message) -> None:
        """Keep it."""
        self.messages.put(message)

    def lost(self) -> None:
        """Do nothing."""

    def failed(self, error: ClientError) -> None:
        """Keep it."""
        self.errors.append(error)

    async def until(self, name: str) -> State:
        """Return the next state of a name."""
        async for state in self.states:
            if state.name == name:
                return state
        raise AssertionError(name)


@asynccontextmanager
async def connecting(
    url: str, options: Options = FAST
) -> AsyncIterator[tuple[Connection, Recorder]]:
    recorder = Recorder(url, options)
    connection = recorder.connection
    connection.start()
    try:
        yield connection, recorder
    finally:
        await connection.close()


@run
async def test_it_goes_through_its_states_and_ends_with_1000() -> None:
    async with serving() as server, connecting(server.url) as (connection, recorder):
        peer = await server.accept()
        assert peer.socket.subprotocol == "chat.v1"
        await peer.welcome(["rooms"])
        await peer.send({"type": "hello"})
        assert await anext(recorder.messages) == {"type": "hello"}
        assert recorder.features == {"rooms"}
        connection.set_resumed(is_complete=True)
        await connection.close()
        names = [await anext(recorder.states) for _ in range(4)]
        assert [state.name for state in names] == ["connecting", "authenticating", "open", "closed"]
        await peer.socket.wait_closed()
        assert peer.socket.close_code == 1000
        assert not connection.send({"type": "late"})


@run
async def test_the_waits_grow_and_are_random() -> None:
    refusals: list[tuple[int, dict[str, str]]] = [(503, {})] * 10
    options = Options(backoff_base=0.001, backoff_max=0.256)
    waits = []
    async with serving(*refusals) as server, connecting(server.url, options) as (_, recorder):
        for attempt in range(10):
            state = await recorder.until("waiting")
            assert state.retry_in is not None
            assert state.retry_in <= 0.001 * 2**attempt
            waits.append(state.retry_in)
        await server.accept()
    assert len(set(waits)) == 10
    # If they did not grow, they would be 10 ms together at most.
    assert sum(waits) > 0.01


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status: int) -> None:
    @run
    async def test() -> None:
        refusal = (status, {"Retry-After": "7"})
        async with serving(refusal) as server, connecting(server.url) as (_, recorder):
            state = await recorder.until("waiting")
            assert state.retry_in is not None
            assert 7 <= state.retry_in <= 7.001
            assert state.reason == f"HTTP {status}"

    test()


@run
async def test_a_wait_without_measure_is_a_day() -> None:
    async with serving() as server, connecting(server.url) as (_, recorder):
        peer = await server.accept()
        await peer.welcome()
        await peer.send({"type": "draining", "retryAfterMs": 10**400})
        await peer.socket.close(1001)
        state = await recorder.until("waiting")
        assert state.retry_in is not None
        assert 86_400 <= state.retry_in < 86_401


@run
async def test_a_server_that_shuts_down_says_when_to_come_back() -> None:
    async with serving() as server, connecting(server.url) as (_, recorder):
        peer = await server.accept()
        await peer.welcome()
        await peer.send({"type": "draining", "retryAfterMs": 5000})
        await peer.socket.close(1001)
        state = await recorder.until("waiting")
        assert state.code == 1001
        assert state.retry_in is not None
        assert 5 <= state.retry_in <= 5.001


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_it_gives_up_when_the_handshake_is_refused_for_good(status: int) -> None:
    @run
    async def test() -> None:
        async with serving((status, {})) as server, connecting(server.url) as (_, recorder):
            assert (await recorder.until("closed")).reason == f"HTTP {status}"
            assert server.handshakes == 1

    test()


@run
async def test_it_gives_up_after_a_close_code_that_says_so() -> None:
    async with serving() as server, connecting(server.url) as (_, recorder):
        peer = await server.accept()
        await peer.welcome()
        await peer.socket.close(4502, "revoked")
        state = await recorder.until("closed")
        assert (state.code, state.reason) == (4502, "revoked")


@run
async def test_it_comes_back_at_once_when_its_position_is_lost() -> None:
    options = Options(backoff_base=30)
    async with serving() as server, connecting(server.url, options) as (_, recorder):
        peer = await server.accept()
        await peer.welcome()
        await peer.socket.close(4409)
        assert (await recorder.until("waiting")).retry_in == 0
        await server.accept()


@run
async def test_silence_is_noticed() -> None:
    options = Options(backoff_base=0.001, pong_timeout=0.05)
    async with serving() as server, connecting(server.url, options) as (_, recorder):
        peer = await server.accept()
        await peer.welcome(pingIntervalMs=20)
        await peer.next("ping")
        assert (await recorder.until("waiting")).reason == "the server is silent"
        await server.accept()


@run
async def test_a_pong_keeps_the_connection() -> None:
    options = Options(pong_timeout=5)
    async with serving() as server, connecting(server.url, options):
        peer = await server.accept()
        await peer.welcome(pingIntervalMs=20)
        for _ in range(3):
            await peer.next("ping")
            await peer.send({"type": "pong"})
        assert server.handshakes == 1


@run
async def test_a_server_that_does_not_welcome_is_left() -> None:
    options = Options(backoff_base=0.001, connect_timeout=0.2)
    async with serving() as server, connecting(server.url, options) as (_, recorder):
        await server.accept()
        assert (await recorder.until("waiting")).reason == "no welcome in time"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"type":1}', "NaN", "[" * 100_000])
def test_garbage_needs_a_new_connection(text: str) -> None:
    @run
    async def test() -> None:
        async with serving() as server, connecting(server.url) as (_, recorder):
            peer = await server.accept()
            await peer.welcome()
            await peer.send(text, {"type": "after"})
            assert (await recorder.until("waiting")).reason.startswith("malformed message")
            await (await server.accept()).welcome()
            assert not recorder.messages.size

    test()


@run
async def test_short_connections_do_not_reset_the_waits() -> None:
    options = Options(backoff_base=0.001, backoff_max=60, stable_after=60)
    async with serving() as server, connecting(server.url, options) as (connection, recorder):
        for _ in range(3):
            peer = await server.accept()
            await peer.welcome()
            peer.cut()
            await recorder.until("waiting")
        assert connection.attempts == 3


@run
async def test_long_connections_reset_the_waits() -> None:
    options = Options(backoff_base=0.001, stable_after=0)
    async with serving() as server, connecting(server.url, options) as (connection, recorder):
        for _ in range(3):
            peer = await server.accept()
            await peer.welcome()
            await peer.send({"type": "hello"})
            await anext(recorder.messages)
            peer.cut()
            await recorder.until("waiting")
            assert connection.attempts == 1


@run
async def test_a_server_that_asks_for_a_token_is_left_without_one() -> None:
    async with serving() as server, connecting(server.url) as (_, recorder):
        peer = await server.accept()
        await peer.send({"type": "auth-required", "timeoutMs": 10_000})
        assert "asks for a token" in (await recorder.until("closed")).reason
        assert [error.code for error in recorder.errors] == ["token"]
        await peer.socket.wait_closed()
        assert peer.socket.close_code == 4500


@run
async def test_it_can_be_closed_at_any_time() -> None:
    async with serving() as server:
        for state in ("idle", "connecting", "authenticating"):
            recorder = Recorder(server.url)
            connection = recorder.connection
            if state != "idle":
                connection.start()
                await recorder.until(state)
            await connection.close()
            assert (await recorder.until("closed")).code == 1000


@pytest.mark.parametrize("url", ["http://h/?t=secret", "ws:///x", "ws://localhost/#x", "localhost"])
def test_a_url_that_is_none_is_refused_without_naming_it(url: str) -> None:
    with pytest.raises(ValueError, match="ws://") as refused:
        Recorder(url)
    assert "secret" not in str(refused.value)


@run
async def test_a_redirect_to_no_url_is_final_and_not_named() -> None:
    async with serving((302, {"Location": "http:///?t=secret"})) as server:
        recorder = Recorder(server.url)
        recorder.connection.start()
        reason = (await recorder.until("closed")).reason
        assert "URL" in reason
        assert "secret" not in reason


@pytest.mark.parametrize("value", [-1, float("nan"), "1", None])
def test_options_that_are_no_numbers_are_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match="pong_timeout"):
        Options(pong_timeout=value)


def test_close_codes() -> None:
    assert after_close(4499) is Reconnect.DELAY
    assert after_close(4999) is Reconnect.NO
    assert after_close(4501) is Reconnect.TOKEN_ONCE
    assert after_close(5000) is Reconnect.DELAY
    assert after_status(502) is Reconnect.DELAY
    assert after_status(408) is Reconnect.DELAY
    assert after_status(302) is Reconnect.NO


@run
async def test_a_feed_is_bounded() -> None:
    feed: Feed[int] = Feed(3, gap=-1)
    for event in range(4):
        feed.put(event)
    feed.end()
    assert [event async for event in feed] == [-1, 3]


@run
async def test_a_feed_wakes_all_who_wait() -> None:
    feed: Feed[int] = Feed(3)
    waiting = [asyncio.ensure_future(anext(feed, None)) for _ in range(2)]
    await asyncio.sleep(0)
    feed.put(1)
    feed.end()
    assert sorted(map(str, await asyncio.gather(*waiting))) == ["1", "None"]
