"""The protocol without a network."""

import pytest

from ws_server.protocol import (
    PROGRESS,
    Closed,
    Control,
    Deflate,
    Event,
    Message,
    ProtocolError,
    Receiver,
    encode_frame,
)
# #if commands
from ws_server.routes import BodyError, ChunkedBody
# #endif


def masked(frame: bytes, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """Mask a frame of at most 125 bytes."""
    payload = bytes(octet ^ mask[index % 4] for index, octet in enumerate(frame[2:]))
    return bytes((frame[0], frame[1] | 128)) + mask + payload


def events(data: bytes, step: int, *, has_deflate: bool = False) -> list[Event]:
    """Return what a receiver says that gets `step` bytes at a time."""
    receiver = Receiver(1000, has_deflate=has_deflate, room=lambda: 1000)
    found: list[Event] = []
    for at in range(0, len(data), step):
        receiver.feed(data[at : at + step])
        while (event := receiver.next()) is not None:
            if event is not PROGRESS:
                found.append(event)
    assert not receiver.is_unfinished
    return found


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_reads_frames_however_they_arrive(step: int) -> None:
    start, rest = encode_frame(1, b"gr"), encode_frame(0, "üße".encode())
    frames = (
        bytes((start[0] & 127,)) + start[1:],
        encode_frame(9, b"ping"),
        rest,
        encode_frame(2, b"\xff\x00"),
        encode_frame(8, b"\x03\xe8bye"),
    )
    assert events(b"".join(map(masked, frames)), step) == [
        Control(9, b"ping"),
        Message("grüße"),
        Message(b"\xff\x00"),
        Closed(1000, "bye"),
    ]


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("takeover", [False, True])
def test_reads_compressed_messages(*, step: int, takeover: bool) -> None:
    deflate = Deflate(window_bits=11, takeover=False)
    text = "hello " * 100
    frame = encode_frame(1, deflate.compress(text.encode()), is_compressed=True)
    assert events(masked(frame), step, has_deflate=True) == [Message(text)]
    own = Deflate(window_bits=11, takeover=takeover)
    first, second = own.compress(text.encode()), own.compress(text.encode())
    assert (len(second) < len(first)) == takeover


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (encode_frame(1, b"unmasked"), 1002),
        (masked(encode_frame(1, b"x", is_compressed=True)), 1002),
        (masked(encode_frame(0, b"of nothing")), 1002),
        (b"\x09\x80\0\0\0\0", 1002),
        (b"\x82\xfe\x10\x00\0\0\0\0", 1009),
        (masked(encode_frame(8, b"\x03")), 1002),
    ],
)
def test_refuses_what_is_wrong(data: bytes, code: int) -> None:
    with pytest.raises(ProtocolError) as error:
        events(data, 1000)
    assert error.value.code == code


@pytest.mark.parametrize(("room", "code"), [(2000, 1009), (100, 1013)])
def test_bounds_what_is_inflated(room: int, code: int) -> None:
    receiver = Receiver(1000, has_deflate=True, room=lambda: room)
    bomb = Deflate(window_bits=15, takeover=False).compress(bytes(1_000_000))[:100]
    receiver.feed(masked(encode_frame(2, bomb, is_compressed=True)))
    with pytest.raises(ProtocolError) as error:
        receiver.next()
    assert error.value.code == code
# #if commands


@pytest.mark.parametrize("step", [1, 2, 5, 1000])
def test_reads_chunked_bodies_however_they_arrive(step: int) -> None:
    data = b"4;a=b\r\nda\r\n\r\nA \r\n0123456789\r\n0\r\nX: y\r\n\r\nmore"
    body, come = ChunkedBody(14), bytearray()
    ends = []
    for at in range(0, len(data) - 4, step):
        come += data[at : at + step]
        ends.append(body.take(come))
    assert ends == [False] * (len(ends) - 1) + [True]
    assert body.content == b"da\r\n0123456789"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"x\r\n", 400),
        (b"-1\r\n", 400),
        (b"\r\n", 400),
        (b"1\r\nab\r\n", 400),
        (b"1" * 2000, 400),
        (b"1\r\na\r\n" * 15, 413),
        (b"ffffffff\r\n", 413),
        (b"0\r\n" + b"X: y\r\n" * 400, 400),
    ],
)
def test_refuses_chunked_bodies_that_are_wrong(data: bytes, status: int) -> None:
    with pytest.raises(BodyError) as caught:
        ChunkedBody(14).take(bytearray(data))
    assert caught.value.status == status
# #endif
