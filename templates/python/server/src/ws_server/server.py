"""The server: what it consists of, its connections together, and the way down."""

import asyncio
# #if commands
import random
# #endif
import signal
import time
# #if commands
from collections.abc import Coroutine
# #endif

from .admission import Shares
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
from .endpoints import Endpoints
# #if auth
from .handshake import Request
# #else
#~ from .handlers.identify import identify
#~ from .handshake import Refusal, Request
# #endif
# #if auth
from .hooks import Identity
# #else
#~ from .hooks import Identity, settle
# #endif
# #endif
from .listening import allow_files, listen
# #if live
from .live_updates import LiveUpdates
# #endif
from .log import log
# #if chat || pubsub || redis && auth
from .messages import wall_clock
# #endif
# #if metrics
from .metrics import Metrics
# #endif
from .peer import SPARE, Peer
# #if protocols
from .protocol_session import ProtocolSession
# #endif
# #if pubsub
from .pubsub import PubSub
# #endif
# #if redis
from .redis_link import RedisLink
# #if auth
from .redis_shared import SharedRevocations, SharedTickets
# #endif
from .redis_store import RedisStore
# #endif
# #if applications
from .session import Session
from .store import MemoryStore
# #endif
# #if protocols
from .subprotocols import create_subprotocols
# #endif
# #if commands
from .user_session import UserSession
# #endif
# #if rate-limit
from .users import Users
# #endif

# Open files besides connections.
OTHER_FILES = 100
# #if commands
# Milliseconds after which the last client of a server that shuts down comes back.
MAX_RETRY_AFTER = 5000
# #endif


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
        self.is_leaving = False
        self._tasks: set[asyncio.Task[None]] = set()
        # #if applications
        # #if redis
        self.redis = RedisLink(config, config.redis_url) if config.redis_url else None
        # #if chat || pubsub || auth
        now = self.redis.now if self.redis is not None else wall_clock
        # #endif
        self.store = (
            RedisStore(config, self.redis, self._create_memory)
            if self.redis is not None
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
        if self.redis is not None:
            self.metrics.count_redis(self.redis)
        # #endif
        # #endif
        # #if auth
        # #if redis
        self.auth = Auth(config, now)
        if self.redis is not None:
            self.auth.tickets = SharedTickets(self.redis, config.ticket_ttl)
            self.auth.shared_revocations = SharedRevocations(
                self.redis, self.auth.revocations, self._close_revoked
            )
        # #else
        #~ self.auth = Auth(config)
        # #endif
        # #endif
        self.endpoints = Endpoints(
            self,
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
        )
        # #endif
        # #if rate-limit
        # #if redis
        self.users = Users(config, self.redis)
        # #else
        #~ self.users = Users(config)
        # #endif
        # #endif

    async def run(self) -> None:
        """Serve until a signal comes. Raises OSError if it cannot listen."""
        self.loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        # #if redis
        if self.redis is not None:
            await self.redis.start()
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
        allow_files(self.config.max_connections + SPARE + OTHER_FILES)
        sock = listen(self.config.host, self.config.port)
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
    async def _leave_redis(self) -> None:
        """Tell the other servers who has gone."""
        if isinstance(self.store, RedisStore):
            await self.store.close()
        if self.redis is not None:
            await self.redis.close()

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
    def open_session(self, peer: Peer, identity: Identity) -> UserSession:
        """Return what talks to a client of a subprotocol."""
        # #if protocols
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
        # #else
        #~ return Session(peer, self, identity)
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
    def _drain(self, name: signal.Signals) -> None:
        if self.is_leaving:
            raise SystemExit(1)
        self.is_leaving = True
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
