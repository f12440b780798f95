"""How a connection shares the event loop with others."""

import asyncio
import base64

import pytest

from ws_server.config import Config
from ws_server.peer import BYTES_PER_TURN, TURN, Peer
from ws_server.protocol import INFLATER_BYTES, Deflate, encode_frame
from ws_server.server import Server


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        """Start with nothing written."""
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.writes: list[bytes] = []
        self.waiting = 0
        self.is_paused = False
        self.is_lost = False

    def is_closing(self) -> bool:
        """Return what the test says."""
        return self.is_lost

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.writes.append(bytes(data))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""

    def get_write_buffer_size(self) -> int:
        """Return what the test says."""
        return self.waiting

    def can_write_eof(self) -> bool:
        """Say that it cannot."""
        return False

    def pause_reading(self) -> None:
        """Note it."""
        self.is_paused = True

    def resume_reading(self) -> None:
        """Note it."""
        self.is_paused = False


KEY = base64.b64encode(bytes(16)).decode()
HEAD = (
    "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
).encode()
ZEROS = Deflate(window_bits=11, takeover=False).compress(bytes(BYTES_PER_TURN))


@pytest.mark.parametrize(
    ("frame", "per_turn"),
    [(encode_frame(1, b"a"), TURN), (encode_frame(2, ZEROS, is_compressed=True), 1)],
)
def test_a_flood_has_turns_between_which_others_have_theirs(frame: bytes, per_turn: int) -> None:
    at = 2 if len(frame) < 126 else 4
    masked = bytes((frame[0], frame[1] | 128)) + frame[2:at] + bytes(4) + frame[at:]
    count = 10 * per_turn

    async def flood() -> None:
        server = Server(Config.read({}))
        server.loop = asyncio.get_running_loop()
        transport = Transport()
        peer = Peer(server)
        peer.connection_made(transport)
        peer.data_received(HEAD + masked * count)
        _, *answers = transport.writes
        assert b"".join(answers) == frame * per_turn
        assert transport.is_paused
        while transport.is_paused:
            before = len(b"".join(transport.writes))
            await asyncio.sleep(0)
            assert len(b"".join(transport.writes)) - before <= len(frame) * per_turn
        assert b"".join(transport.writes).endswith(frame * count)
        peer.connection_lost(None)

    asyncio.run(flood())


def test_writes_nothing_to_a_client_that_is_gone() -> None:
    async def lose() -> None:
        server = Server(Config.read({}))
        server.loop = asyncio.get_running_loop()
        transport = Transport()
        peer = Peer(server)
        peer.connection_made(transport)
        peer.data_received(HEAD)
        before = len(transport.writes)
        # That is noticed before the loop says so.
        transport.is_lost = True
        peer.data_received(b"\x89\x80" + bytes(4))
        peer.close(1013, "try again later")
        assert len(transport.writes) == before
        peer.connection_lost(None)

    asyncio.run(lose())


def test_what_waits_counts_until_the_connection_is_gone() -> None:
    async def say_goodbye() -> None:
        server = Server(Config.read({}))
        server.loop = asyncio.get_running_loop()
        transport = Transport()
        peer = Peer(server)
        peer.connection_made(transport)
        peer.data_received(HEAD)
        transport.waiting = 50_000
        peer.close(1013, "try again later")
        assert server.shares.held == transport.waiting
        peer.data_received(b"\x88\x80" + bytes(4))
        assert server.shares.held == transport.waiting
        peer.connection_lost(None)
        assert server.shares.held == 0

    asyncio.run(say_goodbye())


def test_what_inflates_counts_until_the_end_of_its_message() -> None:
    data = Deflate(window_bits=15, takeover=False).compress(b"a message")

    def part(first: int, payload: bytes) -> bytes:
        return bytes((first, 128 | len(payload))) + bytes(4) + payload

    async def inflate() -> None:
        server = Server(Config.read({}))
        server.loop = asyncio.get_running_loop()
        peer = Peer(server)
        peer.connection_made(Transport())
        peer.data_received(HEAD + part(0x41, data[:2]))
        assert server.shares.held > INFLATER_BYTES
        peer.data_received(part(0x80, data[2:]))
        assert server.shares.held == 0
        peer.data_received(part(0x41, data[:2]))
        peer.close(1013, "try again later")
        assert server.shares.held == 0
        peer.connection_lost(None)

    asyncio.run(inflate())
