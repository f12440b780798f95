"""The page in public/, for DEMO=1; outside production also what it needs to show a restart."""

import asyncio
import os
import re
import signal
from pathlib import Path

from .config import Config
# #if auth
from .guards import read_body
# #endif
from .handshake import Refusal, check_origin
# #if auth
from .messages import is_name
# #endif
from .routes import Answer, HttpRequest, Route, problem
# #if auth
from .sign_token import sign_token
# #endif

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
HEADERS = {
    # Nothing of another site, and nothing that somebody wrote into a message, is ever executed.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
# Seconds that the answer to `POST /demo/stop` has to leave.
LAST_WORDS = 0.05
# #if auth
# Minutes that a token of the page is good for.
TOKEN_MINUTES = 15
# #endif


def demo_routes(config: Config, folder: Path = Path("public")) -> list[Route]:
    """Return what answers for the page; its files are in the folder that the server runs in."""

    def page(_: HttpRequest, name: str) -> Answer:
        file = folder / (name or "index.html")
        try:
            body = file.read_bytes()
        except OSError:
            return problem(404, "not found")
        return Answer(200, body, {**HEADERS, "Content-Type": TYPES[file.suffix]})

    def stop(request: HttpRequest) -> Answer:
        """As SIGKILL would: no connection is closed, so clients have to find out by themselves."""
        refused = _refuse_others(request, config)
        if refused is not None:
            return refused
        loop = asyncio.get_running_loop()
        loop.call_later(LAST_WORDS, os.kill, os.getpid(), signal.SIGKILL)
        return Answer(202)

    # #if auth
    def token(request: HttpRequest) -> Answer:
        refused = _refuse_others(request, config)
        if refused is not None:
            return refused
        try:
            body = read_body(request)
        except ValueError:
            body = None
        user = body.get("user") if isinstance(body, dict) else None
        if not isinstance(user, str) or not is_name(user):
            return problem(400, 'expected {"user":"<name>"}')
        if config.auth_secret is None:
            return problem(404, "only who has the private key makes tokens")
        made = sign_token(config, config.auth_secret, user, TOKEN_MINUTES)
        return Answer(200, {"token": made}, {"Cache-Control": "no-store"})

    # #endif
    names = re.compile(r"/(|index\.html|app\.js|client\.js|style\.css)")
    routes = [Route("GET", names, page)]
    if not config.is_production:
        routes.append(Route("POST", re.compile("/demo/stop"), stop, max_body=1024))
        # #if auth
        routes.append(Route("POST", re.compile("/demo/token"), token, max_body=1024))
        # #endif
    return routes


def _refuse_others(request: HttpRequest, config: Config) -> Answer | None:
    """Refuse pages of other sites; a program without an Origin is none."""
    try:
        check_origin(
            request.head,
            allowed_origins=(),
            allowed_hosts=config.allowed_hosts,
            is_production=True,
        )
    except Refusal as refusal:
        return problem(refusal.status, refusal.reason)
    return None
