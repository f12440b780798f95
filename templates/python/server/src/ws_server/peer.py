"""One TCP connection: its turns, its limits, and its end."""

import asyncio
# #if commands
import sys
# #endif
import time
# #if commands
# #else
#~ import traceback
# #endif
# #if commands
from collections.abc import Callable, Coroutine
# #else
#~ from collections.abc import Callable
# #endif
from typing import TYPE_CHECKING, cast

from .admission import Bucket, address_key
# #if commands
from .frame import Frame
# #else
#~ from .handlers.echo import on_message
# #endif
from .heartbeat import Heartbeat
# #if commands
from .hooks import Identity
# #endif
# #if applications
from .messages import MAX_COMMAND_BYTES
# #endif
from .opening import Opening, too_many
from .protocol import (
    # #if commands
    # #else
    #~ BINARY,
    #~ DEFLATE_FROM,
    # #endif
    PING,
    PONG,
    # #if commands
    # #else
    #~ TEXT,
    # #endif
    Closed,
    Control,
    Deflate,
    Message,
    ProtocolError,
    Receiver,
    Skipper,
    encode_close,
    encode_frame,
    out_of_memory,
)

if TYPE_CHECKING:
    from .server import Server
    # #if commands
    from .user_session import UserSession
    # #endif

# Frames of one connection, and bytes, that are handled before others get their turn.
TURN = 16
# #if commands
BYTES_PER_TURN = 16_384
# #else
#~ BYTES_PER_TURN = 262_144
# #endif
# Seconds for the peer's part of the closing handshake, and then for the end of the connection.
CLOSE_TIMEOUT = 3
LINGER = 1
# TCP connections of one address beyond its limit: handshakes under way and health checks.
SPARE_PER_IP = 16
# TCP connections beyond the limit of all.
SPARE = 1000
# Memory that a fragment takes besides its octets.
BYTES_PER_PART = 512
# Bytes that one connection may hold however much the others hold.
FREE_BYTES = 4096
# Bytes that are written at once.
WRITE_SIZE = 65_536

OPENING, OPEN, CLOSING, DONE = range(4)


class Peer(asyncio.Protocol):
    """One TCP connection: what comes before frames is for `Opening`."""

    def __init__(self, server: "Server") -> None:
        """Belong to `server`."""
        self._server = server
        self._config = server.config
        self._loop = server.loop
        self._mode = OPENING
        self._opening = Opening(self, server)
        # Received, and not looked at.
        self.backlog = bytearray()
        self._receiver: Receiver | None = None
        self._skipper: Skipper | None = None
        self.deflate: Deflate | None = None
        # #if commands
        self._frames = Bucket(self._config.rate_limit, self._config.rate_burst)
        self._session: UserSession | None = None
        # A command or a handshake that takes its time.
        self._task: asyncio.Task[None] | None = None
        self._is_in_turn = False
        # #if protocols
        # Until everything that was sent has left this process.
        self._read_up: asyncio.Future[None] | None = None
        # #endif
        # #else
        #~ self._frames = Bucket(self._config.rate_limit, self._config.rate_limit * 4)
        #~ self._messages = Bucket(self._config.message_rate, self._config.message_rate)
        # #endif
        self.subprotocol: str | None = None
        self._has_slept = self._is_asleep = self._is_full = self._has_turn = False
        self._has_ended = self._is_counted = False
        self._wake: asyncio.TimerHandle | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heartbeat: Heartbeat | None = None
        # Answers of this turn.
        self._out: list[bytes] = []
        self._out_size = 0
        # Bytes of MEMORY_BUDGET.
        self._held = 0
        self._code: int | None = None
        # Bytes, since it began.
        self.read = self.written = 0
        self._progress = (0, 0.0)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let a connection in, unless its address has too many."""
        self.transport = cast("asyncio.Transport", transport)
        peer = self.transport.get_extra_info("peername")
        self.share = self._tcp_share = self._server.shares.of(address_key(peer[0] if peer else ""))
        self.share.tcp += 1
        self._server.peers.add(self)
        # #if commands
        # #if live || protocols
        # It says when nothing waits any more.
        self.transport.set_write_buffer_limits(high=0)
        # #else
        #~ # Replies may be large: from half of its space on, no commands are read.
        #~ self.transport.set_write_buffer_limits(high=self._config.max_buffered // 2)
        # #endif
        # #else
        #~ self.transport.set_write_buffer_limits(high=self._config.max_buffered)
        # #endif
        self._set_timer(self._config.handshake_timeout / 1000, self.transport.abort)
        most = self._config.max_connections_per_ip + SPARE_PER_IP
        # Behind proxies all connections have a few addresses; those of clients are counted later.
        if self._config.trust_proxy == 0 and self.share.tcp > most:
            self.share.log("warn", "connection-refused", reason="MAX_CONNECTIONS_PER_IP")
            self.finish(too_many().encode())
        elif len(self._server.peers) > self._config.max_connections + SPARE:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the network."""
        self.read += len(data)
        if self._mode == DONE:
            self._pause(len(data) / 16_384_000)
        elif self._skipper is not None:
            self._skip(data)
        else:
            self.backlog += data
            # #if commands
            if self._task is not None:
                self.transport.pause_reading()
            # #endif
            self._advance()

    def eof_received(self) -> bool:
        """Answer what has come before the connection ends."""
        self._has_ended = True
        # #if commands
        if self._task is not None:
            return True
        # #endif
        return self._mode == OPEN and (self._has_turn or self._is_asleep or self._is_full)

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read its answers."""
        # #if live || protocols
        self._measure()
        # #else
        #~ self._is_full = True
        # #endif

    def resume_writing(self) -> None:
        """Go on."""
        self._is_full = False
        # #if live
        if self._session is not None:
            self._session.client.on_drained()
        # #endif
        # #if protocols
        self._note_read()
        # #endif
        self._advance()

    # #if live || protocols
    def _measure(self) -> None:
        """Read no commands from half of its space on, as replies may be large."""
        was_full = self._is_full
        self._is_full = self.transport.get_write_buffer_size() > self._config.max_buffered // 2
        if was_full and not self._is_full:
            self._advance()

    # #endif
    # #if protocols
    async def drained(self) -> None:
        """Wait until the client has read most of what was sent, or is being closed."""
        most = self._config.max_buffered / 4
        while self._mode == OPEN and self.transport.get_write_buffer_size() > most:
            self._read_up = self._read_up or self._loop.create_future()
            await asyncio.shield(self._read_up)

    def _note_read(self) -> None:
        if self._read_up is not None and not self._read_up.done():
            self._read_up.set_result(None)
        self._read_up = None

    # #endif

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        for timer in (self._timer, self._wake):
            if timer is not None:
                timer.cancel()
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._mode = DONE
        # #if protocols
        self._note_read()
        # #endif
        self._hold(0)
        self._tcp_share.tcp -= 1
        self._server.peers.discard(self)
        self._server.unfinished.discard(self)
        if not self._is_counted:
            return
        self.share.open -= 1
        self._server.forget(self)
        is_seen = exc is None and not self.transport.get_write_buffer_size()
        code = self._code if self._code is not None and is_seen else 1006
        # #if commands
        if self._session is not None:
            self._session.end(code)
        # #else
        #~ self.share.log("info", "disconnected", code=code)
        # #endif

    # What comes before frames.

    def enter(self) -> None:
        """Count it among the open ones."""
        self._is_counted = True
        self.share.open += 1
        self._server.clients.add(self)

    # #if commands
    def hold_back(self, step: Coroutine[object, object, None]) -> None:
        """Look at nothing more until a step of the handshake, or a request, has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self.transport.pause_reading()
        self.run(step)

    def run(self, step: Coroutine[object, object, None]) -> None:
        """Handle nothing more until a step has ended, so that commands stay in order."""
        if sys.version_info >= (3, 12):
            task = asyncio.Task(step, loop=self._loop, eager_start=True)
            if task.done():
                return
        else:
            task = self._loop.create_task(step)
        self._task = task
        task.add_done_callback(self._go_on)

    def _go_on(self, _: asyncio.Task[None]) -> None:
        self._task = None
        self._advance()

    def open(self, accepted: bytes, identity: Identity) -> None:
        """Answer the handshake; from here on there are frames."""
        # #if applications
        largest = min(self._config.max_payload, MAX_COMMAND_BYTES)
        # #else
        #~ largest = self._config.max_payload
        # #endif
    # #else
    #~ def open(self, accepted: bytes) -> None:
    #~     """Answer the handshake; from here on there are frames."""
    #~     if self._timer is not None:
    #~         self._timer.cancel()
    #~     largest = self._config.max_payload
    # #endif
        self._mode = OPEN
        self._receiver = Receiver(largest, has_deflate=self.deflate is not None, room=self._room)
        # #if commands
        # The response and the first message are written at once.
        self._is_in_turn = True
        self._send(accepted)
        self._heartbeat = Heartbeat(self, self._config.ping_interval)
        self._session = self._server.open_session(self, identity)
        self._session.start()
        self._is_in_turn = False
        self._flush()
        # #else
        #~ self.write(accepted)
        #~ self._heartbeat = Heartbeat(self, self._config.ping_interval)
        #~ self.share.log("info", "connected", protocol=self.subprotocol or "")
        #~ self._advance()
        # #endif

    # Frames.

    def _advance(self) -> None:
        """Handle the frames of a turn, and see to it that there is another if there are more."""
        if self._mode == OPENING and not self._is_asleep:
            self._opening.advance()
        # #if commands
        if self._task is not None:
            return
        # #endif
        receiver = self._receiver
        if receiver is None or self._mode != OPEN or self._is_asleep or self._has_turn:
            return
        if self.backlog:
            receiver.feed(self.backlog)
            self.backlog.clear()
        # #if commands
        self._is_in_turn = True
        # #endif
        has_more = self._take_turn(receiver)
        # #if commands
        self._is_in_turn = False
        # #endif
        self._flush()
        if self._mode != OPEN:
            return
        self._charge(receiver)
        self._account(receiver)
        self._note_progress(receiver)
        if self._mode != OPEN:
            return
        if self._is_asleep or self._is_full:
            self.transport.pause_reading()
        # #if commands
        elif self._task is not None:
            # Whatever comes meanwhile is read as soon as it is done.
            return
        # #endif
        elif has_more:
            self.transport.pause_reading()
            self._has_turn = True
            self._loop.call_soon(self._next_turn)
        else:
            self._resume()

    def _resume(self) -> None:
        if self._has_ended:
            self.transport.close()
        else:
            self.transport.resume_reading()

    def _next_turn(self) -> None:
        self._has_turn = False
        self._advance()

    def _take_turn(self, receiver: Receiver) -> bool:
        """Return whether there may be more."""
        # #if commands
        session = self._session
        if session is None:
            return False
        # #endif
        end = receiver.work + BYTES_PER_TURN
        try:
            for _ in range(TURN):
                if self._is_full or self._mode != OPEN or receiver.work >= end:
                    return True
                event = receiver.next()
                if event is None:
                    return False
                if isinstance(event, Message):
                    # #if commands
                    session.receive(event.data)
                    if self._task is not None:
                        return True
                    # #else
                    #~ self._answer(event.data)
                    # #endif
                elif isinstance(event, Closed):
                    self._code = event.code
                    self._flush()
                    self.finish(encode_close(event.code, event.reason))
                elif isinstance(event, Control):
                    self._take_control(event)
        except ProtocolError as error:
            self.share.log("warn", "client-error", message=error.reason)
            self._flush()
            if receiver.is_closed:
                self._code = error.code
                self.finish(encode_close(error.code, error.reason))
            else:
                self.close(error.code, error.reason)
        return True

    def _take_control(self, event: Control) -> None:
        if event.opcode == PING:
            self._send(encode_frame(PONG, event.data))
        elif self._heartbeat is not None:
            self._heartbeat.confirm(event.data)

    @property
    def is_open(self) -> bool:
        """Whether anything may be sent."""
        return self._mode == OPEN

    @property
    def is_paused(self) -> bool:
        """Whether nothing is read: it is above a rate, or something of it takes its time."""
        # #if commands
        return self._is_asleep or self._task is not None
        # #else
        #~ return self._is_asleep
        # #endif

    # #if commands
    @property
    def waiting(self) -> int:
        """Bytes that wait to be sent."""
        return self.transport.get_write_buffer_size() + self._out_size

    @property
    def space(self) -> float:
        """Bytes that it may hold besides."""
        return self._room()

    def send_frame(self, frame: Frame, *, is_compressed: bool) -> None:
        """Send a frame, with others of this turn if it is its own."""
        data = frame.data
        if is_compressed and self.deflate is not None:
            data = frame.compressed(self.deflate)
        if self._is_in_turn:
            self._send(data)
            return
        self.write(data)
        self.account()

    # #else
    #~ def _answer(self, message: str | bytes) -> None:
    #~     try:
    #~         answer = on_message(message)
    #~         data = answer.encode() if isinstance(answer, str) else answer
    #~     except Exception:  # noqa: BLE001 -- one client's message must not end the server
    #~         self.share.log("error", "handler-failed", stack=traceback.format_exc())
    #~         self._flush()
    #~         self.close(1011, "internal error")
    #~         return
    #~     if data is None:
    #~         return
    #~     opcode = TEXT if isinstance(answer, str) else BINARY
    #~     if self.deflate is not None and len(data) >= DEFLATE_FROM:
    #~         self._send(encode_frame(opcode, self.deflate.compress(data), is_compressed=True))
    #~     else:
    #~         self._send(encode_frame(opcode, data))
    #~
    # #endif
    def _send(self, frame: bytes) -> None:
        self._out.append(frame)
        self._out_size += len(frame)
        if self._out_size > WRITE_SIZE:
            self._flush()

    def _flush(self) -> None:
        if self._out:
            self.write(b"".join(self._out))
            self._out.clear()
            self._out_size = 0

    def write(self, data: bytes) -> None:
        """Send bytes at once."""
        if self.transport.is_closing():
            # Its client is gone: asyncio would print a line for each.
            return
        self.written += len(data)
        self.transport.write(data)
        # #if live || protocols
        self._measure()
        # #endif

    # Limits.

    def _charge(self, receiver: Receiver) -> None:
        """Charge the rates; above one, nothing is read for a while."""
        # #if commands
        self.spend(receiver.frame_cost)
        receiver.frame_cost = 0.0
        # What its address owes is no concern of a client that sends little.
        of_address = 0.0 if self._frames.is_half_full() else self.share.frames.debt()
        debt = max(self._frames.debt(), of_address)
        if debt > 0:
            self.throttle(debt, "RATE_LIMIT")
            if self._session is not None:
                self._session.note_rate()
        # #else
        #~ debts: list[tuple[float, str]] = []
        #~ for own, shared, cost, name in (
        #~     (self._frames, self.share.frames, receiver.frame_cost, "RATE_LIMIT"),
        #~     (
        #~         self._messages,
        #~         self.share.messages,
        #~         receiver.message_cost,
        #~         "MAX_MESSAGES_PER_SECOND",
        #~     ),
        #~ ):
        #~     if cost:
        #~         own.spend(cost)
        #~         shared.spend(cost)
        #~     # What its address owes is no concern of a client that sends little.
        #~     of_address = 0.0 if own.is_half_full() else shared.debt()
        #~     debts.append((max(own.debt(), of_address), name))
        #~ receiver.frame_cost = receiver.message_cost = 0.0
        #~ debt, name = max(debts)
        #~ if debt > 0:
        #~     self.throttle(debt, name)
        # #endif

    # #if commands
    def spend(self, cost: float) -> None:
        """Charge the rates of the client and its address."""
        if cost:
            self._frames.spend(cost)
            self.share.frames.spend(cost)

    def account(self) -> None:
        """Count what waits to be sent."""
        if self._receiver is None or self._mode != OPEN:
            return
        # #if live || protocols
        self._measure()
        # #endif
        if self._held or self.transport.get_write_buffer_size():
            self._account(self._receiver)

    # #endif

    def throttle(self, seconds: float, limit: str) -> None:
        """Read nothing for a while."""
        if not self._has_slept:
            self._has_slept = True
            hint = f"not read for a while; {limit} allows more"
            self.share.log("warn", "throttled", limit=limit, hint=hint)
        self._pause(max(0.02, seconds))

    def _pause(self, seconds: float) -> None:
        self._is_asleep = True
        self.transport.pause_reading()
        if self._wake is not None:
            self._wake.cancel()
        self._wake = self._loop.call_later(seconds, self._wake_up)

    def _wake_up(self) -> None:
        self._is_asleep = False
        self._advance()
        if self._mode != OPEN and not self._is_asleep:
            self._resume()

    def _room(self) -> float:
        # What inflates its message is no reason to refuse that.
        own = self._receiver.overhead if self._receiver is not None else 0
        return max(self._server.shares.room(self.share), FREE_BYTES - self._held) + own

    def _account(self, receiver: Receiver) -> None:
        parts = receiver.fragments * BYTES_PER_PART
        held = receiver.held + parts + self.transport.get_write_buffer_size()
        more = held - self._held
        self._hold(held)
        if more > 0 and self._room() < 0:
            error = out_of_memory()
            self.close(error.code, error.reason)

    def _hold(self, held: int) -> None:
        self.share.held += held - self._held
        self._server.shares.held += held - self._held
        # #if applications
        has_grown = held > self._held
        # #endif
        self._held = held
        # #if applications
        if has_grown:
            # What is only kept gives way.
            self._server.store.trim()
        # #endif

    def _note_progress(self, receiver: Receiver) -> None:
        if not receiver.is_unfinished:
            self._server.unfinished.discard(self)
        elif self not in self._server.unfinished:
            self._progress = (receiver.received, time.monotonic())
            self._server.unfinished.add(self)

    def check_progress(self, now: float) -> None:
        """Close with 1008 if the peer, and not this server, rests in the middle of a message."""
        receiver = self._receiver
        if receiver is None or self._mode != OPEN:
            return
        received, at = self._progress
        # A message of 100 MB has to grow by 100 kB, a small one by an octet.
        least = max(1, receiver.message_size / 1000)
        is_ours = self.is_paused or self._is_full or self._has_turn
        if is_ours or receiver.received - received >= least:
            self._progress = (receiver.received, now)
        elif now - at > self._config.message_timeout / 1000:
            self.close(1008, "the message makes no progress")

    # The end.

    # #if commands
    def say_goodbye(self, retry_after: int) -> None:
        """Close the client, which may come back after so many milliseconds."""
        if self._session is not None:
            self._session.say_goodbye(retry_after)

    # #endif
    # #if auth
    def check_revoked(self) -> None:
        """Close the client if what it has shown is revoked."""
        if self._session is not None:
            self._session.check_revoked()

    # #endif
    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and wait for the peer's close frame."""
        if self._mode != OPEN or self._receiver is None:
            return
        self._code = code
        self._mode = CLOSING
        # #if protocols
        self._note_read()
        # #endif
        self._flush()
        self.write(encode_close(code, reason))
        self._set_timer(CLOSE_TIMEOUT, self._give_up)
        self._server.unfinished.discard(self)
        self._skipper = self._receiver.skip()
        self._hold(self.transport.get_write_buffer_size())
        self._skip(bytes(self.backlog))
        self.backlog.clear()

    def _skip(self, data: bytes) -> None:
        """Drop what comes before the peer's close frame; a flood costs little time."""
        skipper = self._skipper
        if skipper is None:
            return
        frames = skipper.frames
        skipper.feed(data)
        if skipper.is_done:
            self.finish(b"")
            return
        pause = max(len(data) / 16_384_000, (skipper.frames - frames) / 20_000)
        if pause >= 0.001:
            self._pause(pause)
        else:
            self._resume()

    def finish(self, last: bytes) -> None:
        """Write the last bytes, and end the connection once the peer has had the time to read them.

        To close while there is something to read would reset the connection, and what was written
        would be lost.
        """
        if self._mode == DONE:
            return
        self._mode = DONE
        self._server.unfinished.discard(self)
        self.backlog.clear()
        self.write(last)
        self._hold(self.transport.get_write_buffer_size())
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
        if not self._has_ended:
            self.transport.resume_reading()
        self._set_timer(LINGER, self.transport.abort)

    def abort(self) -> None:
        """Cut the connection off."""
        self.transport.abort()

    def lose(self) -> None:
        """Cut the connection off, as nobody is there any more."""
        self._code = None
        self.transport.abort()

    def _give_up(self) -> None:
        """End a connection whose close frame did not come; a flood is cut off."""
        if self._is_asleep:
            self.transport.abort()
        else:
            self.finish(b"")

    def _set_timer(self, seconds: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, action)
