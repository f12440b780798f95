"""Who may do what. This file is yours: a later generation leaves it as it is."""

from ws_server.hooks import Access


def authorize(access: Access) -> bool:
    """Whether a client may do what it wants.

    `access.allowed` is what the server makes of it; decide otherwise by `access.identity.user`,
    `access.action` and `access.name`. It may be `async def`.
    """
    return access.allowed
