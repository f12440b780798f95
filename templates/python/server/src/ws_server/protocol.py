"""The WebSocket protocol without sockets (RFC 6455, RFC 7692): bytes in, events and bytes out."""

import codecs
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

# Bytes of a message that cost as much of the rate as one message more.
# #if commands
BYTES_PER_MESSAGE = 4096
# #else
#~ BYTES_PER_MESSAGE = 16_384
# #endif
# Bytes of a frame that are handled at once, and of one that is inflated.
PART = 65_536
DEFLATED_PART = 4096
# Bytes of what inflates a message: its window and its tables.
INFLATER_BYTES = 40_960
# Messages below are not worth their compression.
DEFLATE_FROM = 1024

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class ProtocolError(Exception):
    """The peer has to be closed with a code (RFC 6455 section 7.4.1) and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        """Name the close code and why."""
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True)
class Message:
    """A whole message."""

    data: str | bytes


@dataclass(slots=True)
class Control:
    """A ping or a pong."""

    opcode: int
    data: bytes


@dataclass(slots=True)
class Closed:
    """A close frame; without a code it is 1005."""

    code: int
    reason: str


@dataclass(slots=True)
class Progress:
    """A part of a message."""


Event = Message | Control | Closed | Progress
PROGRESS = Progress()


class Deflate:
    """Compresses messages as was negotiated; without takeover, each on its own."""

    __slots__ = ("_compressor", "bits", "takeover")

    def __init__(self, *, window_bits: int, takeover: bool) -> None:
        """Take what the server's side of the negotiation says."""
        self.bits = window_bits
        self.takeover = takeover
        self._compressor: zlib._Compress | None = None

    def compress(self, data: bytes) -> bytes:
        """Compress a message (RFC 7692 section 7.2.1)."""
        compressor = self._compressor
        if compressor is None:
            compressor = zlib.compressobj(3, zlib.DEFLATED, -self.bits, 4)
        if self.takeover:
            self._compressor = compressor
        return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


class Receiver:
    """Reads the frames of a client. A frame that is wrong raises ProtocolError."""

    __slots__ = (
        "_at",
        "_buffer",
        "_decoder",
        "_fin",
        "_has_deflate",
        "_inflater",
        "_is_compressed",
        "_is_text",
        "_left",
        "_mask",
        "_max_payload",
        "_message",
        "_opcode",
        "_raw",
        "_room",
        "fragments",
        "frame_cost",
        "is_closed",
        "is_in_message",
        # #if commands
        # #else
        #~ "message_cost",
        # #endif
        "received",
        "work",
    )

    def __init__(self, max_payload: int, *, has_deflate: bool, room: Callable[[], float]) -> None:
        """Bound messages by `max_payload`, and inflated ones by the `room` for them, too."""
        self._max_payload = max_payload
        self._has_deflate = has_deflate
        self._room = room
        self._buffer = bytearray()
        self._at = 0
        # Of the frame: its opcode (-1 between frames), the bytes to come and their mask.
        self._opcode = -1
        self._fin = False
        self._left = 0
        self._mask = b""
        # Whether a close frame came, even a wrong one.
        self.is_closed = False
        # Of the message.
        self.is_in_message = False
        self._is_text = False
        self._is_compressed = False
        self._message = bytearray()
        self._raw = 0
        self._inflater: zlib._Decompress | None = None
        self._decoder: codecs.IncrementalDecoder | None = None
        self.fragments = 0
        # Bytes of payload so far.
        self.received = 0
        # Bytes of payload so far, inflated.
        self.work = 0
        # What came costs so much of the rates; the owner subtracts what it has charged.
        self.frame_cost = 0.0
        # #if commands
        # #else
        #~ self.message_cost = 0.0
        # #endif

    def feed(self, data: bytes | bytearray) -> None:
        """Take bytes of the network."""
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
        self._buffer += data

    def skip(self) -> "Skipper":
        """Drop everything that came and will come, up to a close frame."""
        skipper = Skipper(self._left if self._opcode >= 0 else 0)
        skipper.feed(bytes(self._buffer[self._at :]))
        self._buffer.clear()
        self._message.clear()
        self._inflater = None
        self._at = self.fragments = 0
        return skipper

    @property
    def held(self) -> int:
        """Bytes that wait here."""
        return len(self._buffer) - self._at + len(self._message) + self.overhead

    @property
    def overhead(self) -> int:
        """Bytes of what inflates the unfinished message."""
        return 0 if self._inflater is None else INFLATER_BYTES

    @property
    def is_unfinished(self) -> bool:
        """Whether a message or a frame has begun and is not complete."""
        return self.is_in_message or self._opcode >= 0 or len(self._buffer) > self._at

    @property
    def message_size(self) -> int:
        """Bytes of the unfinished message."""
        return len(self._message)

    def next(self) -> Event | None:
        """Return what comes next; None if that needs more bytes."""
        if self._opcode < 0 and not self._read_head():
            return None
        if self._opcode >= CLOSE:
            return self._read_control()
        limit = DEFLATED_PART if self._is_compressed else PART
        take = min(self._left, len(self._buffer) - self._at, limit)
        if take == 0 and self._left > 0:
            return None
        part = self._take(take)
        self.received += take
        self._left -= take
        if self._left > 0:
            turn = take & 3
            self._mask = self._mask[turn:] + self._mask[:turn]
        is_end = self._left == 0 and self._fin
        if not self._is_compressed:
            self.work += take
        is_whole = is_end and not self._message and self._decoder is None and self._raw == take
        if is_whole and not self._is_compressed:
            return self._whole(part)
        self._add(part, is_end=is_end)
        if self._left == 0:
            self._opcode = -1
            if not self._fin:
                self.fragments += 1
        if not is_end:
            return PROGRESS
        data = bytes(self._message)
        return self._whole(data)

    def _whole(self, data: bytes) -> Message:
        self._opcode = -1
        self.is_in_message = False
        self._message = bytearray()
        self._inflater = self._decoder = None
        self._raw = self.fragments = 0
        if not self._is_text:
            return Message(data)
        try:
            return Message(data.decode())
        except UnicodeDecodeError:
            raise ProtocolError(1007, "text that is not UTF-8") from None

    def _add(self, part: bytes, *, is_end: bool) -> None:
        data = self._inflate(part, is_end=is_end) if self._is_compressed else part
        if self._is_text:
            if self._decoder is None:
                self._decoder = codecs.getincrementaldecoder("utf-8")()
            try:
                self._decoder.decode(data, is_end)
            except UnicodeDecodeError:
                raise ProtocolError(1007, "text that is not UTF-8") from None
        self._message += data

    def _inflate(self, part: bytes, *, is_end: bool) -> bytes:
        """Inflate a part of a message, bounded by what it and its address may still hold."""
        of_message = self._max_payload - len(self._message)
        limit = int(max(0, min(of_message, self._room())))
        # RFC 7692 section 7.2.2: these octets were taken off the end.
        rest = part + b"\x00\x00\xff\xff" if is_end else part
        inflated = b""
        try:
            while rest and len(inflated) <= limit:
                if self._inflater is None or self._inflater.eof:
                    self._inflater = zlib.decompressobj(-15)
                inflated += self._inflater.decompress(rest, limit + 1 - len(inflated))
                rest = self._inflater.unconsumed_tail or self._inflater.unused_data
        except zlib.error:
            raise ProtocolError(1007, "a message that cannot be inflated") from None
        if len(inflated) > limit:
            raise self._too_big() if limit == of_message else out_of_memory()
        self.work += len(inflated)
        # #if commands
        self.frame_cost += len(inflated) / BYTES_PER_MESSAGE
        # #else
        #~ # More than 32 times what came is work that a peer hardly pays for.
        #~ self.frame_cost += max(0, len(inflated) - 32 * DEFLATED_PART) / 32_768
        # #endif
        return inflated

    def _read_control(self) -> Control | Closed | None:
        if len(self._buffer) - self._at < self._left:
            return None
        opcode, self._opcode = self._opcode, -1
        data = self._take(self._left)
        if opcode != CLOSE:
            return Control(opcode, data)
        self.is_closed = True
        if not data:
            return Closed(1005, "")
        code = int.from_bytes(data[:2], "big")
        is_known = 1000 <= code <= 1014 and code not in (1004, 1005, 1006)
        if len(data) == 1 or not (is_known or 3000 <= code <= 4999):
            raise ProtocolError(1002, "a malformed close code")
        try:
            return Closed(code, data[2:].decode())
        except UnicodeDecodeError:
            raise ProtocolError(1007, "a close reason that is not UTF-8") from None

    def _take(self, count: int) -> bytes:
        """Unmask the next bytes (RFC 6455 section 5.3)."""
        start = self._at
        self._at += count
        masked = self._buffer[start : self._at]
        mask = (self._mask * ((count >> 2) + 1))[:count]
        number = int.from_bytes(masked, "little") ^ int.from_bytes(mask, "little")
        return number.to_bytes(count, "little")

    def _read_head(self) -> bool:
        """Read the head of a frame (RFC 6455 section 5.2); False if it is not complete."""
        buffer, at = self._buffer, self._at
        there = len(buffer) - at
        if there < 2:
            return False
        first, second = buffer[at], buffer[at + 1]
        opcode = first & 15
        self._check_bits(first, second, opcode)
        length = second & 127
        end = at + 2 + (2 if length == 126 else 8 if length == 127 else 0) + 4
        if len(buffer) < end:
            return False
        if length == 126:
            (length,) = struct.unpack_from("!H", buffer, at + 2)
        elif length == 127:
            (length,) = struct.unpack_from("!Q", buffer, at + 2)
            if length >> 63:
                raise ProtocolError(1002, "a length of 64 bits")
        self._mask = bytes(buffer[end - 4 : end])
        self._at = end
        self._opcode = opcode
        self._left = length
        self._fin = first >= 128
        # #if commands
        self.frame_cost += 1 + length / BYTES_PER_MESSAGE
        # #else
        #~ self._add_cost(opcode, length)
        # #endif
        if opcode >= CLOSE:
            return True
        if opcode != CONTINUATION:
            self._is_text = opcode == TEXT
            self._is_compressed = first & 64 != 0
            self.is_in_message = True
        self._raw += length
        if self._raw > self._max_payload:
            raise self._too_big()
        return True

    def _check_bits(self, first: int, second: int, opcode: int) -> None:
        is_data = opcode in (TEXT, BINARY)
        if not second & 128:
            raise ProtocolError(1002, "a frame without a mask")
        if first & 0x30 or (first & 64 and not (self._has_deflate and is_data)):
            raise ProtocolError(1002, "reserved bits")
        if opcode > PONG or 2 < opcode < CLOSE:
            raise ProtocolError(1002, "a reserved opcode")
        if opcode >= CLOSE and (first < 128 or second & 127 > 125):
            raise ProtocolError(1002, "a control frame in fragments, or a large one")
        if opcode < CLOSE and is_data == self.is_in_message:
            raise ProtocolError(1002, "a continuation of nothing, or a message inside another")

    # #if commands
    # #else
    #~ def _add_cost(self, opcode: int, length: int) -> None:
    #~     """Count what a frame costs: it is a message, a good part of one, or echoes nothing."""
    #~     if opcode >= CLOSE or length == 0:
    #~         self.frame_cost += 1
    #~     elif not self._fin or opcode == CONTINUATION:
    #~         self.frame_cost += max(0.0, 1 - length / 64)
    #~     if opcode < CLOSE:
    #~         self.message_cost += (1 if self._fin else 0) + length / BYTES_PER_MESSAGE
    #~
    # #endif
    def _too_big(self) -> ProtocolError:
        return ProtocolError(1009, f"a message above {self._max_payload} bytes")


def out_of_memory() -> ProtocolError:
    """Return the error for a message that there is no memory for."""
    return ProtocolError(1013, "MEMORY_BUDGET is used up; try again later")


class Skipper:
    """Looks for a close frame and drops everything else: for what comes after the server's own."""

    __slots__ = ("_head", "_left", "frames", "is_done")

    def __init__(self, left: int = 0) -> None:
        """Start with so many bytes of a frame to come."""
        self._head = b""
        self._left = left
        self.frames = 0
        self.is_done = False

    def feed(self, data: bytes) -> None:
        """Take bytes of the network."""
        at = 0
        while at < len(data) and not self.is_done:
            if self._left == 0:
                self._head += data[at : at + 1]
                at += 1
                self._read_head()
            skipped = min(self._left, len(data) - at)
            self._left -= skipped
            at += skipped

    def _read_head(self) -> None:
        head = self._head
        if len(head) < 2:
            return
        length = head[1] & 127
        extended = 2 if length == 126 else 8 if length == 127 else 0
        if len(head) < 2 + extended:
            return
        if extended:
            length = int.from_bytes(head[2:], "big")
        self._left = length + (4 if head[1] & 128 else 0)
        self._head = b""
        self.frames += 1
        self.is_done = head[0] & 15 == CLOSE


def encode_frame(opcode: int, payload: bytes, *, is_compressed: bool = False) -> bytes:
    """Write a whole frame of a server."""
    length = len(payload)
    first = 128 | (64 if is_compressed else 0) | opcode
    if length < 126:
        return bytes((first, length)) + payload
    if length < 65_536:
        return struct.pack("!BBH", first, 126, length) + payload
    return struct.pack("!BBQ", first, 127, length) + payload


def encode_close(code: int, reason: str) -> bytes:
    """Write a close frame; 1005 has no code."""
    if code == 1005:
        return encode_frame(CLOSE, b"")
    return encode_frame(CLOSE, struct.pack("!H", code) + reason.encode()[:123])
