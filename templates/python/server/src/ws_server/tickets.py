"""Tickets that stand for a token in a URL, as browsers send no headers with a handshake."""

import secrets
import time
from collections import Counter
from collections.abc import Callable

from .hooks import Identity

# Tickets that wait to be used: of one user, and of all.
MAX_PER_USER = 32
MAX_TICKETS = 10_000


class Tickets:
    """Each is good once and for a short time, so that it does no harm in a log."""

    def __init__(self, ttl: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Let each be good for `ttl` milliseconds."""
        self.ttl = ttl
        self._clock = clock
        # In the order in which they expire.
        self._waiting: dict[str, tuple[Identity, float]] = {}
        self._of_user: Counter[str] = Counter()

    def issue(self, identity: Identity) -> str | None:
        """Return a new ticket; None if too many wait to be used."""
        self._drop_expired()
        user = identity.user
        if self._of_user[user] >= MAX_PER_USER or len(self._waiting) >= MAX_TICKETS:
            return None
        ticket = secrets.token_urlsafe(32)
        self._waiting[ticket] = identity, self._clock() + self.ttl / 1000
        self._of_user[user] += 1
        return ticket

    def redeem(self, ticket: str) -> Identity | None:
        """Return who got a ticket, which is used up by that; None if it is not good."""
        self._drop_expired()
        return self._drop(ticket)

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._waiting:
            ticket, (_, end) = next(iter(self._waiting.items()))
            if end > now:
                break
            self._drop(ticket)

    def _drop(self, ticket: str) -> Identity | None:
        identity, _ = self._waiting.pop(ticket, (None, 0))
        if identity is not None:
            self._of_user[identity.user] -= 1
            if self._of_user[identity.user] == 0:
                del self._of_user[identity.user]
        return identity
