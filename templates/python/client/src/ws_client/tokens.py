"""Tokens: sent when the server asks, and replaced before they expire."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from inspect import isawaitable
from typing import TYPE_CHECKING

# #if applications
from .messages import ClientError, Message, new_id, seconds_in
# #else
#~ from .messages import ClientError, new_id
# #endif

if TYPE_CHECKING:
    from .connection import Connection

# Gives a token that has not expired; called when a new one is needed, once at a time.
GetToken = Callable[[], str | Awaitable[str]]

# #if applications
# Until a token is sent again, when the server does not say how long.
RETRY = 5
# #endif


class Tokens:
    """The token of a connection and of those after it."""

    def __init__(
        self,
        get_token: GetToken | None,
        connection: "Connection",
        show: Callable[[str, str], None],
    ) -> None:
        """Send tokens over `connection` with `show`, each with an id of its own."""
        self._get_token = get_token
        self._connection = connection
        self._show = show
        self._token: str | None = None
        self._fetching: asyncio.Task[str] | None = None
        # A new token was fetched because the server refused the one before.
        self._has_renewed = False
        self._refreshed_for: str | None = None
        # Of the last command `auth`.
        self._id = ""
        self._timer: asyncio.TimerHandle | None = None
        # They belong to the present connection.
        self._tasks: set[asyncio.Task[None]] = set()

    def authenticate(self, server_limit: float | None = None) -> bool:
        """Send a token within the server's time limit; False if there is none to send."""
        if self._get_token is None:
            return False
        timeout = self._connection.options.connect_timeout
        if server_limit is not None:
            timeout = min(timeout, server_limit * 0.8)
        self._connection.limit(timeout, "no token in time")
        self._start(is_needed=True)
        return True

    def welcome(self, expires_at: object) -> None:
        """Take that the token was accepted."""
        self._has_renewed = False
        self.plan(expires_at)

    # #if applications
    def takes(self, message: Message) -> bool:
        """Take a message about tokens; False if it is none."""
        match message["type"]:
            case "authenticated":
                self.plan(message.get("expiresAt"))
            case "token-expiring":
                self._refresh()
            case "error" if message.get("code") == "unavailable" and message.get("id") == self._id:
                self._postpone(seconds_in(message, "retryAfterMs"))
                return False
            case _:
                return False
        return True

    # #endif
    def renew(self, *, is_once: bool) -> bool:
        """Forget the token that was refused; False if the one before was refused, too."""
        is_futile = is_once and self._has_renewed
        self._has_renewed = self._has_renewed or is_once
        self._token = None
        return not is_futile

    def lost(self) -> None:
        """Stop what belongs to the connection; a token that is being fetched is for the next."""
        self._stop_timer()
        for task in self._tasks:
            task.cancel()

    def _start(self, *, is_needed: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._send(is_needed=is_needed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, *, is_needed: bool) -> None:
        try:
            token = self._token if self._token is not None else await self._fetch()
        except Exception as error:  # noqa: BLE001 -- whatever the program's own function raises
            self._connection.fail(ClientError("token", f"get_token failed: {error!r}"))
            if is_needed:
                self._connection.restart("get_token failed")
            # If not, the connection stays until the token expires; then there is another attempt.
            return
        self._id = new_id()
        self._show(token, self._id)

    async def _fetch(self) -> str:
        """Return a new token, fetched once however many ask for it."""
        if self._fetching is None:
            self._fetching = asyncio.get_running_loop().create_task(self._call())
            # Whoever waited for it may be gone.
            self._fetching.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._fetching)

    async def _call(self) -> str:
        try:
            result = self._get_token() if self._get_token is not None else None
            token = await result if isawaitable(result) else result
            if not isinstance(token, str):
                raise TypeError("expected a str")
            self._token = token
            return token
        finally:
            self._fetching = None

    def _refresh(self) -> None:
        """Replace the token while the connection stays."""
        if self._get_token is None or not self._connection.is_welcome or self._tasks:
            return
        self._stop_timer()
        self._token = None
        self._start(is_needed=False)

    # #if applications
    def _postpone(self, seconds: float | None) -> None:
        """Send the same token again: the server cannot check tokens at the moment."""
        delay = RETRY if seconds is None else seconds
        if self._connection.is_welcome:
            self._after(delay, lambda: self._start(is_needed=False))
        else:
            # It closes the connection.
            self._connection.set_drain(delay)

    # #endif
    def plan(self, expires_at: object) -> None:
        """Replace the token shortly before it expires, in case that the server does not warn."""
        self._stop_timer()
        if not isinstance(expires_at, str) or expires_at == self._refreshed_for:
            return
        try:
            left = (datetime.fromisoformat(expires_at) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return

        def refresh() -> None:
            self._refreshed_for = expires_at
            self._refresh()

        self._after(max(1, left - min(20, left / 5)), refresh)

    def _after(self, seconds: float, callback: Callable[[], None]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, callback)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
