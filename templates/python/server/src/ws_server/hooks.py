"""What the handlers are called with."""

# #if auth
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
# #else
#~ from collections.abc import Awaitable
#~ from dataclasses import dataclass
# #endif
# #if auth && redis
from typing import Any, TypeVar
# #else
#~ from typing import TypeVar
# #endif

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Identity:
    """What is known of the user of a connection."""

    # A name: 1 to 64 letters, digits, ".", "_" and "-".
    user: str
    # #if auth
    # When its token expires, and when it was issued, in milliseconds since 1970.
    expires_at: float = 0
    issued_at: float | None = None
    # The `jti` of its token.
    token_id: str | None = None
    # The claim `rooms`: which names that start with `private-` are open to it.
    rooms: frozenset[str] = frozenset()
    # All claims of its token.
    claims: Mapping[str, object] = field(default_factory=dict)
    # #if redis

    def to_json(self) -> dict[str, object]:
        """Write it as servers in any language read it."""
        return {
            "user": self.user,
            "expiresAt": self.expires_at,
            "issuedAt": self.issued_at,
            "tokenId": self.token_id,
            "rooms": sorted(self.rooms),
            "claims": dict(self.claims),
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> "Identity":
        """Read what one of them has written, without what it does not know."""
        return cls(
            value["user"],
            expires_at=value["expiresAt"],
            issued_at=value.get("issuedAt"),
            token_id=value.get("tokenId"),
            rooms=frozenset(value["rooms"]),
            claims=value["claims"],
        )

    # #endif
    # #endif


# #if rooms || pubsub || live
@dataclass(frozen=True, slots=True)
class Access:
    """What a client wants to do."""

    identity: Identity
    # `join` a room, `subscribe` or `publish` to a topic, `watch` a document.
    action: str
    # The room, topic or document.
    name: str
    # Whether it may as far as the server knows.
    allowed: bool


# #endif
# #if chat
@dataclass(frozen=True, slots=True)
class Draft:
    """A message that a client sends."""

    identity: Identity
    # #if rooms
    room: str
    # #endif
    text: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """A message that nobody gets; its sender is told why."""

    why: str


# #endif
async def settle(result: Result | Awaitable[Result]) -> Result:
    """Return what a handler says, which may take its time."""
    return await result if isinstance(result, Awaitable) else result
