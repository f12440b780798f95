"""Messages that are encoded once, however many clients get them."""

from collections.abc import Sequence

from .messages import AnyMessage, encode
from .protocol import DEFLATE_FROM, TEXT, Deflate, encode_frame


class Frame:
    """A text message as one frame of a server, or several of the same type in a row."""

    __slots__ = ("_deflated", "_payload", "count", "data", "type")

    def __init__(self, kind: str, payload: bytes) -> None:
        """Encode a message of a type."""
        self.type = kind
        self.count = 1
        self.data = encode_frame(TEXT, payload)
        # What is worth its compression.
        self._payload = payload if len(payload) >= DEFLATE_FROM else b""
        # By the window: made once, for many clients.
        self._deflated: dict[int, bytes] = {}

    @classmethod
    def of(cls, message: AnyMessage) -> "Frame":
        """Encode a message."""
        return cls(str(message["type"]), encode(message))

    @classmethod
    def join(cls, frames: Sequence["Frame"]) -> "Frame":
        """Return one frame after the other, to be written at once and as they are."""
        if len(frames) == 1:
            return frames[0]
        joined = cls(frames[0].type, b"")
        joined.count = len(frames)
        joined.data = b"".join(frame.data for frame in frames)
        return joined

    @property
    def is_large(self) -> bool:
        """Whether it is worth its compression."""
        return self._payload != b""

    def compressed(self, deflate: Deflate) -> bytes:
        """Return the frame for a client, compressed if that is worth it."""
        if not self._payload:
            return self.data
        if deflate.takeover:
            return encode_frame(TEXT, deflate.compress(self._payload), is_compressed=True)
        data = self._deflated.get(deflate.bits)
        if data is None:
            data = encode_frame(TEXT, deflate.compress(self._payload), is_compressed=True)
            self._deflated[deflate.bits] = data
        return data
