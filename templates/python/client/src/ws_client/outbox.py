"""What was published and has no answer yet."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from .messages import Ack, ClientError, Message, encode, new_id
from .options import Options

# The code for a message that finds no room.
WHEN_FULL = {"drop-oldest": "queue_full", "reject": "queue_full", "drop-new": "dropped"}


@dataclass(slots=True, eq=False)
class _Entry:
    id: str
    stream: str
    text: str
    size: int
    ack_timeout: float
    added_at: float
    answer: asyncio.Future[Ack]
    first_sent_at: float | None = None
    timer: asyncio.TimerHandle | None = None


class Outbox:
    """Messages from `add` until the server has answered, in order."""

    def __init__(self, options: Options, send: Callable[[str, str], bool]) -> None:
        """`send` takes the stream and the text, and returns whether the text goes out."""
        self._options = options
        self._send = send
        self._waiting: dict[str, _Entry] = {}
        self._sent: dict[str, _Entry] = {}
        self._size = 0
        # How many wait for each stream.
        self._streams: Counter[str] = Counter()
        self._reason: str | None = None

    async def add(
        self,
        stream: str,
        command: Message,
        *,
        message_id: str | None,
        ack_timeout: float | None,
    ) -> Ack:
        """Send a command as soon as it can be sent, and wait for the answer of the server.

        Whoever cancels this does not know whether the server has taken it. Raises ClientError.
        """
        options, loop = self._options, asyncio.get_running_loop()
        key = message_id or new_id()
        text = encode({**command, "id": key})
        size = len(text.encode())
        self._make_room(key, size)
        limit = options.ack_timeout if ack_timeout is None else ack_timeout
        entry = _Entry(key, stream, text, size, limit, loop.time(), loop.create_future())
        self._wait(entry)
        self.flush()
        try:
            return await entry.answer
        except asyncio.CancelledError:
            self._remove(entry)
            self.flush()
            raise

    def flush(self) -> None:
        """Send what can be sent."""
        late: list[_Entry] = []
        taken: list[_Entry] = []
        most = self._options.max_messages - len(self._sent)
        # What follows behind one that cannot go cannot go either.
        held: set[str] = set()
        for entry in self._waiting.values():
            if len(taken) >= most or len(held) == len(self._streams):
                break
            if entry.stream in held:
                continue
            # Timers of a machine that sleeps are late.
            if self._left(entry) == 0:
                late.append(entry)
            elif self._send(entry.stream, entry.text):
                taken.append(entry)
            else:
                held.add(entry.stream)
        for entry in late:
            self._fail(entry, "expired", "not sent in time")
        for entry in taken:
            self._move_to_sent(entry)

    def answer(self, key: object, result: Ack | ClientError) -> bool:
        """Take an answer of the server, or that there is none; False when nothing waits for it."""
        entry = self._sent.get(key) if isinstance(key, str) else None
        if entry is None:
            return False
        self._settle(entry, result)
        self.flush()
        return True

    def lost(self, *, can_resume: bool) -> None:
        """Send again what has no answer, or say that its outcome is unknown."""
        if not can_resume:
            self.forget()
        sent, newer = list(self._sent.values()), self._waiting
        self._sent, self._waiting = {}, {}
        for entry in sent:
            self._wait(entry)
        self._waiting.update(newer)

    def forget(self, stream: str | None = None) -> None:
        """Take that the server would not know that it has published them."""
        for entry in [*self._sent.values(), *self._waiting.values()]:
            if stream in {None, entry.stream} and entry.first_sent_at is not None:
                self._settle(entry, _unknown_outcome())

    def close(self, reason: str) -> None:
        """End all that waits, and take nothing more."""
        self._reason = reason
        for entry in [*self._sent.values(), *self._waiting.values()]:
            self._fail(entry, "closed", reason)

    def _make_room(self, key: str, size: int) -> None:
        options, waiting = self._options, self._waiting
        if self._reason is not None:
            raise ClientError("closed", self._reason)
        if key in waiting or key in self._sent:
            raise ClientError("bad_message", f"{key} is being sent")
        if size > options.max_message_bytes:
            raise ClientError("too_big", f"{size} bytes")
        while len(waiting) >= options.max_messages or self._size + size > options.max_bytes:
            if options.when_full != "drop-oldest" or not waiting or size > options.max_bytes:
                raise ClientError(WHEN_FULL[options.when_full], f"{len(waiting)} wait")
            self._fail(next(iter(waiting.values())), "dropped", "newer ones came")

    def _wait(self, entry: _Entry) -> None:
        """Keep it until it is sent, but not without end."""
        self._waiting[entry.id] = entry
        self._streams[entry.stream] += 1
        self._size += entry.size
        self._after(entry, self._left(entry), "expired", "not sent in time")

    def _left(self, entry: _Entry) -> float:
        if entry.first_sent_at is None:
            end = entry.added_at + self._options.max_age
        else:
            end = entry.first_sent_at + self._options.resend_within
        return max(0, end - asyncio.get_running_loop().time())

    def _move_to_sent(self, entry: _Entry) -> None:
        self._remove(entry)
        self._sent[entry.id] = entry
        if entry.first_sent_at is None:
            entry.first_sent_at = asyncio.get_running_loop().time()

        late = ClientError("timeout", "no answer")
        loop = asyncio.get_running_loop()
        entry.timer = loop.call_later(entry.ack_timeout, self.answer, entry.id, late)

    def _after(self, entry: _Entry, seconds: float, code: str, message: str) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        loop = asyncio.get_running_loop()
        entry.timer = loop.call_later(seconds, self._fail, entry, code, message)

    def _fail(self, entry: _Entry, code: str, message: str) -> None:
        """Say why it is not sent any more; it may have been sent before."""
        is_new = entry.first_sent_at is None
        self._settle(entry, ClientError(code, message) if is_new else _unknown_outcome())

    def _settle(self, entry: _Entry, result: Ack | ClientError) -> None:
        self._remove(entry)
        if entry.answer.done():
            return
        if isinstance(result, ClientError):
            entry.answer.set_exception(result)
        else:
            entry.answer.set_result(result)

    def _remove(self, entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
        if self._sent.get(entry.id) is entry:
            del self._sent[entry.id]
        elif self._waiting.get(entry.id) is entry:
            del self._waiting[entry.id]
            self._size -= entry.size
            self._streams[entry.stream] -= 1
            if self._streams[entry.stream] == 0:
                del self._streams[entry.stream]


def _unknown_outcome() -> ClientError:
    return ClientError("unknown_outcome", "connection lost")
