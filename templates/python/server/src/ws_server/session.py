"""One connection that speaks the server's own protocol: commands in, replies out."""

# #if metrics
import time
# #endif
import traceback
from typing import TYPE_CHECKING

from .close_codes import GOING_AWAY, INTERNAL_ERROR, UNSUPPORTED_DATA
from .hooks import Identity
from .messages import (
    BadCommandError,
    Command,
    answer,
    # #if auth
    iso_time,
    # #endif
    parse_command,
)
# #if redis
from .redis_link import StoreFullError
# #endif
# #if auth
from .user_session import AUTH_COST, UserSession
# #else
#~ from .user_session import UserSession
# #endif

if TYPE_CHECKING:
    from .peer import Peer
    from .server import Server


class Session(UserSession):
    """The command layer of one connection."""

    def __init__(self, peer: "Peer", server: "Server", identity: Identity) -> None:
        """Serve the user of `identity`."""
        super().__init__(peer, server, identity)
        self._config = server.config
        self._application = server.application_of(peer.subprotocol)
        self._is_warned = False

    def start(self) -> None:
        """Say welcome, or ask who the client is: the handshake is done."""
        # #if auth
        self._credentials.start(self.client.identity)
        # #else
        #~ self._admit({})
        # #endif

    def _admit(self, command: Command) -> None:
        """Say welcome, in reply to a command if it has one."""
        client = self.client
        # #if rate-limit
        if not self._enter():
            return
        # #endif
        protocol = self._peer.subprotocol or ""
        client.share.log("info", "connected", client=client.id, user=client.user, protocol=protocol)
        welcome = answer(command, "welcome", client=client.id, user=client.user)
        # #if auth
        welcome["expiresAt"] = iso_time(client.identity.expires_at)
        # #endif
        welcome["pingIntervalMs"] = self._config.ping_interval
        welcome["features"] = self._application.features
        client.send(welcome)
        self._application.open(client)

    # #if auth
    async def _refresh(self) -> None:
        await self._application.refresh(self.client)

    # #endif

    def receive(self, message: str | bytes) -> None:
        """Take a message."""
        client = self.client
        if isinstance(message, bytes):
            client.close(UNSUPPORTED_DATA)
            return
        try:
            command = parse_command(message, self._application.commands)
        except BadCommandError as error:
            if self.warn():
                client.fail(error.command, error.code, error.reason)
            return
        # #if metrics
        self._server.metrics.received[command["type"]] += 1
        # #endif
        # #if rate-limit
        if self._user_share is not None and not self._user_share.commands.take():
            # #if metrics
            self._server.metrics.limited["user"] += 1
            # #endif
            reason = f"expected at most {self._config.user_rate_limit} commands a second"
            wait = int(self._user_share.commands.wait() * 1000) + 1
            client.fail(command, "rate_limited", reason, retryAfterMs=wait)
            return
        # #endif
        if command["type"] == "ping":
            client.send(answer(command, "pong"))
            return
        # #if auth
        if command["type"] == "auth":
            self._peer.spend(AUTH_COST - 1)
            self._peer.run(self._execute(command))
            return
        if not self._credentials.is_known:
            if self.warn():
                client.fail(command, "not_authenticated", "send a token first")
            return
        # #endif
        cost = self._application.cost_of(command)
        if cost > 1:
            self._peer.spend(cost - 1)
        self._peer.run(self._execute(command))

    async def _execute(self, command: Command) -> None:
        # #if metrics
        started_at = time.perf_counter()
        # #endif
        try:
            # #if auth
            if command["type"] == "auth":
                await self._credentials.present(command)
            else:
                await self._application.receive(self.client, command)
            # #else
            #~ await self._application.receive(self.client, command)
            # #endif
        # #if redis
        except StoreFullError as error:
            wait = error.retry_after
            self.client.fail(command, "rate_limited", str(error), retryAfterMs=wait)
        # #endif
        except Exception:  # noqa: BLE001 -- a bug in one command must not end the server
            self.client.share.log(
                "error",
                "command-failed",
                client=self.client.id,
                type=command["type"],
                stack=traceback.format_exc(),
            )
            self.client.close(INTERNAL_ERROR)
        # #if metrics
        self._server.metrics.finished(command["type"], time.perf_counter() - started_at)
        # #endif

    def note_rate(self) -> None:
        """Say once that the client is above its rate, and is read more slowly."""
        if self._is_warned:
            return
        self._is_warned = True
        # #if metrics
        self._server.metrics.limited["connection"] += 1
        # #endif
        rate = self._config.rate_limit
        message = f"expected at most {rate} messages a second; reading slower"
        self.client.fail({}, "rate_limited", message)

    def say_goodbye(self, retry_after: int) -> None:
        """Close the client, which may come back after so many milliseconds."""
        self.client.send({"type": "draining", "retryAfterMs": retry_after})
        self.client.close(GOING_AWAY)

    def end(self, code: int) -> None:
        """Forget the client: its connection has ended."""
        # #if auth
        if self._credentials.is_known:
            self._application.close(self.client)
        # #else
        #~ self._application.close(self.client)
        # #endif
        super().end(code)
