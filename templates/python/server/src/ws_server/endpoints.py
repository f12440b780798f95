"""What answers HTTP requests that are no handshakes: health, and what other parts add."""

import re
from typing import TYPE_CHECKING

from .handshake import Request, is_own_host
from .routes import Answer, HttpRequest, Route, find_route, problem

if TYPE_CHECKING:
    from .server import Server


class Endpoints:
    """The routes of a server."""

    def __init__(self, server: "Server", *routes: Route) -> None:
        """Say how `server` is, and answer at `routes`."""
        self._server = server
        self._routes = (
            Route("GET", re.compile("/healthz"), self._healthz, is_for_any_host=True),
            Route("GET", re.compile("/readyz"), self._readyz, is_for_any_host=True),
            *routes,
        )

    def find(self, request: Request) -> tuple[Route, tuple[str, ...]] | Answer:
        """Return what answers a request that is no handshake, or why nothing does."""
        found = find_route(self._routes, request.method, request.path)
        is_for_us = is_own_host(request.get("host") or "", self._server.config.allowed_hosts)
        if isinstance(found, tuple) and (is_for_us or found[0].is_for_any_host):
            return found
        if isinstance(found, list) and found:
            return problem(405, "not this method", {"Allow": ", ".join(found)})
        if not is_for_us:
            # The name of somebody else that points here.
            return problem(421, "not in ALLOWED_HOSTS")
        if request.path == "/":
            # RFC 9110 section 15.5.22: a 426 names what to upgrade to.
            headers = {"Upgrade": "websocket", "Connection": "Upgrade, close"}
            return problem(426, "this is a WebSocket endpoint", headers)
        return problem(404, "not found")

    def _healthz(self, _: HttpRequest) -> Answer:
        return Answer(200, {"status": "ok"})

    def _readyz(self, _: HttpRequest) -> Answer:
        server, status = self._server, "serving"
        if server.is_leaving:
            status = "draining" if server.is_draining else "leaving"
        elif len(server.clients) >= server.config.max_connections:
            status = "full"
        body: dict[str, object] = {"status": status, "connections": len(server.clients)}
        # #if redis
        trouble = server.redis.trouble if server.redis is not None else None
        if status == "serving" and trouble is not None:
            # All servers lose Redis at the same time: each still serves its own clients.
            return Answer(200, {**body, "status": "degraded", "reason": trouble})
        # #endif
        return Answer(200 if status == "serving" else 503, body)
