"""One connection from its handshake to its end: commands in, replies out."""

# #if metrics
import time
# #endif
import traceback
from typing import TYPE_CHECKING

from .admission import Bucket
from .client import Client
from .close_codes import (
    GOING_AWAY,
    INTERNAL_ERROR,
    POLICY_VIOLATION,
    # #if auth
    REVOKED,
    # #endif
    # #if rate-limit
    TOO_MANY_CONNECTIONS,
    # #endif
    UNSUPPORTED_DATA,
)
# #if auth
from .credentials import Credentials, Steps
# #endif
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

if TYPE_CHECKING:
    from .server import Peer, Server
    # #if rate-limit
    from .users import UserShare
    # #endif

# Error replies to a client before it is closed; one more per second.
ERROR_LIMIT = 20
# #if auth
# Cost of checking a token in messages of the rate limit.
AUTH_COST = 5
# #endif


class Session:
    """The command layer of one connection."""

    def __init__(self, peer: "Peer", server: "Server", identity: Identity) -> None:
        """Serve the user of `identity`."""
        self._peer = peer
        self._server = server
        self._config = server.config
        self._application = server.application_of(peer.subprotocol)
        self._errors = Bucket(1, ERROR_LIMIT)
        self._is_warned = False
        self.client = Client(
            peer,
            identity,
            server.config.max_buffered,
            # #if metrics
            server.metrics,
            # #endif
        )
        # #if auth
        self._credentials = Credentials(
            self.client,
            server.auth,
            server.config.auth_timeout,
            Steps(
                # #if rate-limit && redis
                server.users.learn,
                # #endif
                self._admit,
                self._refresh,
                self.count_error,
            ),
        )
        # #endif
        # #if rate-limit
        self._user_share: UserShare | None = None
        # #endif

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
        self._user_share = self._server.users.enter(client.user)
        if self._user_share is None:
            client.close(TOO_MANY_CONNECTIONS)
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
    def check_revoked(self) -> None:
        """Close the client if what it has shown is revoked."""
        revocations = self._server.auth.revocations
        if self._credentials.is_known and revocations.covers(self.client.identity):
            self.client.close(REVOKED)

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
            if self.count_error():
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
            if self.count_error():
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

    def count_error(self) -> bool:
        """Count an error of the client; False if it was closed over too many."""
        is_few = self._errors.take()
        if not is_few:
            self.client.close(POLICY_VIOLATION)
        return is_few

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
        client = self.client
        # #if rate-limit
        if self._user_share is not None:
            self._server.users.leave(self._user_share)
        # #endif
        # #if auth
        self._credentials.end()
        if self._credentials.is_known:
            self._application.close(client)
        # #else
        #~ self._application.close(client)
        # #endif
        # #if metrics
        self._server.metrics.closed(code)
        # #endif
        client.share.log("info", "disconnected", client=client.id, user=client.user, code=code)
