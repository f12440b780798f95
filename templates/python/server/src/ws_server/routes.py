"""HTTP requests that are no handshakes: what answers which, and how."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .admission import Share
from .handshake import Request, encode_response


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with its whole body."""

    head: Request
    body: bytes
    # The address it comes from.
    share: Share


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; a text or bytes are sent as they are, and anything else as JSON."""

    status: int
    body: object = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def encode(self, *, is_head: bool = False) -> bytes:
        """Write it."""
        kind = self.headers.get("Content-Type", "text/plain; charset=utf-8")
        if isinstance(self.body, bytes):
            data = self.body
        elif isinstance(self.body, str):
            data = self.body.encode()
        else:
            kind = "application/json"
            data = json.dumps(self.body).encode() + b"\n"
        response = encode_response(self.status, data, kind, self.headers)
        return response[: len(response) - len(data)] if is_head else response


def problem(status: int, error: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer that says what is wrong."""
    return Answer(status, {"error": error}, headers or {})


class BodyError(Exception):
    """Why a body cannot be taken, as an HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        """Say what is wrong."""
        super().__init__(message)
        self.status = status


# Bytes of the longest line between chunks, and of all that follow the last one.
MAX_LINE = 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")


class ChunkedBody:
    """A body whose length is not known before (RFC 9112 section 7.1)."""

    def __init__(self, max_size: int) -> None:
        """Take so many bytes."""
        self.content = bytearray()
        self._max_size = max_size
        # Bytes of the chunk that are to come; what is expected next, if there are none.
        self._left = 0
        self._next = "size"
        self._trailer = 0

    def take(self, data: bytearray) -> bool:
        """Take what has come out of `data`; True at the end. Raises BodyError."""
        while self._next != "end":
            if self._left > 0:
                part = data[: self._left]
                self.content += part
                self._left -= len(part)
                del data[: len(part)]
                if self._left > 0:
                    return False
            length = data.find(b"\r\n")
            if max(length, len(data) if length < 0 else 0) > MAX_LINE:
                raise BodyError(400, "expected shorter lines between chunks")
            if length < 0:
                return False
            self._take_line(bytes(data[:length]))
            del data[: length + 2]
        return True

    def _take_line(self, line: bytes) -> None:
        if self._next == "size":
            found = _SIZE.fullmatch(line)
            if found is None:
                raise BodyError(400, "expected the size of a chunk")
            self._left = int(found[1], 16)
            if len(self.content) + self._left > self._max_size:
                raise BodyError(413, f"expected at most {self._max_size} bytes")
            self._next = "line" if self._left > 0 else "trailer"
        elif self._next == "line":
            if line:
                raise BodyError(400, "expected the end of a chunk")
            self._next = "size"
        elif line:
            self._trailer += len(line)
            if self._trailer > MAX_LINE:
                raise BodyError(400, "expected a shorter trailer")
        else:
            self._next = "end"


@dataclass(frozen=True, slots=True)
class Route:
    """What answers the requests to some path; the groups of `path` are passed to it."""

    method: str
    path: re.Pattern[str]
    answer: Callable[..., Answer | Awaitable[Answer]]
    # Bytes of the largest body; a larger one gets 413.
    max_body: int = 0
    # Whether it answers under names that are not in ALLOWED_HOSTS.
    is_for_any_host: bool = False


def find_route(
    routes: Sequence[Route], method: str, path: str
) -> tuple[Route, tuple[str, ...]] | list[str]:
    """Return the route of a request and the groups of its path, or the methods of the path."""
    allowed: list[str] = []
    for route in routes:
        match = route.path.fullmatch(path)
        if match is not None and route.method == ("GET" if method == "HEAD" else method):
            return route, match.groups()
        if match is not None:
            allowed.append(route.method)
    return allowed
