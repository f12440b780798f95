"""Who a client is and for how long: from the first token to the end of the last one."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .auth import Auth, BadToken
from .client import Client
from .close_codes import (
    AUTH_FAILED,
    AUTH_TIMEOUT,
    KEYS_UNAVAILABLE,
    REVOKED,
    TOKEN_EXPIRED,
)
from .hooks import Identity
from .keys import KeysUnavailable
from .messages import Command, answer, iso_time

# Milliseconds before its end at which a client is told that its token expires; half its life at
# most.
WARN_BEFORE = 30_000
# Seconds of the longest timer: a machine may sleep, a clock may be set.
MAX_TIMER = 3600


@dataclass(frozen=True, slots=True)
class Steps:
    """What the session does."""

    # #if rate-limit && redis
    # Asks what a user has elsewhere.
    learn: Callable[[str], Awaitable[None]]
    # #endif
    # The client has said who it is: `welcome`, in reply to a command or to none.
    admit: Callable[[Command], None]
    # It has said so anew: what it may do may have changed.
    refresh: Callable[[], Awaitable[None]]
    # Counts an error of the client; False if it was closed over too many.
    count_error: Callable[[], bool]


class Credentials:
    """The tokens of one client."""

    def __init__(self, client: Client, auth: Auth, auth_timeout: int, steps: Steps) -> None:
        """Ask within `auth_timeout` milliseconds who says nothing in the handshake."""
        self.is_known = False
        self._client = client
        self._auth = auth
        self._auth_timeout = auth_timeout
        self._steps = steps
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    def start(self, identity: Identity) -> None:
        """Start with what the handshake said; if it named no user, ask."""
        if identity.user:
            self._admit(identity, {})
            return
        self._client.send({"type": "auth-required", "timeoutMs": self._auth_timeout})
        seconds = self._auth_timeout / 1000
        self._timer = self._loop.call_later(seconds, self._client.close, AUTH_TIMEOUT)

    # #if wamp
    def waive(self) -> None:
        """Ask for no token: the client is known by the means of its protocol."""
        if not self.is_known:
            self.end()

    # #endif
    def end(self) -> None:
        """Let go: the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()

    async def present(self, command: Command) -> None:
        """Take a first token, or a newer one."""
        client = self._client
        try:
            identity = await self._auth.verify(command["token"])
            if self.is_known and identity.user != client.user:
                raise BadToken("of another user")
        except KeysUnavailable as error:
            self._postpone(command, error)
            return
        except BadToken as error:
            client.share.log("warn", "token-refused", client=client.id, why=str(error))
            # #if protocols
            # A protocol of others says so in its own way.
            if self._steps.count_error() and not client.is_foreign:
            # #else
            #~ if self._steps.count_error():
            # #endif
                client.fail(command, "bad_token", "the token was refused")
                if not self.is_known:
                    client.close(AUTH_FAILED)
            return
        # #if rate-limit && redis
        if not self.is_known:
            await self._steps.learn(identity.user)
        # #endif
        if not client.is_open:
            return
        if not self.is_known:
            self._admit(identity, command)
            return
        self._hold(identity)
        await self._steps.refresh()
        expires_at = iso_time(identity.expires_at)
        client.send(answer(command, "authenticated", expiresAt=expires_at))

    def _postpone(self, command: Command, error: KeysUnavailable) -> None:
        """Keep who was accepted before: a token is good until it expires."""
        client = self._client
        client.share.log("error", "keys-unavailable", client=client.id, why=str(error))
        message = "tokens cannot be checked at the moment"
        client.fail(command, "unavailable", message, retryAfterMs=error.retry_after)
        if not self.is_known:
            client.close(KEYS_UNAVAILABLE)

    def _admit(self, identity: Identity, command: Command) -> None:
        # It may have been revoked while the answer to the handshake was on its way.
        if self._auth.revocations.covers(identity):
            self._client.close(REVOKED)
            return
        self.is_known = True
        self._hold(identity)
        self._steps.admit(command)

    def _hold(self, identity: Identity) -> None:
        self._client.identity = identity
        end = identity.expires_at
        warn_before = min(WARN_BEFORE, (end - self._auth.now()) / 2)

        def warn() -> None:
            left = max(0, round(end - self._auth.now()))
            self._client.send({"type": "token-expiring", "expiresInMs": left})
            self._at(end, lambda: self._client.close(TOKEN_EXPIRED))

        self._at(end - warn_before, warn)

    def _at(self, moment: float, action: Callable[[], None]) -> None:
        """Do something at a moment, instead of what was planned before."""
        if self._timer is not None:
            self._timer.cancel()
        left = (moment - self._auth.now()) / 1000
        if left <= 0:
            action()
            return
        self._timer = self._loop.call_later(min(left, MAX_TIMER), self._at, moment, action)
