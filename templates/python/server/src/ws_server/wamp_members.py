"""Sessions as broker and dealer see them, and the limits of what they may hold."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from .wamp_messages import Dict, Message, WampError
from .wamp_roles import Role
from .wamp_uris import MATCHES, Match, is_reserved, is_uri

if TYPE_CHECKING:
    from .wamp_broker import Subscription
    from .wamp_dealer import Call, Registration

# Bytes of the longest URI.
MAX_URI_BYTES = 255
# Components of the longest wildcard pattern: each call and event looks into those of all patterns.
MAX_COMPONENTS = 16

Choice = TypeVar("Choice", bound=str)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a session is."""

    authid: str
    authrole: str
    authmethod: str
    authprovider: str

    def to_json(self) -> dict[str, object]:
        """Write it as `WELCOME` does."""
        return asdict(self)


class Outlet(Protocol):
    """How a session is reached: its connection, or the procedures of this process."""

    def send(self, message: Message) -> None:
        """Send a message."""

    def send_text(self, text: str, kind: str) -> None:
        """Send an encoded message, so that an event is encoded once."""

    def leave(self, reason: str, details: Dict) -> None:
        """End the session with GOODBYE."""


class Member:
    """A session in a realm, and what broker and dealer hold for it."""

    __slots__ = (
        "calls",
        "can_cancel",
        "id",
        "invocations",
        "is_own",
        "last_invocation",
        "outlet",
        "principal",
        "registrations",
        "role",
        "subscriptions",
    )

    def __init__(
        self,
        session: int,
        principal: Principal,
        role: Role,
        outlet: Outlet,
        roles: Dict | None = None,
    ) -> None:
        """Stand for a client that has announced `roles`; for this process without them."""
        self.id = session
        self.principal = principal
        self.role = role
        self.outlet = outlet
        # Part of this process: it may know who calls.
        self.is_own = roles is None
        # Whether it can be interrupted.
        self.can_cancel = self.is_own or _can_cancel(roles)
        self.subscriptions: set[Subscription] = set()
        self.registrations: set[Registration] = set()
        # Calls under way by their request, and those that it is to answer by their invocation.
        self.calls: dict[int, Call] = {}
        self.invocations: dict[int, Call] = {}
        self.last_invocation = 0

    def disclosed(self, what: str) -> dict[str, object]:
        """Return what is disclosed of it, under the keys of a caller or a publisher."""
        who = self.principal
        return {what: self.id, f"{what}_authid": who.authid, f"{what}_authrole": who.authrole}


def _can_cancel(roles: object) -> bool:
    for key in ("callee", "features", "call_canceling"):
        roles = roles.get(key) if isinstance(roles, dict) else None
    return roles is True


@dataclass(frozen=True, slots=True)
class Limits:
    """How much sessions may make the router hold."""

    # Of one session.
    subscriptions: int
    registrations: int
    calls: int
    # Subscriptions and registrations of all sessions.
    total: int


class Space:
    """Space for what sessions make the router hold."""

    def __init__(self, limits: Limits) -> None:
        """Start with all of it."""
        self.limits = limits
        self._taken = 0

    def take(self, what: str, count: int, limit: int) -> None:
        """Take space for one more of what a session has `count` of. Raises WampError."""
        if count >= limit:
            raise WampError(f"error.too_many_{what}", f"at most {limit} of a session")
        if self._taken >= self.limits.total:
            raise WampError(f"error.too_many_{what}", "try later")
        self._taken += 1

    def give(self) -> None:
        """Give it back."""
        self._taken -= 1


def check_uri(uri: str, match: Match = "exact", *, is_open: bool) -> None:
    """Check a URI that a session names. Raises WampError.

    Only where it is open it may be one of the router: to subscribe, and to call.
    """
    if len(uri) > MAX_URI_BYTES or len(uri.encode(errors="replace")) > MAX_URI_BYTES:
        raise WampError("wamp.error.invalid_uri", f"at most {MAX_URI_BYTES} bytes")
    if not is_uri(uri, match):
        raise WampError("wamp.error.invalid_uri", "not a URI")
    if match == "wildcard" and uri.count(".") >= MAX_COMPONENTS:
        reason = f"at most {MAX_COMPONENTS} components in a pattern"
        raise WampError("wamp.error.invalid_uri", reason)
    if not is_open and is_reserved(uri):
        raise WampError("wamp.error.invalid_uri", "wamp. is reserved")


def match_of(options: Dict) -> Match:
    """Return how a URI is meant. Raises WampError."""
    return choice_of(options, "match", MATCHES, "exact")


def choice_of(options: Dict, name: str, choices: Sequence[Choice], default: Choice) -> Choice:
    """Return an option that is one of a few words. Raises WampError."""
    value = options.get(name)
    if value is None:
        return default
    for choice in choices:
        if value == choice:
            return choice
    raise WampError("wamp.error.invalid_argument", f"{name}: one of {', '.join(choices)}")


def flag_of(options: Dict, name: str, *, default: bool = False) -> bool:
    """Return an option that is true or false. Raises WampError."""
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise WampError("wamp.error.invalid_argument", f"{name}: true or false")
    return value
