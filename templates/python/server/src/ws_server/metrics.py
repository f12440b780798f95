"""The figures of a server, as Prometheus reads them. No label holds what a client makes up."""

import hmac
import ipaddress
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from .config import Config
from .handshake import is_own_host
# #if redis
from .redis_link import RedisLink
# #endif
from .routes import Answer, HttpRequest, Route, problem

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Close codes that are counted one by one; a peer could make up any number of others.
CODES = {*range(1000, 1004), *range(1005, 1010), 1011, 1012, 1013, *range(4400, 4510)}
# Upper ends of the buckets of times.
SECONDS = (0.0001, 0.001, 0.01, 0.1, 1, 10)


class Metrics:
    """Counts while messages pass; the rest is done when somebody asks."""

    def __init__(self, config: Config) -> None:
        """Start from nothing."""
        self._config = config
        self._started_at = time.time()
        # Not by close codes: one that reads nothing never sees its own.
        self.slow_consumers = 0
        # `accepted`, or the HTTP status of a refusal.
        self.handshakes: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        # `connection` or `user`.
        self.limited: Counter[str] = Counter()
        # #if resume
        # Resumes, by whether everything after the position was there.
        self.recoveries: Counter[str] = Counter()
        # #endif
        self._closed: Counter[str] = Counter()
        self._seconds: dict[str, list[float]] = {}
        # What the server itself knows, by name, with what it means.
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        # #if redis
        # The same, of what only grows; and failed commands of Redis, by why.
        self.totals: dict[str, tuple[str, Callable[[], float]]] = {}
        self.redis_errors: Counter[str] = Counter()
        # #endif
        self.route = Route("GET", re.compile("/metrics"), self._answer, is_for_any_host=True)

    # #if redis
    def count_redis(self, link: RedisLink) -> None:
        """Have figures of a Redis, too."""
        self.redis_errors = link.errors
        self.gauges["ws_redis_degraded"] = (
            "1 while the Redis of REDIS_URL is out of reach",
            lambda: int(link.trouble is not None),
        )
        self.totals = {
            "ws_redis_connects_total": (
                "Connections made to Redis: the first, and one after each loss",
                lambda: link.connects,
            ),
            "ws_redis_missed_total": (
                "Messages that Redis has not passed on, as their positions show",
                lambda: link.missed,
            ),
            "ws_redis_lost_positions_total": (
                "Rooms, streams or documents whose clients had to be told of a gap",
                lambda: link.lost,
            ),
        }

    # #endif
    def closed(self, code: int) -> None:
        """Count a connection that has ended."""
        self._closed[str(code) if code in CODES else "other"] += 1

    def finished(self, kind: str, seconds: float) -> None:
        """Count a command that has been carried out: one more of its bucket, and the sum."""
        counts = self._seconds.setdefault(kind, [0.0] * (len(SECONDS) + 2))
        bucket = sum(seconds > end for end in SECONDS)
        counts[bucket] += 1
        counts[-1] += seconds

    def _answer(self, request: HttpRequest) -> Answer:
        head, token = request.head, self._config.metrics_token
        if head.get("origin") or head.get("sec-fetch-site") not in (None, "none", "same-origin"):
            return problem(403, "not for pages of other sites")
        if token is not None:
            given = (head.get("authorization") or "").encode("latin-1")
            if not hmac.compare_digest(given, f"Bearer {token}".encode()):
                return problem(401, "expected METRICS_TOKEN", {"WWW-Authenticate": "Bearer"})
        elif not _is_address(head.get("host") or "") and not is_own_host(
            head.get("host") or "", self._config.allowed_hosts
        ):
            # A page can make its own name point here (DNS rebinding), but no address.
            return problem(421, "not in ALLOWED_HOSTS, and no METRICS_TOKEN is set")
        return Answer(200, self.text(), {"Content-Type": CONTENT_TYPE})

    def text(self) -> str:
        """Write all figures."""
        lines = [
            *_lines("process_start_time_seconds", "gauge", "Start", {"": self._started_at}),
            *_lines("process_cpu_seconds_total", "counter", "CPU time", {"": time.process_time()}),
            *_lines("process_resident_memory_bytes", "gauge", "Memory", {"": _memory()}),
            *_lines("process_open_fds", "gauge", "Open files", {"": _open_files()}),
        ]
        for name, (about, read) in self.gauges.items():
            lines += _lines(name, "gauge", about, {"": read()})
        # #if redis
        for name, (about, read) in self.totals.items():
            lines += _lines(name, "counter", about, {"": read()})
        # #endif
        slow = "Connections closed since the start as they read too slowly"
        lines += _lines("ws_slow_consumers", "gauge", slow, {"": self.slow_consumers})
        for name, about, label, counts in (
            ("ws_handshakes_total", "Handshakes by result", "result", self.handshakes),
            ("ws_messages_received_total", "Commands by type", "type", self.received),
            ("ws_messages_sent_total", "Messages by type", "type", self.sent),
            ("ws_closes_total", "Ended connections by close code", "code", self._closed),
            # #if resume
            ("ws_recoveries_total", "Resumes, by whether all was there", "ok", self.recoveries),
            # #endif
            # #if redis
            (
                "ws_redis_errors_total",
                "Commands of Redis that failed: it was down, it was full, or it refused them",
                "why",
                self.redis_errors,
            ),
            # #endif
            ("ws_rate_limited_total", "What was above a rate, by whose", "limit", self.limited),
        ):
            labelled = {f'{{{label}="{value}"}}': count for value, count in counts.items()}
            lines += _lines(name, "counter", about, labelled)
        lines += self._histogram("ws_command_seconds", "Time from a command to its end")
        return "\n".join(lines) + "\n"

    def _histogram(self, name: str, about: str) -> Iterable[str]:
        """Write the times by type; a bucket holds those before it, too."""
        yield from (f"# HELP {name} {about}", f"# TYPE {name} histogram")
        for kind, (*counts, total) in self._seconds.items():
            count = 0.0
            for end, more in zip((*map(str, SECONDS), "+Inf"), counts, strict=True):
                count += more
                yield f'{name}_bucket{{le="{end}",type="{kind}"}} {count:.0f}'
            yield f'{name}_sum{{type="{kind}"}} {total}'
            yield f'{name}_count{{type="{kind}"}} {count:.0f}'


def _lines(name: str, kind: str, about: str, samples: Mapping[str, float]) -> list[str]:
    head = [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
    return head + [f"{name}{label} {value}" for label, value in samples.items()]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(re.sub(r"^\[(.*)\]$", r"\1", re.sub(r":\d*$", "", host)))
    except ValueError:
        return False
    return True


def _memory() -> int:
    """Return the resident bytes; where the system does not say, the most there ever were."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return pages * resource.getpagesize()


def _open_files() -> int:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(list(Path(folder).iterdir()))
        except OSError:
            continue
    return 0
