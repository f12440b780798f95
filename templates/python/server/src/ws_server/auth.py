"""Who connects, by token (RFC 7519) or by a ticket that was had for one."""

import re
import secrets
from collections.abc import Callable, Mapping
# #if redis
from typing import TYPE_CHECKING, Any
# #else
#~ from typing import Any
# #endif
from urllib.parse import parse_qs

import jwt

from .config import Config
from .guards import bearer_of
from .handshake import Refusal, Request
# #if redis
from .hooks import Identity, settle
# #else
#~ from .hooks import Identity
# #endif
from .keys import ALGORITHMS, KeySet, KeysUnavailable, PublicKey, algorithm_of, read_public_key
from .log import log
from .messages import is_name, wall_clock
from .revocations import Revocations
from .tickets import Tickets

# #if redis
if TYPE_CHECKING:
    from .redis_shared import SharedRevocations, SharedTickets

# #endif
# Characters of the longest token.
MAX_TOKEN = 8192
# Milliseconds since 1970 of the last moment that a datetime holds.
LAST_MOMENT = 253_402_300_799_999

# RFC 7515 section 7.1, without what a decoder might skip.
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)


class BadToken(Exception):  # noqa: N818 -- the token is, and nothing else
    """A token is not valid. Why is for the log, not for its sender."""


class Auth:
    """Checks tokens and tickets."""

    def __init__(self, config: Config, now: Callable[[], float] = wall_clock) -> None:
        """Take keys from the settings; `now` is in milliseconds since 1970."""
        self.now = now
        # #if redis
        # What other servers can take, if there are any.
        self.tickets: Tickets | SharedTickets = Tickets(config.ticket_ttl)
        # Where other servers are told what was revoked.
        self.shared_revocations: SharedRevocations | None = None
        # #else
        #~ self.tickets = Tickets(config.ticket_ttl)
        # #endif
        self._tolerance = config.auth_clock_tolerance * 1000
        self.revocations = Revocations(now=now, tolerance=self._tolerance)
        self._issuer = config.auth_issuer
        self._audience = config.auth_audience
        self._set: KeySet | None = None
        self._key: PublicKey | bytes | None = None
        if config.auth_jwks_url is not None:
            self._set = KeySet(config.auth_jwks_url)
        elif config.auth_public_key is not None:
            self._key = read_public_key(config.auth_public_key)
        else:
            if config.auth_secret is None:
                log("warn", "no-secret", hint=_NO_KEY)
            self._key = (config.auth_secret or secrets.token_hex(32)).encode()

    async def verify(self, token: str) -> Identity:
        """Say whose token it is. Raises BadToken, or KeysUnavailable when it cannot be checked."""
        if len(token) > MAX_TOKEN:
            raise BadToken("too long")
        if _TOKEN.fullmatch(token) is None:
            raise BadToken("malformed")
        try:
            claims = await self._claims_of(token)
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise BadToken(str(error)) from error
        return self._identify(claims)

    async def _claims_of(self, token: str) -> Mapping[str, Any]:
        if self._set is None:
            return self._decode(token, self._key)
        header = jwt.get_unverified_header(token)
        if header.get("alg") not in ALGORITHMS:
            raise BadToken("signed with another algorithm")
        fault: jwt.PyJWTError = jwt.InvalidKeyError("signed with an unknown key")
        # A token need not say which of several keys has signed it.
        for key in await self._set.find(header.get("kid"), header["alg"]):
            try:
                return self._decode(token, key)
            except jwt.InvalidSignatureError as error:
                fault = error
        raise fault

    def _decode(self, token: str, key: PublicKey | bytes | None) -> Mapping[str, Any]:
        """Check everything but times, which are those of `now`."""
        return jwt.decode(
            token,
            key or b"",
            # Pinned to the key: a token does not choose how it is checked (RFC 8725 section 3.1).
            algorithms=[algorithm_of(key) or "HS256"],
            issuer=self._issuer,
            audience=self._audience,
            options={
                "require": ["exp", "sub"],
                "verify_aud": self._audience is not None,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )

    def _identify(self, claims: Mapping[str, Any]) -> Identity:
        user, rooms = claims["sub"], claims.get("rooms")
        if not is_name(user):
            raise BadToken('"sub" is no name')
        expires_at = _moment(claims, "exp") or 0
        issued_at = _moment(claims, "iat")
        now = self.now()
        if expires_at <= now - self._tolerance:
            raise BadToken("expired")
        for name in ("iat", "nbf"):
            if (_moment(claims, name) or 0) > now + self._tolerance:
                raise BadToken(f'"{name}" is in the future')
        if expires_at <= now:
            # What was accepted a little late holds a little longer.
            expires_at += self._tolerance
        is_list = isinstance(rooms, list) and all(isinstance(one, str) for one in rooms)
        identity = Identity(
            user,
            expires_at=expires_at,
            issued_at=issued_at,
            token_id=claims.get("jti"),
            rooms=frozenset(rooms) if is_list else frozenset(),  # type: ignore[arg-type]
            claims=claims,
        )
        if self.revocations.covers(identity):
            raise BadToken("revoked")
        return identity

    async def identify(self, request: Request) -> Identity:
        """Say whose handshake it is; nobody's: the first message has to say it. Raises Refusal."""
        fields = parse_qs(request.query, keep_blank_values=True)
        authorization = request.all("authorization")
        tickets = fields.get("ticket", [])
        if "token" in fields or "access_token" in fields:
            raise Refusal(400, "no tokens in URLs: they are logged; get a ticket")
        if len(authorization) + len(tickets) > 1:
            raise Refusal(400, "expected one token or one ticket")
        if tickets:
            # #if redis
            identity = await settle(self.tickets.redeem(tickets[0]))
            # #else
            #~ identity = self.tickets.redeem(tickets[0])
            # #endif
            # The token may have ended in between.
            is_good = identity is not None and identity.expires_at > self.now()
            if identity is None or not is_good or self.revocations.covers(identity):
                raise unauthorized("the ticket is used, expired or unknown")
            return identity
        if not authorization:
            return Identity("")
        return await self.admit(bearer_of(authorization[0]))

    async def admit(self, token: str) -> Identity:
        """Say whose token a request carries. Raises Refusal."""
        try:
            return await self.verify(token)
        except BadToken as error:
            raise unauthorized(str(error)) from error
        except KeysUnavailable as error:
            retry = {"Retry-After": str(-(-error.retry_after // 1000))}
            reason = "tokens cannot be checked at the moment"
            raise Refusal(503, reason, retry, hint=str(error)) from error


_NO_KEY = (
    "AUTH_SECRET is not set: no token is valid. `python -m ws_server.sign_token --user ada` "
    "writes a secret to .env and prints a token; then start again"
)


def unauthorized(why: str) -> Refusal:
    """Answer as RFC 6750 section 3 says. Why is for the log."""
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return Refusal(401, "the token or ticket was refused", headers, hint=why)


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a claim in milliseconds since 1970; None if there is none. Raises BadToken."""
    if name not in claims:
        return None
    value = claims[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not abs(value) <= LAST_MOMENT / 1000:
        raise BadToken(f'"{name}" is no date')
    return float(value) * 1000
