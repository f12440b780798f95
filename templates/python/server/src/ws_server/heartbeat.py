"""Whether a peer is still there."""

import asyncio
import random
from typing import TYPE_CHECKING

from .protocol import PING, encode_frame

if TYPE_CHECKING:
    from .peer import Peer

# Bytes a second of the slowest client that counts as alive while it reads, and seconds at most.
SLOWEST_READER = 1024
MAX_PATIENCE = 600


class Heartbeat:
    """Pings, and ends a connection on which no octet came or went during two pings.

    A slow reader has the time that it takes for what was sent before: its pong comes then.
    """

    __slots__ = ("_confirmed", "_interval", "_missed", "_patience", "_peer", "_seen", "_timer")

    def __init__(self, peer: "Peer", interval: int) -> None:
        """Ping every so many milliseconds from now on."""
        self._peer = peer
        self._interval = interval
        self._missed = 0
        self._patience = 0.0
        # Bytes that the peer has taken, as its pongs say.
        self._confirmed = peer.written
        # Read, delivered and waiting bytes at the last ping.
        self._seen = (0, 0, 0)
        self._timer: asyncio.TimerHandle | None = None
        self._schedule()

    def stop(self) -> None:
        """Let go: the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def confirm(self, pong: bytes) -> None:
        """Take a pong. A ping says how many bytes came before it, and its pong repeats that."""
        if pong.isdigit():
            self._confirmed = max(self._confirmed, int(pong[:15]))

    def _schedule(self) -> None:
        # Jitter keeps ten thousand connections from pinging in the same millisecond.
        jitter = random.uniform(0.9, 1.1)  # noqa: S311
        seconds = self._interval / 1000 * jitter
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ping)

    def _ping(self) -> None:
        peer = self._peer
        waiting = peer.transport.get_write_buffer_size()
        read, delivered, waited = self._seen
        self._seen = (peer.read, peer.written - waiting, waiting)
        # Octets count, not frames: in the middle of a large frame a peer cannot answer a ping.
        has_moved = peer.read > read or (waited > 0 and self._seen[1] > delivered)
        if has_moved or peer.is_paused:
            self._missed = 0
        # Only what is ahead of the first ping counts.
        if self._missed == 0:
            seconds = min((peer.written - self._confirmed) / SLOWEST_READER, MAX_PATIENCE)
            self._patience = seconds * 1000 / self._interval
        # The network takes large steps: a slow reader may be at one for minutes.
        if self._missed >= max(8 if waiting > 0 else 2, self._patience):
            peer.lose()
            return
        self._missed += 1
        if peer.is_open:
            peer.write(encode_frame(PING, str(peer.written).encode()))
        self._schedule()
