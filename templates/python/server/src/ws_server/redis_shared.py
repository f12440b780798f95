"""What servers with one Redis know together besides messages: tickets, what is revoked, users."""

# #if auth
import hashlib
import itertools
import json
# #endif
import secrets
# #if auth
from base64 import urlsafe_b64encode
from collections.abc import Callable
# #endif

# #if auth
from .hooks import Identity
from .redis_link import RedisDownError, RedisLink, read_script, report
from .revocations import MAX_KNOWN, Revocations
from .tickets import MAX_PER_USER, Tickets
# #else
#~ from .redis_link import RedisLink, read_script
# #endif

# #if auth
ISSUE, REVOKE = read_script("ticket"), read_script("revoke")
# #endif
# #if rate-limit
USE = read_script("use")
# Milliseconds for which the connections of a user count whose server has died.
USER_TTL = 30_000
# Seconds after which a server says again what a user has.
SAY_AGAIN = USER_TTL / 3000
# #endif


# #if auth
class SharedTickets:
    """Tickets that one server gives and another may take.

    Redis knows none, only what one can be compared with.
    """

    def __init__(self, link: RedisLink, ttl: int) -> None:
        """Let each be good for `ttl` milliseconds."""
        self.ttl = ttl
        self._link = link
        # Given while Redis is out of reach: good here alone.
        self._own = Tickets(ttl)

    async def issue(self, identity: Identity) -> str | None:
        """Return a new ticket; None if too many wait to be used."""
        ticket = secrets.token_urlsafe(32)
        name = _name_of(ticket)
        keys = [self._key("ticket", name), self._key("tickets", identity.user)]
        text = json.dumps(identity.to_json())
        try:
            is_issued = await self._link.run(ISSUE, keys, self.ttl, MAX_PER_USER, name, text)
        except RedisDownError:
            return self._own.issue(identity)
        return ticket if is_issued else None

    async def redeem(self, ticket: str) -> Identity | None:
        """Return who got a ticket, which is used up by that; None if it is not good."""
        own = self._own.redeem(ticket)
        if own is not None:
            return own
        name = _name_of(ticket)
        try:
            text = await self._link.command("GETDEL", self._key("ticket", name))
        except Exception as error:  # noqa: BLE001 -- out of reach, no ticket is good
            report(error)
            return None
        if text is None:
            return None
        identity = Identity.of_json(json.loads(text))
        self._link.spawn(self._forget(identity.user, name))
        return identity

    async def _forget(self, user: str, name: str) -> None:
        await self._link.command("ZREM", self._key("tickets", user), name)

    def _key(self, kind: str, name: str) -> str:
        return f"{self._link.prefix}:{kind}:{name}"


def _name_of(ticket: str) -> str:
    digest = hashlib.sha256(ticket.encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


class SharedRevocations:
    """Tells other servers what was revoked at one, at once and when they come later."""

    def __init__(
        self, link: RedisLink, revocations: Revocations, on_revoked: Callable[[], None]
    ) -> None:
        """Call `on_revoked` when another server has revoked something."""
        self._link = link
        self._revocations = revocations
        self._on_revoked = on_revoked
        # What Redis has not been told, and the number of its last revocation.
        self._unsaid: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._keys = [f"{link.prefix}:revoked", f"{link.prefix}:revoked:channel"]
        self._on_message = self._take
        link.on_up(self._load)

    async def say(self, what: str) -> None:
        """Return when all know `what`, a key of Revocations; Redis out of reach: later."""
        self._unsaid[what] = next(self._numbers)
        await self._tell(what)

    async def _tell(self, what: str) -> None:
        number = self._unsaid.get(what)
        try:
            await self._link.run(REVOKE, self._keys, what, MAX_KNOWN)
        except Exception as error:  # noqa: BLE001 -- here, it is revoked
            report(error)
            return
        # Once more meanwhile is a later moment; a new connection says it, too.
        if self._unsaid.get(what) == number:
            self._unsaid.pop(what, None)

    async def _load(self) -> None:
        await self._link.subscribe(self._keys[1], self._on_message)
        for what in list(self._unsaid):
            await self._tell(what)
        known = await self._link.command("ZRANGE", self._keys[0], 0, -1, "WITHSCORES")
        for what, at in known:
            self._revocations.learn(what.decode(), at)
        self._on_revoked()

    def _take(self, message: bytes) -> None:
        at, _, what = message.partition(b" ")
        self._revocations.learn(what.decode(), float(at))
        self._on_revoked()
# #endif
# #if rate-limit


class SharedUse:
    """What users have and use, over all servers."""

    def __init__(self, link: RedisLink, rate: int, burst: int) -> None:
        """Let each use `rate` tokens a second, and `burst` at once."""
        self._link = link
        self._rate = rate
        self._burst = burst
        self._node = secrets.token_hex(8)

    async def say(self, user: str, connections: int, *counted: float) -> tuple[int, float]:
        """Say what a user has here and has taken; return what it has elsewhere, and left.

        `counted`: which count it is, what was taken by that as it was said last, and now, and the
        most that is charged.
        """
        elsewhere, left = await self._link.run(
            USE,
            [f"{self._link.prefix}:user:{user}"],
            self._node,
            connections,
            USER_TTL,
            *counted,
            self._rate,
            self._burst,
        )
        return int(elsewhere), float(left)
# #endif
