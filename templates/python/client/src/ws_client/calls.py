"""What the server was asked, and has not answered."""

import asyncio
from typing import Any

from .connection import Connection
from .messages import ClientError


class Call:
    """A message that is sent once, and its answer."""

    def __init__(self, text: str) -> None:
        """Wait."""
        self.text = text
        self.is_sent = False
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class Calls:
    """Each is sent once; when the connection is lost before the answer, it fails."""

    def __init__(self, connection: Connection) -> None:
        """Send over `connection`, with the limits of its options."""
        self._connection = connection
        self._calls: dict[object, Call] = {}

    async def ask(self, key: object, text: str, name: str, *, stop: str | None = None) -> Any:  # noqa: ANN401
        """Send `text`, now or over the next connection; return what `settle` gives for `key`.

        When the answer is no longer waited for, `stop` is sent. Raises ClientError: `timeout` and
        `unknown_outcome` leave open whether the server has done it; `expired`, `queue_full` and
        `closed` do not.
        """
        state = self._connection.state
        if state.name == "closed":
            raise ClientError("closed", state.reason)
        most = self._connection.options.max_calls
        if len(self._calls) >= most:
            raise ClientError("queue_full", f"{most} calls have no answer")
        call = self._calls[key] = Call(text)
        timeout = self._connection.options.call_timeout
        if state.name == "open":
            call.is_sent = self._connection.send(text)
        try:
            async with asyncio.timeout(timeout):
                return await call.answer
        except TimeoutError:
            code = "timeout" if call.is_sent else "expired"
            raise ClientError(code, f"{name} had no answer within {timeout} s") from None
        finally:
            del self._calls[key]
            if stop is not None and call.is_sent and call.answer.cancelled():
                self._connection.send(stop)

    def settle(self, key: object, answer: object) -> None:
        """Give what was asked its answer, or raise it there if it is an error."""
        call = self._calls.get(key)
        if call is None or call.answer.done():
            return
        if isinstance(answer, Exception):
            call.answer.set_exception(answer)
        else:
            call.answer.set_result(answer)

    def send_waiting(self) -> None:
        """Send what was not sent, in the order in which it was asked."""
        for call in self._calls.values():
            if not call.is_sent and not call.answer.done():
                call.is_sent = self._connection.send(call.text)

    def lost(self) -> None:
        """Fail what was sent: the server may have done it."""
        for key, call in self._calls.items():
            if call.is_sent:
                self.settle(key, ClientError("unknown_outcome", "the connection was lost"))

    def close(self, reason: str) -> None:
        """Fail what waits for a connection."""
        for key in self._calls:
            self.settle(key, ClientError("closed", reason))
