"""One connection with its user and a bounded send buffer, as applications see it."""

import uuid
from typing import TYPE_CHECKING

from .admission import Share
from .close_codes import SLOW_CONSUMER, CloseCode
from .frame import Frame
from .hooks import Identity
from .messages import AnyMessage, Command, answer
# #if metrics
from .metrics import Metrics
# #endif

if TYPE_CHECKING:
    # #if live && protocols
    from collections.abc import Callable, Mapping

    # #else
    # #if live
    #~ from collections.abc import Callable
    #~
    # #endif
    # #if protocols
    #~ from collections.abc import Mapping
    #~
    # #endif
    # #endif
    from .peer import Peer


class Client:
    """Sends messages to one user. Whatever does not fit into MAX_BUFFERED closes it with 4408."""

    __slots__ = (
        "_max_buffered",
        # #if metrics
        "_metrics",
        # #endif
        "_peer",
        # #if protocols
        "close_codes",
        # #endif
        "id",
        "identity",
        # #if protocols
        "is_foreign",
        # #endif
        # #if live
        "on_drained",
        # #endif
    )

    def __init__(
        self,
        peer: "Peer",
        identity: Identity,
        max_buffered: int,
        # #if metrics
        metrics: Metrics,
        # #endif
    ) -> None:
        """Send through `peer` to the user of `identity`."""
        self.id = str(uuid.uuid4())
        self.identity = identity
        self._peer = peer
        self._max_buffered = max_buffered
        # #if protocols
        # Whether it speaks a protocol of others, and the codes which that has for some of ours.
        self.is_foreign = False
        self.close_codes: Mapping[int, int] = {}
        # #endif
        # #if live
        # Called when everything that was sent has left this process.
        self.on_drained: Callable[[], object] = bool
        # #endif
        # #if metrics
        self._metrics = metrics
        # #endif

    @property
    def user(self) -> str:
        """The name of the user."""
        return self.identity.user

    @property
    def share(self) -> Share:
        """The address whose share it uses."""
        return self._peer.share

    @property
    def is_open(self) -> bool:
        """Whether it gets what is sent."""
        return self._peer.is_open

    # #if live
    @property
    def is_waiting(self) -> bool:
        """Whether anything waits to be sent."""
        return self._peer.waiting > 0

    def has_space_for(self, frame: Frame) -> bool:
        """Whether it reads fast enough to get a frame now.

        A quarter of its buffer is for messages like that.
        """
        waiting, size = self._peer.waiting, len(frame.data)
        is_small = waiting + size <= self._max_buffered / 4 and size <= self._peer.space
        return waiting == 0 or is_small

    # #endif
    def send(self, message: AnyMessage) -> None:
        """Send a message."""
        # #if protocols
        if self.is_foreign:
            # It would not understand.
            return
        # #endif
        self.deliver(Frame.of(message))

    def fail(self, command: Command, code: str, message: str, **more: object) -> None:
        """Answer a command with an error."""
        self.send(answer(command, "error", code=code, message=message, **more))

    def deliver(self, frame: Frame, *, is_droppable: bool = False) -> None:
        """Send a frame, which may be one for many clients.

        With a full buffer one that may be dropped is skipped, and any other closes the client:
        memory stays bounded. While half of the buffer is full, no commands are read.
        """
        peer = self._peer
        if not peer.is_open:
            return
        waiting = peer.waiting
        size = len(frame.data)
        is_too_much = waiting > 0 and size > peer.space
        if waiting + size > self._max_buffered or is_too_much:
            if is_droppable:
                return
            self.share.log("warn", "slow-consumer", client=self.id, user=self.user, waiting=waiting)
            # #if metrics
            self._metrics.slow_consumers += 1
            # #endif
            self.close(SLOW_CONSUMER)
            return
        # #if metrics
        self._metrics.sent[frame.type] += frame.count
        # #endif
        # Compressing must not be what a slow reader costs.
        peer.send_frame(frame, is_compressed=waiting == 0)

    def close(self, why: CloseCode) -> None:
        """Start the closing handshake."""
        # #if protocols
        self._peer.close(self.close_codes.get(why.code, why.code), why.reason)
        # #else
        #~ self._peer.close(*why)
        # #endif
