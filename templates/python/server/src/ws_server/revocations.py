"""What is not valid any more: tokens of users up to a moment, and single tokens."""

from collections.abc import Callable

from .hooks import Identity
from .messages import wall_clock

# Users and tokens that are known to be revoked.
MAX_KNOWN = 50_000


class Revocations:
    """The clock of who makes tokens may be ahead: what it made before may say it is newer."""

    def __init__(
        self,
        limit: int = MAX_KNOWN,
        now: Callable[[], float] = wall_clock,
        tolerance: float = 0,
    ) -> None:
        """Know `limit` users and tokens; that clock is up to `tolerance` milliseconds ahead."""
        self._limit = limit
        self._now = now
        self._tolerance = tolerance
        # `user:` and `jti:` keys, and when they were revoked, in this order.
        self._known: dict[str, float] = {}
        # No token that was issued up to then is accepted, as more is not known about them.
        self._floor = 0.0

    def revoke_user(self, user: str) -> None:
        """Refuse every token of a user that was issued until now."""
        key = f"user:{user}"
        self._add(key, max(self._now(), self._known.get(key, 0)))

    def revoke_token(self, jti: str) -> None:
        """Refuse the token with this `jti`."""
        self._add(f"jti:{jti}", self._now())

    # #if redis
    def learn(self, key: str, at: float) -> None:
        """Take note of what another server has revoked; `before` is everything up to then."""
        if key == "before":
            self._floor = max(self._floor, at)
        elif at > self._known.get(key, 0):
            self._add(key, at)

    # #endif
    def covers(self, identity: Identity) -> bool:
        """Whether a token is revoked; one that does not say when it was issued is an old one."""
        earliest = (identity.issued_at or 0) - self._tolerance
        if self._floor and earliest <= self._floor:
            return True
        if identity.token_id is not None and f"jti:{identity.token_id}" in self._known:
            return True
        revoked_at = self._known.get(f"user:{identity.user}")
        return revoked_at is not None and earliest <= revoked_at

    def _add(self, key: str, at: float) -> None:
        """Without space, the oldest entry gives way to a rule that refuses more than it did."""
        self._known.pop(key, None)
        self._known[key] = at
        if len(self._known) > self._limit:
            oldest = next(iter(self._known))
            self._floor = max(self._floor, self._known.pop(oldest))
