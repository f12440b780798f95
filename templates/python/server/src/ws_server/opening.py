"""What comes before frames: a handshake, or a request that is none."""

# #if commands
import asyncio
import re
import traceback
from collections.abc import Coroutine
# #endif
from typing import TYPE_CHECKING

from .admission import Share, address_key
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
    wants_websocket,
)
# #if commands
from .hooks import settle
# #endif
from .protocol import Deflate
# #if redis
from .redis_link import StoreFullError
# #endif
# #if commands
from .routes import Answer, BodyError, ChunkedBody, HttpRequest, Route, problem
# #endif

if TYPE_CHECKING:
    from .peer import Peer
    from .server import Server

RETRY = {"Retry-After": "5"}

# #if commands
HEAD, BODY, HELD = range(3)
# #endif


class Opening:
    """Reads the request of one connection, and answers it or lets frames begin."""

    # #if commands
    __slots__ = ("_asked", "_config", "_part", "_peer", "_server")
    # #else
    #~ __slots__ = ("_config", "_peer", "_server")
    # #endif

    def __init__(self, peer: "Peer", server: "Server") -> None:
        """Answer what `peer` sends."""
        self._peer = peer
        self._server = server
        self._config = server.config
        # #if commands
        self._part = HEAD
        # What a request is answered by, once its body is there.
        self._asked: tuple[Request, Route, tuple[str, ...], int | ChunkedBody] | None = None
        # #endif

    # #if commands
    def advance(self) -> None:
        """Look at what has come."""
        if self._part == HEAD:
            self._take_head()
        if self._part == BODY:
            self._take_body()

    def _take_head(self) -> None:
    # #else
    #~ def advance(self) -> None:
    #~     """Look at what has come."""
    # #endif
        peer = self._peer
        end = peer.backlog.find(b"\r\n\r\n")
        if end < 0 and len(peer.backlog) <= MAX_HEAD:
            if peer.backlog[:1].isalpha() or not peer.backlog:
                return
            peer.finish(Refusal(400, "malformed HTTP").encode())
            return
        if self._config.trust_proxy == 0:
            debt = peer.share.handshakes.debt()
            if debt > 0:
                peer.throttle(debt, "HANDSHAKE_RATE")
                return
            peer.share.handshakes.spend(1)
        request: Request | None = None
        try:
            if end < 0 or end > MAX_HEAD:
                raise Refusal(431, f"expected at most {MAX_HEAD} bytes of header")
            request = Request.parse(bytes(peer.backlog[:end]))
            # #if commands
            peer.share = self._share_of(request)
            del peer.backlog[: end + 4]
            # #endif
            if not wants_websocket(request):
                # #if commands
                self._take_request(request)
                # #else
                #~ config, server = self._config, self._server
                #~ peer.finish(
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
        peer.enter()
        # #if commands
        self._hold_back(self._let_in(request, accepted))
        # #else
        #~ del peer.backlog[: end + 4]
        #~ peer.open(accepted)
        # #endif

    # #if commands
    def _hold_back(self, step: Coroutine[object, object, None]) -> None:
        self._part = HELD
        self._peer.hold_back(step)

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
            self._peer.abort()
        except Exception:  # noqa: BLE001 -- one handshake must not end the server
            self._peer.share.log("error", "identify-failed", stack=traceback.format_exc())
            self._refuse(request, Refusal(500, "internal error"))
        else:
            if not self._peer.transport.is_closing():
                # #if metrics
                server.metrics.handshakes["accepted"] += 1
                # #endif
                self._peer.open(accepted, identity)

    def _take_request(self, request: Request) -> None:
        """Answer a request that is no handshake, once its body is there."""
        found = self._server.endpoints.find(request)
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
            self._part = BODY
            self._asked = (request, route, groups, ChunkedBody(route.max_body))
        elif re.fullmatch("[0-9]{1,15}", length) is None:
            self._respond(request, problem(400, "malformed Content-Length"))
        elif int(length) > route.max_body:
            self._respond(request, problem(413, f"expected at most {route.max_body} bytes"))
        else:
            self._part = BODY
            self._asked = (request, route, groups, int(length))

    def _take_body(self) -> None:
        if self._asked is None:
            return
        peer = self._peer
        request, route, groups, length = self._asked
        if isinstance(length, ChunkedBody):
            try:
                if not length.take(peer.backlog):
                    return
            except BodyError as error:
                self._respond(request, problem(error.status, str(error)))
                return
            body = bytes(length.content)
        elif len(peer.backlog) < length:
            return
        else:
            body = bytes(peer.backlog[:length])
        asked = HttpRequest(request, body, peer.share)
        peer.backlog.clear()
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
            self._peer.share.log("error", "request-failed", stack=traceback.format_exc())
            answer = problem(500, "internal error")
        self._respond(asked.head, answer)

    def _respond(self, request: Request, answer: Answer) -> None:
        self._peer.finish(answer.encode(is_head=request.method == "HEAD"))

    # #endif
    def _refuse(self, request: Request | None, refusal: Refusal) -> None:
        self._peer.share.log(
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
        self._peer.finish(refusal.encode())

    def _share_of(self, request: Request) -> Share:
        """Return the share of the client, which may be behind proxies."""
        proxies = self._config.trust_proxy
        if proxies == 0:
            return self._peer.share
        chain = (request.get("x-forwarded-for") or "").split(",")
        own = self._peer.transport.get_extra_info("peername")[0]
        nth = chain[-proxies] if len(chain) >= proxies else ""
        return self._server.shares.of(address_key(nth.strip() or own))

    def _accept(self, request: Request) -> bytes:
        """Return the 101 response. Raises Refusal before any state of a connection exists."""
        config, peer, server = self._config, self._peer, self._server
        # #if commands
        # #else
        #~ peer.share = self._share_of(request)
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
        if peer.share.open >= config.max_connections_per_ip:
            raise too_many()
        if config.trust_proxy > 0:
            if peer.share.handshakes.debt() > 0:
                raise Refusal(429, "above HANDSHAKE_RATE of your address", RETRY)
            peer.share.handshakes.spend(1)
        peer.subprotocol = choose_subprotocol(request, config.subprotocols)
        bits = choose_window(request) if config.compression != "none" else None
        takeover = not config.server_no_context_takeover
        if bits is not None:
            peer.deflate = Deflate(window_bits=bits, takeover=takeover)
        return encode_acceptance(request, peer.subprotocol, bits, takeover=takeover)


def too_many() -> Refusal:
    """Return the refusal of one connection more of an address."""
    reason = "over MAX_CONNECTIONS_PER_IP from your address"
    return Refusal(429, reason, RETRY)
