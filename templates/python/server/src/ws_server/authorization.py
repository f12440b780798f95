"""Whether a client may do what it wants."""

from .handlers.authorize import authorize
from .hooks import Access, Identity, settle


async def is_allowed(identity: Identity, action: str, name: str) -> bool:
    """Ask the handler, which is told what the server makes of it."""
    # #if auth
    # #if pubsub
    # The stream of a topic.
    private = name.partition(".")[0] if action in ("subscribe", "publish") else name
    allowed = not private.startswith("private-") or private in identity.rooms
    # #else
    #~ allowed = not name.startswith("private-") or name in identity.rooms
    # #endif
    # #else
    #~ allowed = True
    # #endif
    access = Access(identity, action, name, allowed=allowed)
    return await settle(authorize(access))
