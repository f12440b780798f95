"""Why this server closes connections: 4000 to 4499 allow a reconnect, 4500 to 4999 do not."""

from typing import NamedTuple


class CloseCode(NamedTuple):
    """A code (RFC 6455 section 7.4) and its reason."""

    code: int
    reason: str


GOING_AWAY = CloseCode(1001, "server is shutting down")
UNSUPPORTED_DATA = CloseCode(1003, "text messages only")
POLICY_VIOLATION = CloseCode(1008, "too many invalid messages")
INTERNAL_ERROR = CloseCode(1011, "internal error")
# #if auth
KEYS_UNAVAILABLE = CloseCode(1013, "tokens cannot be checked at the moment")
TOKEN_EXPIRED = CloseCode(4401, "the token expired")
# #endif
SLOW_CONSUMER = CloseCode(4408, "client reads too slowly")
# #if redis
LOST_POSITION = CloseCode(4409, "the position was lost")
# #endif
# #if rate-limit
TOO_MANY_CONNECTIONS = CloseCode(4429, "too many connections")
# #endif
# #if auth
AUTH_TIMEOUT = CloseCode(4500, "no token within the time")
AUTH_FAILED = CloseCode(4501, "the token was refused")
REVOKED = CloseCode(4502, "the user or the token was revoked")
# #endif
