"""The HTTP part: heads, health checks, and which handshakes are accepted (RFC 6455 section 4)."""

import base64
import hashlib
# #if commands
# #else
#~ import json
# #endif
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# Names under which every server is reached on its own machine.
LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
MAX_HEAD = 32_768
MAX_FIELDS = 200
# Log2 of the window that compressed messages of this server need: 2 KiB keep connections small.
WINDOW_BITS = 11

_NAME = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST = re.compile(rf"({_NAME}) ([!-~]+) HTTP/([0-9]\.[0-9])")
_FIELD = re.compile(rf"({_NAME}):([\t -~\x80-\xff]*)")
# RFC 9110 section 7.2: a host and maybe a port; no user, path, query or fragment.
_HOST = re.compile(r"(?:[\w\-.~%!$&'()*+,;=]*|\[[\da-fA-F:.]+\])(?::\d{0,9})?", re.ASCII)
_KEY = re.compile(r"[+/0-9A-Za-z]{22}==")
_PARAMETER = (
    r"server_no_context_takeover|client_no_context_takeover|"
    r'client_max_window_bits(?:="?(?:[89]|1[0-5])"?)?|server_max_window_bits="?(?:9|1[0-5])"?'
)
_OFFER = re.compile(rf"permessage-deflate(?:\s*;\s*(?:{_PARAMETER}))*")
_REPEATED = re.compile(r";\s*(\w+).*;\s*\1\b")
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(slots=True)
class Refusal(Exception):  # noqa: N818 -- an answer, not always an error
    """An answer in place of a connection."""

    status: int
    reason: str
    headers: Mapping[str, str] = field(default_factory=dict)
    # What the log should say besides.
    hint: str | None = None

    def encode(self) -> bytes:
        """Write it as a response."""
        return encode_response(self.status, self.reason.encode(), "text/plain", self.headers)


@dataclass(slots=True)
class Request:
    """The head of a request; names of fields are in lower case."""

    method: str
    path: str
    # #if commands
    query: str
    # #endif
    version: str
    fields: list[tuple[str, str]]

    @classmethod
    def parse(cls, head: bytes) -> "Request":
        """Read a head without the empty line at its end. Raises Refusal."""
        first, *lines = head.decode("latin-1").split("\r\n")
        request = _REQUEST.fullmatch(first)
        found = [_FIELD.fullmatch(line) for line in lines]
        fields = [(one[1].lower(), one[2].strip(" \t")) for one in found if one is not None]
        if request is None or len(fields) < len(lines):
            raise Refusal(400, "malformed HTTP")
        # The target may also be a whole URL (RFC 9112 section 3.2.2).
        target = re.sub(r"(?i)^https?://[^/?#]*", "", request[2])
        # #if commands
        path, _, query = target.partition("#")[0].partition("?")
        return cls(request[1], path or "/", query, request[3], fields)
        # #else
        #~ return cls(request[1], re.split(r"[?#]", target)[0] or "/", request[3], fields)
        # #endif

    def all(self, name: str) -> list[str]:
        """Return the values of a field."""
        return [value for one, value in self.fields if one == name]

    def get(self, name: str) -> str | None:
        """Return the values of a field as one list; None if there are none."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def items(self, name: str) -> list[str]:
        """Return the items of a list."""
        return [item.strip() for item in (self.get(name) or "").split(",")]


def encode_response(
    status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> bytes:
    """Write a response; each ends its connection."""
    fields = {
        "Connection": "close",
        "Content-Type": content_type,
        **(headers or {}),
        "Content-Length": str(len(body)),
    }
    # #if auth
    if status == HTTPStatus.NO_CONTENT:
        # RFC 9110 section 8.6: it has no length.
        del fields["Content-Type"], fields["Content-Length"]
    # #endif
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode() + body


def wants_websocket(request: Request) -> bool:
    """RFC 9110 section 7.8: a server ignores the protocols in Upgrade that it does not speak."""
    connection = [item.lower() for item in request.items("connection")]
    upgrade = [item.lower() for item in request.items("upgrade")]
    return "upgrade" in connection and "websocket" in upgrade


# #if commands
# #else
#~ def answer_plain(request: Request, *, is_draining: bool, allowed_hosts: tuple[str, ...]) -> bytes:
#~     """Answer health checks; other requests get 426 or 404."""
#~     headers: dict[str, str] = {}
#~     status, body = 404, {"error": "not found"}
#~     if request.path == "/healthz":
#~         status, body = 200, {"status": "ok"}
#~     elif request.path == "/readyz":
#~         draining, ready = (503, {"status": "draining"}), (200, {"status": "ready"})
#~         status, body = draining if is_draining else ready
#~     elif request.path == "/" and is_own_host(request.get("host") or "", allowed_hosts):
#~         status, body = 426, {"error": "this is a WebSocket endpoint"}
#~         # RFC 9110 section 15.5.22: a 426 names what to upgrade to.
#~         headers = {"Upgrade": "websocket", "Connection": "Upgrade, close"}
#~     elif request.path == "/":
#~         # The name of somebody else that points here; load balancers ask for health by address.
#~         status, body = 421, {"error": "not in ALLOWED_HOSTS"}
#~     text = json.dumps(body).encode() + b"\n"
#~     answer = encode_response(status, text, "application/json", headers)
#~     return answer[: -len(text)] if request.method == "HEAD" else answer
#~
#~
# #endif
def check_request(request: Request) -> None:
    """Refuse what is no handshake for this server. Raises Refusal."""
    if request.path != "/":
        raise Refusal(404, "no such path")
    if request.method != "GET":
        raise Refusal(405, "GET only", {"Allow": "GET"})
    if request.version != "1.1":
        raise Refusal(505, "HTTP/1.1 only")
    hosts = request.all("host")
    if len(hosts) != 1:
        raise Refusal(400, "expected one Host header")
    if _HOST.fullmatch(hosts[0]) is None:
        raise Refusal(400, "malformed Host header")
    if len(request.fields) > MAX_FIELDS:
        raise Refusal(431, f"expected at most {MAX_FIELDS} header fields")
    if len(request.all("origin")) > 1:
        raise Refusal(400, "expected one Origin header")
    # What follows are frames; a proxy may take a part of them for the body.
    length = request.get("content-length") or ""
    if re.fullmatch("0*", length) is None or request.get("transfer-encoding"):
        raise Refusal(400, "expected no body")
    # RFC 6455 section 4.4: name the supported version.
    if request.get("sec-websocket-version") != "13":
        headers = {"Sec-WebSocket-Version": "13", "Upgrade": "websocket"}
        raise Refusal(426, "Sec-WebSocket-Version 13 only", headers)
    if _KEY.fullmatch(request.get("sec-websocket-key") or "") is None:
        raise Refusal(400, "malformed Sec-WebSocket-Key header")


def check_origin(
    request: Request,
    *,
    allowed_origins: tuple[str, ...],
    allowed_hosts: tuple[str, ...],
    is_production: bool,
) -> None:
    """Refuse web pages that may not connect. Raises Refusal, whose hint names the setting.

    Browsers always send Origin; a client without one is not a web page.
    """
    origin = request.get("origin")
    if origin is None:
        return
    host = request.get("host") or ""
    page = origin_of(origin)
    scheme, _, authority = (page or "").partition("://")
    is_local = host_name_of(authority, port=True) in LOCAL_HOSTS
    hint = None
    if allowed_origins:
        hint = None if origin in allowed_origins else "not in ALLOWED_ORIGINS"
    elif is_local and not is_production:
        return
    elif page is None or origin_of(f"{scheme}://{host}") != page:
        why = "localhost, but NODE_ENV is production" if is_local else "another host than Host"
        hint = f"{why}; ALLOWED_ORIGINS allows it"
    elif not is_own_host(host, allowed_hosts):
        # A page can make its own name point to this server (DNS rebinding).
        hint = "no name of this server; ALLOWED_HOSTS allows it"
    if hint is not None:
        raise Refusal(403, "Origin is not allowed", hint=hint)


def choose_subprotocol(request: Request, supported: tuple[str, ...]) -> str | None:
    """Return the server's favourite of what is offered. Raises Refusal if it knows none of that."""
    if request.get("sec-websocket-protocol") is None:
        return None
    offered = request.items("sec-websocket-protocol")
    if not all(map(is_token, offered)) or len(set(offered)) < len(offered):
        raise Refusal(400, "malformed Sec-WebSocket-Protocol header")
    chosen = next((name for name in supported if name in offered), None)
    if chosen is None:
        known = ", ".join(supported) or "none"
        raise Refusal(400, f"unknown subprotocol; supported: {known}")
    return chosen


def choose_window(request: Request) -> int | None:
    """Return log2 of the server's window for the first offer of permessage-deflate it can take.

    RFC 7692 section 5.1: other offers are declined.
    """
    for offer in request.items("sec-websocket-extensions"):
        if _OFFER.fullmatch(offer) and not _REPEATED.search(offer):
            asked = re.search(r'server_max_window_bits="?(\d+)', offer)
            return min(WINDOW_BITS, int(asked[1])) if asked else WINDOW_BITS
    return None


def encode_acceptance(
    request: Request, subprotocol: str | None, window_bits: int | None, *, takeover: bool
) -> bytes:
    """Write the 101 response (RFC 6455 section 4.2.2)."""
    key = (request.get("sec-websocket-key") or "").encode()
    accept = base64.b64encode(hashlib.sha1(key + GUID, usedforsecurity=False).digest()).decode()
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept}",
    ]
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    if window_bits is not None:
        own = "" if takeover else "server_no_context_takeover; "
        lines.append(
            f"Sec-WebSocket-Extensions: permessage-deflate; {own}"
            f"client_no_context_takeover; server_max_window_bits={window_bits}"
        )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def is_token(text: str) -> bool:
    """RFC 9110 section 5.6.2."""
    return re.fullmatch(_NAME, text) is not None


def is_own_host(host: str, allowed_hosts: tuple[str, ...]) -> bool:
    """Whether a Host header names this server, with any port."""
    name = host_name_of(host, port=True)
    return name is not None and name in (*LOCAL_HOSTS, *(one.lower() for one in allowed_hosts))


def host_name_of(text: str, *, port: bool = False) -> str | None:
    """Return the name in `text` in lower case, which may have a port where that is said."""
    if not text or _HOST.fullmatch(text) is None:
        return None
    name, colon, number = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if colon and (not port or int(number or 0) > 65_535):
        return None
    return (name if colon else text).lower() or None


def origin_of(text: str) -> str | None:
    """Return the origin of a URL as browsers write it; None if it has more than an origin."""
    found = re.fullmatch(r"(https?|wss?)://([^/?#@\s]+)", text, re.IGNORECASE)
    name = host_name_of(found[2], port=True) if found else None
    if found is None or name is None:
        return None
    scheme = found[1].lower()
    number = found[2][len(name) + 1 :]
    is_default = not number or int(number) == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{name}" + ("" if is_default else f":{int(number)}")
