"""What a client does after a close code, or after an HTTP status in place of 101."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto


class Reconnect(Enum):
    """Whether there is another attempt, and when."""

    NO = auto()
    DELAY = auto()  # after a growing, random time
    NOW = auto()
    TOKEN = auto()  # with a new one
    TOKEN_ONCE = auto()  # with a new one, once


# 1000 to 1015 are RFC 6455's; the servers' own start at 4000.
CLOSE_CODES = {
    1000: Reconnect.NO,  # the client or the server has finished
    1001: Reconnect.DELAY,  # the server shuts down
    1002: Reconnect.NO,  # the client broke the WebSocket protocol
    1003: Reconnect.NO,  # a binary message
    1006: Reconnect.DELAY,  # the connection was lost
    1007: Reconnect.NO,  # not UTF-8
    1008: Reconnect.NO,  # too many invalid messages
    1009: Reconnect.NO,  # a message too large
    1011: Reconnect.DELAY,  # an error inside the server
    1012: Reconnect.DELAY,  # a restart
    1013: Reconnect.DELAY,  # no memory
    4401: Reconnect.TOKEN,  # the token expired
    4408: Reconnect.DELAY,  # the client reads too slowly
    4409: Reconnect.NOW,  # the server lost the client's position
    4429: Reconnect.DELAY,  # the user has too many connections
    4500: Reconnect.NO,  # no token within the time
    4501: Reconnect.TOKEN_ONCE,  # the token was refused
    4502: Reconnect.NO,  # the user or the token was revoked
    4503: Reconnect.NO,  # the user may not read the document
}


def after_close(code: int, codes: Mapping[int, Reconnect] | None = None) -> Reconnect:
    """Decide by a close code; of unknown ones 4500 to 4999 stay closed, all others try again."""
    unknown = Reconnect.NO if 4500 <= code <= 4999 else Reconnect.DELAY
    return (CLOSE_CODES if codes is None else codes).get(code, unknown)


def after_status(status: int) -> Reconnect:
    """Decide by an HTTP status."""
    if status == 401:
        return Reconnect.TOKEN_ONCE
    # Request Timeout, Too Early, Too Many Requests: the request itself was in order.
    is_passing = status >= 500 or status in {408, 425, 429}
    return Reconnect.DELAY if is_passing else Reconnect.NO


def read_retry_after(value: str | None) -> float | None:
    """Read `Retry-After` (RFC 9110 section 10.2.3), seconds or a date; a day at most."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(seconds, 86_400) if seconds >= 0 and math.isfinite(seconds) else None
