"""What requests that change something are asked: where they come from, how often, from whom."""

import hashlib
import hmac
import re
from collections.abc import Mapping

from .config import Config
from .handshake import Refusal, check_origin
from .messages import BadCommandError, read_json
from .routes import Answer, HttpRequest, problem

_BEARER = re.compile(r"bearer +([!-~]+) *", re.IGNORECASE)


def bearer_of(header: str | None) -> str:
    """Return the token of an Authorization header (RFC 6750 section 2.1); empty if it has none."""
    found = _BEARER.fullmatch(header or "")
    return found[1] if found else ""


def is_secret(given: str, secret: str) -> bool:
    """Compare in a time that says nothing about how much of it is right."""
    one, other = (hashlib.sha256(text.encode()).digest() for text in (given, secret))
    return hmac.compare_digest(one, other)


def check_page(request: HttpRequest, config: Config) -> None:
    """Refuse pages of other sites. Raises Refusal."""
    check_origin(
        request.head,
        allowed_origins=config.allowed_origins,
        allowed_hosts=config.allowed_hosts,
        is_production=config.is_production,
    )


def check_rate(request: HttpRequest, config: Config) -> None:
    """Count a request behind proxies; without them it was delayed. Raises Refusal."""
    if config.trust_proxy == 0:
        return
    handshakes = request.share.handshakes
    if handshakes.debt() > 0:
        raise Refusal(429, "above HANDSHAKE_RATE of your address", {"Retry-After": "5"})
    handshakes.spend(1)


def refused(
    request: HttpRequest, refusal: Refusal, more: Mapping[str, str] | None = None
) -> Answer:
    """Answer a request that the log names as refused."""
    request.share.log(
        "warn",
        "request-refused",
        path=request.head.path,
        status=refusal.status,
        reason=refusal.reason,
        hint=refusal.hint,
        origin=request.head.get("origin"),
    )
    return problem(refusal.status, refusal.reason, {**refusal.headers, **(more or {})})


def read_body(request: HttpRequest) -> object:
    """Return what a body holds. Raises ValueError that says what is wrong."""
    try:
        return read_json(request.body.decode())
    except UnicodeDecodeError:
        raise ValueError("expected JSON in UTF-8") from None
    except BadCommandError as error:
        is_json = error.code != "bad_json"
        raise ValueError(error.reason if is_json else "expected JSON in UTF-8") from None
# #if pubsub || live


def check_publisher(request: HttpRequest, config: Config) -> None:
    """Refuse who may not change anything over HTTP. Raises Refusal."""
    if config.publish_token is None:
        raise Refusal(404, "PUBLISH_TOKEN is not set")
    check_page(request, config)
    check_rate(request, config)
    token = bearer_of(request.head.get("authorization"))
    if not is_secret(token, config.publish_token):
        # RFC 6750 section 3: only a token that was sent can be wrong.
        challenge = 'Bearer error="invalid_token"' if token else "Bearer"
        reason = 'expected PUBLISH_TOKEN as "Authorization: Bearer"'
        raise Refusal(401, reason, {"WWW-Authenticate": challenge})
# #endif
