"""What was published and has no answer yet is bounded, and never dropped in silence."""

import asyncio
import json
from typing import Any, Literal

import pytest

from ws_client import Ack, ClientError, Options
from ws_client.outbox import Outbox

from .support import run


class Wire:
    """A connection that may be there or not."""

    def __init__(self, *, is_open: bool = True) -> None:
        """Keep what is sent."""
        self.is_open = is_open
        self.tries = 0
        self.sent: list[dict[str, Any]] = []

    def send(self, stream: str, text: str) -> bool:
        """Take what is not for a stream that waits."""
        self.tries += 1
        if self.is_open and stream != "waits":
            self.sent.append(json.loads(text))
        return self.is_open and stream != "waits"

    @property
    def ids(self) -> list[str]:
        """Of what was sent."""
        return [message["id"] for message in self.sent]


def start(outbox: Outbox, key: str, stream: str = "lobby", text: str = "hi") -> asyncio.Future[Ack]:
    command = {"type": "message", "text": text}
    return asyncio.ensure_future(outbox.add(stream, command, message_id=key, ack_timeout=None))


async def codes(*sending: asyncio.Future[Ack]) -> list[str]:
    results = await asyncio.gather(*sending, return_exceptions=True)
    return [result.code if isinstance(result, ClientError) else "ack" for result in results]


@run
async def test_what_cannot_be_sent_is_not_tried_with_each_new_one() -> None:
    wire = Wire(is_open=False)
    outbox = Outbox(Options(), wire.send)
    streams = ("waits", "lobby")
    sending = [start(outbox, str(index), streams[index % 2]) for index in range(200)]
    await asyncio.sleep(0)
    assert wire.tries <= 2 * 200
    wire.is_open = True
    outbox.flush()
    assert wire.ids == [str(index) for index in range(1, 200, 2)]
    outbox.close("enough")
    await codes(*sending)


@run
async def test_each_gets_its_answer() -> None:
    wire = Wire()
    outbox = Outbox(Options(), wire.send)
    sending = [start(outbox, key) for key in "ab"]
    await asyncio.sleep(0)
    assert wire.ids == ["a", "b"]
    assert outbox.answer("b", Ack(2))
    assert outbox.answer("a", ClientError("forbidden", "no"))
    assert not outbox.answer("a", Ack(1))
    assert not outbox.answer(None, Ack(1))
    assert await codes(*sending) == ["forbidden", "ack"]


@pytest.mark.parametrize(
    ("when_full", "expected"),
    [
        ("drop-oldest", ["dropped", "ack", "ack"]),
        ("drop-new", ["ack", "ack", "dropped"]),
        ("reject", ["ack", "ack", "queue_full"]),
    ],
)
@pytest.mark.parametrize("limit", [{"max_messages": 2}, {"max_bytes": 90}])
def test_what_waits_is_bounded(
    when_full: Literal["drop-oldest", "drop-new", "reject"],
    expected: list[str],
    limit: dict[str, Any],
) -> None:
    @run
    async def test() -> None:
        wire = Wire(is_open=False)
        outbox = Outbox(Options(when_full=when_full, **limit), wire.send)
        sending = [start(outbox, key) for key in "abc"]
        await asyncio.sleep(0)
        wire.is_open = True
        outbox.flush()
        for key in "abc":
            outbox.answer(key, Ack())
        assert await codes(*sending) == expected

    test()


@run
async def test_what_has_no_answer_is_bounded() -> None:
    wire = Wire()
    outbox = Outbox(Options(max_messages=2), wire.send)
    sending = [start(outbox, key) for key in "abc"]
    await asyncio.sleep(0)
    assert wire.ids == ["a", "b"]
    outbox.answer("a", Ack())
    assert wire.ids == ["a", "b", "c"]
    outbox.close("end")
    assert await codes(*sending) == ["ack", "unknown_outcome", "unknown_outcome"]


@run
async def test_what_is_too_large_or_known_is_refused() -> None:
    wire = Wire()
    outbox = Outbox(Options(max_message_bytes=60), wire.send)
    sending = [start(outbox, "a", text="é" * 20), start(outbox, "b"), start(outbox, "b")]
    await asyncio.sleep(0)
    outbox.answer("b", Ack())
    assert await codes(*sending) == ["too_big", "ack", "bad_message"]
    assert wire.ids == ["b"]


@run
async def test_a_stream_that_waits_holds_no_other_back() -> None:
    wire = Wire()
    outbox = Outbox(Options(), wire.send)
    sending = [start(outbox, "a", "waits"), start(outbox, "b")]
    await asyncio.sleep(0)
    assert wire.ids == ["b"]
    outbox.close("end")
    assert await codes(*sending) == ["closed", "unknown_outcome"]


@run
async def test_what_waits_for_too_long_expires() -> None:
    outbox = Outbox(Options(max_age=0.01), Wire(is_open=False).send)
    assert await codes(start(outbox, "a")) == ["expired"]


@run
async def test_an_answer_has_a_limit() -> None:
    outbox = Outbox(Options(ack_timeout=0.01), Wire().send)
    assert await codes(start(outbox, "a")) == ["timeout"]


@run
async def test_it_is_sent_again_in_order_before_what_is_new() -> None:
    wire = Wire()
    outbox = Outbox(Options(), wire.send)
    sending = [start(outbox, key) for key in "ab"]
    await asyncio.sleep(0)
    wire.is_open = False
    sending.append(start(outbox, "c"))
    await asyncio.sleep(0)
    outbox.lost(can_resume=True)
    wire.is_open = True
    outbox.flush()
    assert wire.ids == ["a", "b", "a", "b", "c"]
    outbox.close("end")
    await codes(*sending)


@run
async def test_it_is_not_sent_again_for_ever() -> None:
    wire = Wire()
    outbox = Outbox(Options(resend_within=0.01), wire.send)
    sending = start(outbox, "a")
    await asyncio.sleep(0)
    outbox.lost(can_resume=True)
    assert await codes(sending) == ["unknown_outcome"]


@run
async def test_without_resume_its_outcome_is_unknown() -> None:
    wire = Wire()
    outbox = Outbox(Options(), wire.send)
    sending = [start(outbox, "a"), start(outbox, "b", "waits")]
    await asyncio.sleep(0)
    outbox.lost(can_resume=False)
    outbox.close("end")
    assert await codes(*sending) == ["unknown_outcome", "closed"]


@run
async def test_only_the_stream_is_forgotten() -> None:
    wire = Wire()
    outbox = Outbox(Options(), wire.send)
    sending = [start(outbox, "a", "one"), start(outbox, "b", "two")]
    await asyncio.sleep(0)
    outbox.lost(can_resume=True)
    outbox.forget("one")
    outbox.flush()
    outbox.answer("b", Ack())
    assert await codes(*sending) == ["unknown_outcome", "ack"]


@run
async def test_what_is_cancelled_is_not_sent() -> None:
    wire = Wire(is_open=False)
    outbox = Outbox(Options(max_messages=1, when_full="reject"), wire.send)
    sending = start(outbox, "a")
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait([sending])
    wire.is_open = True
    other = start(outbox, "b")
    await asyncio.sleep(0)
    assert wire.ids == ["b"]
    outbox.answer("b", Ack())
    assert await codes(other) == ["ack"]


@run
async def test_what_is_no_json_is_refused() -> None:
    outbox = Outbox(Options(), Wire().send)
    for data in (float("nan"), {1, 2}):
        with pytest.raises((ValueError, TypeError)):
            await outbox.add("a", {"data": data}, message_id=None, ack_timeout=None)


@pytest.mark.parametrize("is_late", [False, True])
def test_what_has_no_answer_makes_room(is_late: bool) -> None:  # noqa: FBT001
    @run
    async def test() -> None:
        wire = Wire()
        timeout = 0.05 if is_late else 10
        outbox = Outbox(Options(max_messages=1, ack_timeout=timeout), wire.send)
        first = start(outbox, "a")
        await asyncio.sleep(0)
        second = start(outbox, "b")
        await asyncio.sleep(0)
        assert wire.ids == ["a"]
        if not is_late:
            first.cancel()
        await asyncio.wait([first])
        assert wire.ids == ["a", "b"]
        assert outbox.answer("b", Ack(1))
        assert await codes(second) == ["ack"]

    test()
