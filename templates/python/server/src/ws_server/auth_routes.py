"""`POST /ticket` for clients, `POST /revoke` for administrators."""

import re
from collections.abc import Callable

from .auth import Auth, unauthorized
from .config import Config
from .guards import bearer_of, check_page, check_rate, is_secret, read_body, refused
from .handshake import Refusal
# #if redis
from .hooks import settle
# #endif
from .messages import is_name
from .routes import Answer, HttpRequest, Route, problem

# Bytes of the largest body of `POST /revoke`.
MAX_BODY = 4096


class AuthRoutes:
    """The requests that are about tokens."""

    def __init__(self, auth: Auth, config: Config, close_revoked: Callable[[], None]) -> None:
        """Call `close_revoked` when there is more that is not valid."""
        self._auth = auth
        self._config = config
        self._close_revoked = close_revoked
        ticket = re.compile("/ticket")
        self.routes = (
            Route("POST", ticket, self._issue),
            Route("OPTIONS", ticket, self._allow),
            Route("POST", re.compile("/revoke"), self._revoke, max_body=MAX_BODY),
        )

    async def _issue(self, request: HttpRequest) -> Answer:
        allowed: dict[str, str] = {}
        try:
            check_page(request, self._config)
            check_rate(request, self._config)
            allowed = _cross_origin(request)
            header = request.head.get("authorization")
            identity = await self._auth.admit(bearer_of(header))
            # #if redis
            ticket = await settle(self._auth.tickets.issue(identity))
            # #else
            #~ ticket = self._auth.tickets.issue(identity)
            # #endif
            if ticket is None:
                raise Refusal(429, "too many unused tickets", {"Retry-After": "30"})
        except Refusal as refusal:
            return refused(request, refusal, allowed)
        body = {"ticket": ticket, "expiresInMs": self._auth.tickets.ttl}
        return Answer(200, body, {**allowed, "Cache-Control": "no-store"})

    def _allow(self, request: HttpRequest) -> Answer:
        """Answer a page of an allowed origin, which asks before it sends its token."""
        try:
            check_page(request, self._config)
        except Refusal as refusal:
            return refused(request, refusal)
        headers = {
            **_cross_origin(request),
            "Access-Control-Allow-Methods": "POST",
            "Access-Control-Allow-Headers": "authorization",
            "Access-Control-Max-Age": "600",
        }
        return Answer(204, headers=headers)

    # #if redis
    async def _revoke(self, request: HttpRequest) -> Answer:
    # #else
    #~ def _revoke(self, request: HttpRequest) -> Answer:
    # #endif
        if self._config.admin_token is None:
            return problem(404, "ADMIN_TOKEN is not set")
        if not is_secret(bearer_of(request.head.get("authorization")), self._config.admin_token):
            return refused(request, unauthorized("not ADMIN_TOKEN"))
        try:
            body = read_body(request)
        except ValueError:
            body = None
        said = body if isinstance(body, dict) and len(body) == 1 else {}
        user, jti = said.get("user"), said.get("jti")
        if isinstance(user, str) and is_name(user):
            self._auth.revocations.revoke_user(user)
        elif isinstance(jti, str) and 1 <= len(jti) <= 256:
            self._auth.revocations.revoke_token(jti)
        else:
            return problem(400, 'expected {"user":"…"} or {"jti":"…"}')
        self._close_revoked()
        # #if redis
        if self._auth.shared_revocations is not None:
            what = f"jti:{jti}" if user is None else f"user:{user}"
            await self._auth.shared_revocations.say(what)
        # #endif
        return Answer(204)


def _cross_origin(request: HttpRequest) -> dict[str, str]:
    """Let the page that asked, whose origin is allowed, read the answer."""
    origin = request.head.get("origin")
    return {} if origin is None else {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
