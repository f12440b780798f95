"""Clients that publish, and not only read."""

from typing import Any

from .client import Client, S
from .connection import State
from .messages import Ack, ClientError, Message, count_of
from .outbox import Outbox


class PublishingClient(Client[S]):
    """Sends again what has no answer, where the server publishes it once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- those of Client
        """Take the options of all clients."""
        super().__init__(*args, **kwargs)
        self._outbox = Outbox(self.options, self._send)

    def changed(self, state: State) -> None:
        """Send what waits when the connection is open; nothing waits when it is closed."""
        if state.name == "open":
            self._outbox.flush()
        elif state.name == "closed":
            self._outbox.close(state.reason)
        super().changed(state)

    def welcomed(self) -> None:
        """Send nothing again to a server that knows no ids."""
        if "resume" not in self.features:
            self._outbox.forget()
        super().welcomed()

    def drained(self) -> None:
        """Send more."""
        self._outbox.flush()

    def lost(self) -> None:
        """Send again later what has no answer."""
        super().lost()
        self._outbox.lost(can_resume="resume" in self.features)

    def received(self, message: Message) -> None:
        """Take an answer to what was published, or anything else."""
        if message["type"] == "ack":
            offset = count_of(message.get("offset"))
            ack = Ack(offset, message.get("duplicate") is True)
            self._outbox.answer(message.get("id"), ack)
        else:
            super().received(message)

    def _accept(self, stream: S, reply: Message) -> None:
        before = stream.since
        super()._accept(stream, reply)
        after = stream.since
        if before is not None and (after is None or before.epoch != after.epoch):
            # The server has lost its memory: it would not know what it has published.
            self._outbox.forget(self._outbox_of(stream.name))
        self._outbox.flush()

    def _refuse(self, key: object, error: ClientError) -> None:
        if not self._outbox.answer(key, error):
            super()._refuse(key, error)

    def _send(self, stream: str, text: str) -> bool:
        is_open = self.state.name == "open" and self._is_ready(stream)
        has_space = self._connection.buffered < self.options.high_water_mark
        return is_open and has_space and self._connection.send(text)

    def _is_ready(self, stream: str) -> bool:
        """Return whether what is published to a stream may be sent."""
        del stream
        return True

    def _outbox_of(self, name: str) -> str:
        """Return what `publish` calls a stream."""
        return name
