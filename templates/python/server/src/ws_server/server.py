"""The server: TCP connections, their limits, and the way down."""

import asyncio
import contextlib
import random
# #if commands
import re
# #endif
import resource
import signal
import socket
# #if commands
import sys
# #endif
import time
import traceback
# #if commands
from collections.abc import Callable, Coroutine
# #else
#~ from collections.abc import Callable
# #endif
from typing import cast

from .admission import Bucket, Share, Shares, address_key
# #if applications
from .application import Application, Context
# #endif
# #if auth
from .auth import Auth
from .auth_routes import AuthRoutes
# #endif
# #if chat
from .chat import Chat
# #endif
from .config import Config
# #if commands
from .demo import demo_routes
from .frame import Frame
# #if auth
# #else
#~ from .handlers.identify import identify
# #endif
# #else
#~ from .handlers.echo import on_message
# #endif
from .handshake import (
    MAX_HEAD,
    Refusal,
    Request,
    # #if commands
    # #else
    #~ answer_plain,
    # #endif
    check_origin,
    check_request,
    choose_subprotocol,
    choose_window,
    encode_acceptance,
    # #if commands
    is_own_host,
    # #endif
    wants_websocket,
)
# #if commands
from .hooks import Identity, settle
# #endif
# #if live
from .live_updates import LiveUpdates
# #endif
from .log import log
# #if applications
# #if chat || pubsub || redis && auth
from .messages import MAX_COMMAND_BYTES, wall_clock
# #else
#~ from .messages import MAX_COMMAND_BYTES
# #endif
# #endif
# #if metrics
from .metrics import Metrics
# #endif
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
# #if protocols
from .protocol_session import ProtocolSession
# #endif
# #if pubsub
from .pubsub import PubSub
# #endif
# #if commands
# #if redis
from .redis_link import RedisLink, StoreFullError
# #if auth
from .redis_shared import SharedRevocations, SharedTickets
# #endif
from .redis_store import RedisStore
# #endif
from .routes import (
    Answer,
    BodyError,
    ChunkedBody,
    HttpRequest,
    Route,
    find_route,
    problem,
)
# #if applications
from .session import Session
from .store import MemoryStore
# #endif
# #if protocols
from .subprotocols import create_subprotocols
# #endif
# #endif
# #if rate-limit
from .users import Users
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
# Bytes a second of the slowest client that counts as alive while it reads, and seconds at most.
SLOWEST_READER = 1024
MAX_PATIENCE = 600
# TCP connections of one address beyond its limit: handshakes under way and health checks.
SPARE_PER_IP = 16
# TCP connections beyond the limit of all, and open files besides.
SPARE = 1000
OTHER_FILES = 100
# Memory that a fragment takes besides its octets.
BYTES_PER_PART = 512
# Bytes that one connection may hold however much the others hold.
FREE_BYTES = 4096
# Bytes that are written at once.
WRITE_SIZE = 65_536
# #if commands
# Milliseconds after which the last client of a server that shuts down comes back.
MAX_RETRY_AFTER = 5000
# #endif
RETRY = {"Retry-After": "5"}

# #if applications && protocols
AnySession = Session | ProtocolSession
# #else
# #if applications
#~ AnySession = Session
# #endif
# #if rpc
#~ AnySession = ProtocolSession
# #endif
# #endif

# #if commands
HEAD, BODY, HELD, OPEN, CLOSING, DONE = range(6)
# #else
#~ HEAD, OPEN, CLOSING, DONE = range(4)
# #endif


class Peer(asyncio.Protocol):
    """One TCP connection: the head of a request, then frames."""

    def __init__(self, server: "Server") -> None:
        """Belong to `server`."""
        self._server = server
        self._config = server.config
        self._loop = server.loop
        self._mode = HEAD
        # Received, and not looked at.
        self._backlog = bytearray()
        self._receiver: Receiver | None = None
        self._skipper: Skipper | None = None
        self._deflate: Deflate | None = None
        # #if commands
        self._frames = Bucket(self._config.rate_limit, self._config.rate_burst)
        self._session: AnySession | None = None
        # What a request is answered by, once its body is there.
        self._asked: tuple[Request, Route, tuple[str, ...], int | ChunkedBody] | None = None
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
        self._beat: asyncio.TimerHandle | None = None
        # Answers of this turn.
        self._out: list[bytes] = []
        self._out_size = 0
        # Bytes of MEMORY_BUDGET.
        self._held = 0
        self._code: int | None = None
        self._read = self._written = 0
        self._progress = (0, 0.0)
        self._missed = 0
        self._patience = 0.0
        self._confirmed = 0
        # Read, delivered and waiting bytes at the last ping.
        self._seen = (0, 0, 0)

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let a connection in, unless its address has too many."""
        self._transport = cast("asyncio.Transport", transport)
        peer = self._transport.get_extra_info("peername")
        self.share = self._tcp_share = self._server.shares.of(address_key(peer[0] if peer else ""))
        self.share.tcp += 1
        self._server.peers.add(self)
        # #if commands
        # #if live || protocols
        # It says when nothing waits any more.
        self._transport.set_write_buffer_limits(high=0)
        # #else
        #~ # Replies may be large: from half of its space on, no commands are read.
        #~ self._transport.set_write_buffer_limits(high=self._config.max_buffered // 2)
        # #endif
        # #else
        #~ self._transport.set_write_buffer_limits(high=self._config.max_buffered)
        # #endif
        self._set_timer(self._config.handshake_timeout / 1000, self._transport.abort)
        most = self._config.max_connections_per_ip + SPARE_PER_IP
        # Behind proxies all connections have a few addresses; those of clients are counted later.
        if self._config.trust_proxy == 0 and self.share.tcp > most:
            self.share.log("warn", "connection-refused", reason="MAX_CONNECTIONS_PER_IP")
            self._finish(_too_many().encode())
        elif len(self._server.peers) > self._config.max_connections + SPARE:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of the network."""
        self._read += len(data)
        if self._mode == DONE:
            self._pause(len(data) / 16_384_000)
        elif self._skipper is not None:
            self._skip(data)
        else:
            self._backlog += data
            # #if commands
            if self._task is not None:
                self._transport.pause_reading()
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
        self._is_full = self._transport.get_write_buffer_size() > self._config.max_buffered // 2
        if was_full and not self._is_full:
            self._advance()

    # #endif
    # #if protocols
    async def drained(self) -> None:
        """Wait until the client has read most of what was sent, or is being closed."""
        most = self._config.max_buffered / 4
        while self._mode == OPEN and self._transport.get_write_buffer_size() > most:
            self._read_up = self._read_up or self._loop.create_future()
            await asyncio.shield(self._read_up)

    def _note_read(self) -> None:
        if self._read_up is not None and not self._read_up.done():
            self._read_up.set_result(None)
        self._read_up = None

    # #endif

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        for timer in (self._timer, self._wake, self._beat):
            if timer is not None:
                timer.cancel()
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
        is_seen = exc is None and not self._transport.get_write_buffer_size()
        code = self._code if self._code is not None and is_seen else 1006
        # #if commands
        if self._session is not None:
            self._session.end(code)
        # #else
        #~ self.share.log("info", "disconnected", code=code)
        # #endif

    # The handshake.

    def _shake_hands(self) -> None:
        end = self._backlog.find(b"\r\n\r\n")
        if end < 0 and len(self._backlog) <= MAX_HEAD:
            if self._backlog[:1].isalpha() or not self._backlog:
                return
            self._finish(Refusal(400, "malformed HTTP").encode())
            return
        if self._config.trust_proxy == 0:
            debt = self.share.handshakes.debt()
            if debt > 0:
                self._throttle(debt, "HANDSHAKE_RATE")
                return
            self.share.handshakes.spend(1)
        request: Request | None = None
        try:
            if end < 0 or end > MAX_HEAD:
                raise Refusal(431, f"expected at most {MAX_HEAD} bytes of header")
            request = Request.parse(bytes(self._backlog[:end]))
            # #if commands
            self.share = self._share_of(request)
            del self._backlog[: end + 4]
            # #endif
            if not wants_websocket(request):
                # #if commands
                self._take_request(request)
                # #else
                #~ config, server = self._config, self._server
                #~ self._finish(
                #~     answer_plain(
                #~         request,
                #~         is_draining=server.is_draining,
                #~         allowed_hosts=config.allowed_hosts,
                #~     )
                #~ )
                # #endif
                return
            accepted = self._accept(request)
        except Refusal as refusal:
            self._refuse(request, refusal)
            return
        # Counted before anybody is asked who it is: meanwhile thousands could pass the check.
        self._is_counted = True
        self.share.open += 1
        self._server.clients.add(self)
        # #if commands
        self._hold_back(self._let_in(request, accepted))
        # #else
        #~ del self._backlog[: end + 4]
        #~ self._open(accepted)
        # #endif

    # #if commands
    def _hold_back(self, step: Coroutine[object, object, None]) -> None:
        """Look at nothing more until a step of the handshake, or a request, has ended."""
        if self._timer is not None:
            self._timer.cancel()
        self._mode = HELD
        self._transport.pause_reading()
        self.run(step)

    async def _let_in(self, request: Request, accepted: bytes) -> None:
        server = self._server
        try:
            async with asyncio.timeout(self._config.handshake_timeout / 1000):
                identity = await server.identify(request)
                # #if rate-limit && redis
                if identity.user:
                    await server.users.learn(identity.user)
                # #endif
            if server.is_draining:
                raise Refusal(503, "shutting down", RETRY)
            # #if rate-limit
            if server.users.is_full(identity.user):
                raise Refusal(429, "over MAX_CONNECTIONS_PER_USER", RETRY)
            # #endif
        except Refusal as refusal:
            self._refuse(request, refusal)
        except TimeoutError:
            self._transport.abort()
        except Exception:  # noqa: BLE001 -- one handshake must not end the server
            self.share.log("error", "identify-failed", stack=traceback.format_exc())
            self._refuse(request, Refusal(500, "internal error"))
        else:
            if not self._transport.is_closing():
                # #if metrics
                server.metrics.handshakes["accepted"] += 1
                # #endif
                self._open(accepted, identity)

    def _take_request(self, request: Request) -> None:
        """Answer a request that is no handshake, once its body is there."""
        found = self._server.find(request)
        if isinstance(found, Answer):
            self._respond(request, found)
            return
        route, groups = found
        length = request.get("content-length") or "0"
        coding = request.get("transfer-encoding")
        if coding is not None:
            # With a length, too, proxies could understand it in another way.
            if coding.lower() != "chunked" or request.get("content-length") is not None:
                self._respond(request, problem(400, "expected a length, or a chunked body"))
                return
            self._mode = BODY
            self._asked = (request, route, groups, ChunkedBody(route.max_body))
        elif re.fullmatch("[0-9]{1,15}", length) is None:
            self._respond(request, problem(400, "malformed Content-Length"))
        elif int(length) > route.max_body:
            self._respond(request, problem(413, f"expected at most {route.max_body} bytes"))
        else:
            self._mode = BODY
            self._asked = (request, route, groups, int(length))

    def _take_body(self) -> None:
        if self._asked is None:
            return
        request, route, groups, length = self._asked
        if isinstance(length, ChunkedBody):
            try:
                if not length.take(self._backlog):
                    return
            except BodyError as error:
                self._respond(request, problem(error.status, str(error)))
                return
            body = bytes(length.content)
        elif len(self._backlog) < length:
            return
        else:
            body = bytes(self._backlog[:length])
        asked = HttpRequest(request, body, self.share)
        self._backlog.clear()
        self._hold_back(self._answer(route, groups, asked))

    async def _answer(self, route: Route, groups: tuple[str, ...], asked: HttpRequest) -> None:
        try:
            answer = await settle(route.answer(asked, *groups))
        # #if redis
        except StoreFullError as error:
            retry = {"Retry-After": str(-(-error.retry_after // 1000))}
            answer = problem(503, str(error), retry)
        # #endif
        except Exception:  # noqa: BLE001 -- one request must not end the server
            self.share.log("error", "request-failed", stack=traceback.format_exc())
            answer = problem(500, "internal error")
        self._respond(asked.head, answer)

    def _respond(self, request: Request, answer: Answer) -> None:
        self._finish(answer.encode(is_head=request.method == "HEAD"))

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

    # #endif
    def _refuse(self, request: Request | None, refusal: Refusal) -> None:
        self.share.log(
            "warn",
            "handshake-refused",
            status=refusal.status,
            reason=refusal.reason,
            hint=refusal.hint,
            origin=request and request.get("origin"),
            host=request and request.get("host"),
        )
        # #if metrics
        self._server.metrics.handshakes[str(refusal.status)] += 1
        # #endif
        self._finish(refusal.encode())

    def _share_of(self, request: Request) -> Share:
        """Return the share of the client, which may be behind proxies."""
        proxies = self._config.trust_proxy
        if proxies == 0:
            return self.share
        chain = (request.get("x-forwarded-for") or "").split(",")
        own = self._transport.get_extra_info("peername")[0]
        nth = chain[-proxies] if len(chain) >= proxies else ""
        return self._server.shares.of(address_key(nth.strip() or own))

    def _accept(self, request: Request) -> bytes:
        """Return the 101 response. Raises Refusal before any state of a connection exists."""
        config, server = self._config, self._server
        # #if commands
        # #else
        #~ self.share = self._share_of(request)
        # #endif
        check_request(request)
        check_origin(
            request,
            allowed_origins=config.allowed_origins,
            allowed_hosts=config.allowed_hosts,
            is_production=config.is_production,
        )
        if server.is_draining:
            raise Refusal(503, "shutting down", RETRY)
        if len(server.clients) >= config.max_connections:
            raise Refusal(503, "full: MAX_CONNECTIONS are open", RETRY)
        if self.share.open >= config.max_connections_per_ip:
            raise _too_many()
        if config.trust_proxy > 0:
            if self.share.handshakes.debt() > 0:
                raise Refusal(429, "above HANDSHAKE_RATE of your address", RETRY)
            self.share.handshakes.spend(1)
        self.subprotocol = choose_subprotocol(request, config.subprotocols)
        bits = choose_window(request) if config.compression != "none" else None
        takeover = not config.server_no_context_takeover
        if bits is not None:
            self._deflate = Deflate(window_bits=bits, takeover=takeover)
        return encode_acceptance(request, self.subprotocol, bits, takeover=takeover)

    # #if commands
    def _open(self, accepted: bytes, identity: Identity) -> None:
        # #if applications
        largest = min(self._config.max_payload, MAX_COMMAND_BYTES)
        # #else
        #~ largest = self._config.max_payload
        # #endif
    # #else
    #~ def _open(self, accepted: bytes) -> None:
    #~     if self._timer is not None:
    #~         self._timer.cancel()
    #~     largest = self._config.max_payload
    # #endif
        self._mode = OPEN
        self._receiver = Receiver(largest, has_deflate=self._deflate is not None, room=self._room)
        # #if commands
        # The response and the first message are written at once.
        self._is_in_turn = True
        self._send(accepted)
        self._keep_alive()
        # #if protocols
        self._session = self._server.open_session(self, identity)
        # #else
        #~ self._session = Session(self, self._server, identity)
        # #endif
        self._session.start()
        self._is_in_turn = False
        self._flush()
        # #else
        #~ self._write(accepted)
        #~ self._keep_alive()
        #~ self.share.log("info", "connected", protocol=self.subprotocol or "")
        #~ self._advance()
        # #endif

    # Frames.

    def _advance(self) -> None:
        """Handle the frames of a turn, and see to it that there is another if there are more."""
        if self._mode == HEAD and not self._is_asleep:
            self._shake_hands()
        # #if commands
        if self._mode == BODY:
            self._take_body()
        if self._task is not None:
            return
        # #endif
        receiver = self._receiver
        if receiver is None or self._mode != OPEN or self._is_asleep or self._has_turn:
            return
        if self._backlog:
            receiver.feed(self._backlog)
            self._backlog.clear()
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
            self._transport.pause_reading()
        # #if commands
        elif self._task is not None:
            # Whatever comes meanwhile is read as soon as it is done.
            return
        # #endif
        elif has_more:
            self._transport.pause_reading()
            self._has_turn = True
            self._loop.call_soon(self._next_turn)
        else:
            self._resume()

    def _resume(self) -> None:
        if self._has_ended:
            self._transport.close()
        else:
            self._transport.resume_reading()

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
                    self._finish(encode_close(event.code, event.reason))
                elif isinstance(event, Control):
                    self._take_control(event)
        except ProtocolError as error:
            self.share.log("warn", "client-error", message=error.reason)
            self._flush()
            if receiver.is_closed:
                self._code = error.code
                self._finish(encode_close(error.code, error.reason))
            else:
                self.close(error.code, error.reason)
        return True

    def _take_control(self, event: Control) -> None:
        if event.opcode == PING:
            self._send(encode_frame(PONG, event.data))
        elif event.data.isdigit():
            # A ping says how many bytes came before it, and its pong repeats that.
            self._confirmed = max(self._confirmed, int(event.data[:15]))

    # #if commands
    @property
    def is_open(self) -> bool:
        """Whether anything may be sent."""
        return self._mode == OPEN

    @property
    def waiting(self) -> int:
        """Bytes that wait to be sent."""
        return self._transport.get_write_buffer_size() + self._out_size

    @property
    def space(self) -> float:
        """Bytes that it may hold besides."""
        return self._room()

    def send_frame(self, frame: Frame, *, is_compressed: bool) -> None:
        """Send a frame, with others of this turn if it is its own."""
        data = frame.data
        if is_compressed and self._deflate is not None:
            data = frame.compressed(self._deflate)
        if self._is_in_turn:
            self._send(data)
            return
        self._write(data)
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
    #~     if self._deflate is not None and len(data) >= DEFLATE_FROM:
    #~         self._send(encode_frame(opcode, self._deflate.compress(data), is_compressed=True))
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
            self._write(b"".join(self._out))
            self._out.clear()
            self._out_size = 0

    def _write(self, data: bytes) -> None:
        if self._transport.is_closing():
            # Its client is gone: asyncio would print a line for each.
            return
        self._written += len(data)
        self._transport.write(data)
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
            self._throttle(debt, "RATE_LIMIT")
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
        #~     self._throttle(debt, name)
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
        if self._held or self._transport.get_write_buffer_size():
            self._account(self._receiver)

    # #endif

    def _throttle(self, seconds: float, limit: str) -> None:
        if not self._has_slept:
            self._has_slept = True
            hint = f"not read for a while; {limit} allows more"
            self.share.log("warn", "throttled", limit=limit, hint=hint)
        self._pause(max(0.02, seconds))

    def _pause(self, seconds: float) -> None:
        self._is_asleep = True
        self._transport.pause_reading()
        if self._wake is not None:
            self._wake.cancel()
        self._wake = self._loop.call_later(seconds, self._wake_up)

    def _wake_up(self) -> None:
        self._is_asleep = False
        self._advance()
        if self._mode != OPEN and not self._is_asleep:
            self._resume()

    def _room(self) -> float:
        return max(self._server.shares.room(self.share), FREE_BYTES - self._held)

    def _account(self, receiver: Receiver) -> None:
        parts = receiver.fragments * BYTES_PER_PART
        held = receiver.held + parts + self._transport.get_write_buffer_size()
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
        is_ours = self._is_asleep or self._is_full or self._has_turn
        # #if commands
        is_ours = is_ours or self._task is not None
        # #endif
        if is_ours or receiver.received - received >= least:
            self._progress = (receiver.received, now)
        elif now - at > self._config.message_timeout / 1000:
            self.close(1008, "the message makes no progress")

    # Heartbeat.

    def _keep_alive(self) -> None:
        """Ping, and end a connection on which no octet came or went during two pings.

        A slow reader has the time that it takes for what was sent before: its pong comes then.
        """
        self._confirmed = self._written
        self._schedule_ping()

    def _schedule_ping(self) -> None:
        # Jitter keeps ten thousand connections from pinging in the same millisecond.
        jitter = random.uniform(0.9, 1.1)  # noqa: S311
        self._beat = self._loop.call_later(self._config.ping_interval / 1000 * jitter, self._ping)

    def _ping(self) -> None:
        waiting = self._transport.get_write_buffer_size()
        read, delivered, waited = self._seen
        self._seen = (self._read, self._written - waiting, waiting)
        # Octets count, not frames: in the middle of a large frame a peer cannot answer a ping.
        has_moved = self._read > read or (waited > 0 and self._seen[1] > delivered)
        # #if commands
        has_moved = has_moved or self._task is not None
        # #endif
        if has_moved or self._is_asleep:
            self._missed = 0
        # Only what is ahead of the first ping counts.
        if self._missed == 0:
            seconds = min((self._written - self._confirmed) / SLOWEST_READER, MAX_PATIENCE)
            self._patience = seconds * 1000 / self._config.ping_interval
        # The network takes large steps: a slow reader may be at one for minutes.
        if self._missed >= max(8 if waiting > 0 else 2, self._patience):
            self._code = None
            self._transport.abort()
            return
        self._missed += 1
        if self._mode == OPEN:
            self._write(encode_frame(PING, str(self._written).encode()))
        self._schedule_ping()

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
        self._write(encode_close(code, reason))
        self._set_timer(CLOSE_TIMEOUT, self._give_up)
        self._server.unfinished.discard(self)
        self._skipper = self._receiver.skip()
        self._hold(self._transport.get_write_buffer_size())
        self._skip(bytes(self._backlog))
        self._backlog.clear()

    def _skip(self, data: bytes) -> None:
        """Drop what comes before the peer's close frame; a flood costs little time."""
        skipper = self._skipper
        if skipper is None:
            return
        frames = skipper.frames
        skipper.feed(data)
        if skipper.is_done:
            self._finish(b"")
            return
        pause = max(len(data) / 16_384_000, (skipper.frames - frames) / 20_000)
        if pause >= 0.001:
            self._pause(pause)
        else:
            self._resume()

    def _finish(self, last: bytes) -> None:
        """Write the last bytes, and end the connection once the peer has had the time to read them.

        To close while there is something to read would reset the connection, and what was written
        would be lost.
        """
        if self._mode == DONE:
            return
        self._mode = DONE
        self._server.unfinished.discard(self)
        self._backlog.clear()
        self._write(last)
        self._hold(self._transport.get_write_buffer_size())
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        if not self._has_ended:
            self._transport.resume_reading()
        self._set_timer(LINGER, self._transport.abort)

    def abort(self) -> None:
        """Cut the connection off."""
        self._transport.abort()

    def _give_up(self) -> None:
        """End a connection whose close frame did not come; a flood is cut off."""
        if self._is_asleep:
            self._transport.abort()
        else:
            self._finish(b"")

    def _set_timer(self, seconds: float, action: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, action)


class Server:
    """Listens, and closes everybody with 1001 on SIGTERM or SIGINT."""

    def __init__(self, config: Config) -> None:
        """Serve as `config` says."""
        self.config = config
        self.shares = Shares(config)
        # TCP connections, those of them with frames, and those of these with an unfinished message.
        self.peers: set[Peer] = set()
        self.clients: set[Peer] = set()
        self.unfinished: set[Peer] = set()
        self.is_draining = False
        # #if commands
        self._is_leaving = False
        self._tasks: set[asyncio.Task[None]] = set()
        # #if applications
        # #if redis
        self._redis = RedisLink(config, config.redis_url) if config.redis_url else None
        # #if chat || pubsub || auth
        now = self._redis.now if self._redis is not None else wall_clock
        # #endif
        self.store = (
            RedisStore(config, self._redis, self._create_memory)
            if self._redis is not None
            else self._create_memory()
        )
        # #else
        #~ self.store = self._create_memory()
        # #endif
        # #endif
        # #if metrics
        self.metrics = Metrics(config)
        # #endif
        # #if applications
        context = Context(
            config=config,
            store=self.store,
            # #if chat || pubsub
            # #if redis
            now=now,
            # #else
            #~ now=wall_clock,
            # #endif
            # #endif
            spawn=self.spawn,
            # #if metrics
            metrics=self.metrics,
            # #endif
        )
        # By subprotocol; the first is for clients that name none.
        self.applications: dict[str, Application] = {}
        # #if chat
        self.applications["chat.v1"] = Chat(context)
        # #endif
        # #if pubsub
        self.applications["pubsub.v1"] = PubSub(context)
        # #endif
        # #if live
        self.applications["live-updates.v1"] = LiveUpdates(context)
        # #endif
        # #endif
        # #if protocols
        # #if jsonrpc && metrics
        self.protocols = create_subprotocols(config, self.metrics)
        # #else
        #~ self.protocols = create_subprotocols(config)
        # #endif
        # #endif
        # #if metrics
        self.metrics.gauges = {
            "ws_connections": ("Open connections", lambda: len(self.clients)),
            "ws_buffered_bytes": (
                "Bytes of unfinished, inflated and waiting messages",
                lambda: self.shares.held,
            ),
            # #if applications
            "ws_rooms": (
                "Rooms, streams or documents that clients are in",
                lambda: sum(one.room_count for one in self.applications.values()),
            ),
            # #endif
        }
        # #if redis
        if self._redis is not None:
            self._measure_redis(self._redis)
        # #endif
        # #endif
        # #if auth
        # #if redis
        self.auth = Auth(config, now)
        if self._redis is not None:
            self.auth.tickets = SharedTickets(self._redis, config.ticket_ttl)
            self.auth.shared_revocations = SharedRevocations(
                self._redis, self.auth.revocations, self._close_revoked
            )
        # #else
        #~ self.auth = Auth(config)
        # #endif
        # #endif
        self._routes: list[Route] = [
            Route("GET", re.compile("/healthz"), self._healthz, is_for_any_host=True),
            Route("GET", re.compile("/readyz"), self._readyz, is_for_any_host=True),
            # #if metrics
            self.metrics.route,
            # #endif
            # #if auth
            *AuthRoutes(self.auth, config, self._close_revoked).routes,
            # #endif
            # #if applications
            *(route for one in self.applications.values() for route in one.routes),
            # #endif
            # #if protocols
            *(route for protocol in self.protocols.values() for route in protocol.routes),
            # #endif
            *(demo_routes(config) if config.demo else ()),
        ]
        # #endif
        # #if rate-limit
        # #if redis
        self.users = Users(config, self._redis)
        # #else
        #~ self.users = Users(config)
        # #endif
        # #endif

    async def run(self) -> None:
        """Serve until a signal comes. Raises OSError if it cannot listen."""
        self.loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        # #if redis
        if self._redis is not None:
            await self._redis.start()
        # #endif
        # #if applications
        for application in self.applications.values():
            await application.start()
        # #endif
        # #if protocols
        for protocol in self.protocols.values():
            await protocol.start()
        # #endif
        for name in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(name, self._drain, name)
        _allow_files(self.config.max_connections + SPARE + OTHER_FILES)
        sock = _listen(self.config.host, self.config.port)
        server = await self.loop.create_server(lambda: Peer(self), sock=sock, backlog=511)
        port = sock.getsockname()[1]
        log("info", "listening", port=port, url=f"ws://localhost:{port}")
        self._sweep()
        await self._stopped.wait()
        server.close()
        for peer in list(self.peers):
            peer.abort()
        # #if protocols
        for protocol in self.protocols.values():
            await protocol.stop()
        # #endif
        # #if redis
        await self._leave_redis()
        # #endif
        log("info", "stopped")

    def forget(self, client: Peer) -> None:
        """Note that a client is gone; when draining, the last one ends the server."""
        self.clients.discard(client)
        if self.is_draining and not self.clients:
            self._stopped.set()

    # #if applications
    def _create_memory(self) -> MemoryStore:
        """Return a store that keeps what messages under way leave of MEMORY_BUDGET."""
        return MemoryStore(self.config, lambda: self.config.memory_budget - self.shares.held)

    # #if redis
    # #if metrics
    def _measure_redis(self, link: RedisLink) -> None:
        self.metrics.redis_errors = link.errors
        self.metrics.gauges["ws_redis_degraded"] = (
            "1 while the Redis of REDIS_URL is out of reach",
            lambda: int(link.trouble is not None),
        )
        self.metrics.totals = {
            "ws_redis_connects_total": (
                "Connections made to Redis: the first, and one after each loss",
                lambda: link.connects,
            ),
            "ws_redis_missed_total": (
                "Messages that Redis has not passed on, as their positions show",
                lambda: link.missed,
            ),
            "ws_redis_lost_positions_total": (
                "Rooms, streams or documents whose clients had to be told of a gap",
                lambda: link.lost,
            ),
        }

    # #endif
    async def _leave_redis(self) -> None:
        """Tell the other servers who has gone."""
        if isinstance(self.store, RedisStore):
            await self.store.close()
        if self._redis is not None:
            await self._redis.close()

    # #endif
    # #endif
    # #if commands
    def spawn(self, step: Coroutine[object, object, None]) -> None:
        """Run what nobody waits for."""
        task = self.loop.create_task(step)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # #if applications
    def application_of(self, subprotocol: str | None) -> Application:
        """Return what the clients of a subprotocol talk to."""
        first = next(iter(self.applications.values()))
        return self.applications.get(subprotocol or "", first)

    # #endif
    # #if protocols
    def open_session(self, peer: Peer, identity: Identity) -> AnySession:
        """Return what talks to a client of a subprotocol."""
        # #if applications
        protocol = self.protocols.get(peer.subprotocol or "")
        if protocol is None:
            return Session(peer, self, identity)
        # #else
        #~ # The first that the server prefers is for clients that name none.
        #~ names = (peer.subprotocol or "", *self.config.subprotocols, *self.protocols)
        #~ protocol = next(self.protocols[name] for name in names if name in self.protocols)
        # #endif
        return ProtocolSession(peer, self, identity, protocol)

    # #endif
    async def identify(self, request: Request) -> Identity:
        """Return who a client is. Raises Refusal."""
        # #if auth
        return await self.auth.identify(request)
        # #else
        #~ user = await settle(identify(request))
        #~ if user is None:
        #~     # RFC 9110 section 15.5.2: a 401 names a way to authenticate.
        #~     raise Refusal(401, "unknown user", {"WWW-Authenticate": "Bearer"})
        #~ return Identity(user)
        # #endif

    # #if auth
    def _close_revoked(self) -> None:
        for client in list(self.clients):
            client.check_revoked()

    # #endif

    def find(self, request: Request) -> tuple[Route, tuple[str, ...]] | Answer:
        """Return what answers a request that is no handshake, or why nothing does."""
        found = find_route(self._routes, request.method, request.path)
        is_for_us = is_own_host(request.get("host") or "", self.config.allowed_hosts)
        if isinstance(found, tuple) and (is_for_us or found[0].is_for_any_host):
            return found
        if isinstance(found, list) and found:
            return problem(405, "not this method", {"Allow": ", ".join(found)})
        if not is_for_us:
            # The name of somebody else that points here.
            return problem(421, "not in ALLOWED_HOSTS")
        if request.path == "/":
            # RFC 9110 section 15.5.22: a 426 names what to upgrade to.
            headers = {"Upgrade": "websocket", "Connection": "Upgrade, close"}
            return problem(426, "this is a WebSocket endpoint", headers)
        return problem(404, "not found")

    def _healthz(self, _: HttpRequest) -> Answer:
        return Answer(200, {"status": "ok"})

    def _readyz(self, _: HttpRequest) -> Answer:
        status = "serving"
        if self._is_leaving:
            status = "draining" if self.is_draining else "leaving"
        elif len(self.clients) >= self.config.max_connections:
            status = "full"
        body: dict[str, object] = {"status": status, "connections": len(self.clients)}
        # #if redis
        trouble = self._redis.trouble if self._redis is not None else None
        if status == "serving" and trouble is not None:
            # All servers lose Redis at the same time: each still serves its own clients.
            return Answer(200, {**body, "status": "degraded", "reason": trouble})
        # #endif
        return Answer(200 if status == "serving" else 503, body)

    def _drain(self, name: signal.Signals) -> None:
        if self._is_leaving:
            raise SystemExit(1)
        self._is_leaving = True
        log("info", "draining", signal=name.name, connections=len(self.clients))
        # Load balancers get the time to see that it is not ready any more.
        self.loop.call_later(self.config.drain_delay / 1000, self._close_all)

    def _close_all(self) -> None:
        self.is_draining = True
        # #if applications
        for application in self.applications.values():
            application.drain()
        # #endif
        for client in list(self.clients):
            client.say_goodbye(random.randint(0, MAX_RETRY_AFTER))  # noqa: S311
        # Readiness stays observable until the last client is gone.
        if not self.clients:
            self._stopped.set()
        self.loop.call_later(self.config.drain_timeout / 1000, self._stopped.set)

    # #else
    #~ def _drain(self, name: signal.Signals) -> None:
    #~     if self.is_draining:
    #~         raise SystemExit(1)
    #~     self.is_draining = True
    #~     log("info", "draining", signal=name.name, connections=len(self.clients))
    #~     for client in list(self.clients):
    #~         client.close(1001, "server is shutting down")
    #~     # Readiness stays observable until the last client is gone.
    #~     if not self.clients:
    #~         self._stopped.set()
    #~     self.loop.call_later(self.config.drain_timeout / 1000, self._stopped.set)
    #~
    # #endif
    def _sweep(self) -> None:
        now = time.monotonic()
        for peer in list(self.unfinished):
            peer.check_progress(now)
        # #if commands
        for client in self.clients:
            client.account()
        # #endif
        self.shares.sweep()
        # #if rate-limit
        self.users.sweep()
        # #endif
        self.loop.call_later(min(1, self.config.message_timeout / 4000), self._sweep)


def _too_many() -> Refusal:
    reason = "over MAX_CONNECTIONS_PER_IP from your address"
    return Refusal(429, reason, RETRY)


def _allow_files(count: int) -> None:
    """Let the process open so many files, or as many as it may: systems start it with fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        # Where there is another limit, it stays as it was.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _listen(host: str | None, port: int) -> socket.socket:
    if host is not None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.create_server(address[:2], family=family)
    elif socket.has_dualstack_ipv6():
        sock = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        sock = socket.create_server(("", port))
    # Connections have it from here: what is written does not wait for what was written before.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
