"""What one address may have and use."""

import ipaddress
import re
import time

from .config import Config
from .log import log


class Bucket:
    """Tokens: `rate` a second on average, `burst` at once; who takes more is in debt."""

    __slots__ = (
        "_at",
        "_burst",
        "_rate",
        "_tokens",
        # #if rate-limit && redis
        "taken",
        # #endif
    )

    def __init__(self, rate: float, burst: float) -> None:
        """Start full."""
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = time.monotonic()
        # #if rate-limit && redis
        # Ever.
        self.taken = 0.0
        # #endif

    def tokens(self) -> float:
        """Tokens at present; negative is a debt."""
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens

    # #if commands
    def take(self, cost: float = 1) -> bool:
        """Take tokens; False if there are too few, which takes none."""
        if self.tokens() < cost:
            return False
        self._tokens -= cost
        # #if rate-limit && redis
        self.taken += cost
        # #endif
        return True

    # #endif
    # #if rate-limit && redis
    def set(self, tokens: float) -> None:
        """Have so many tokens from now on, as others use it, too."""
        self._tokens = tokens
        self._at = time.monotonic()

    def spent(self) -> float:
        """Tokens that are missing."""
        return self._burst - self.tokens()

    # #endif
    # #if rate-limit
    def wait(self) -> float:
        """Seconds until there is a token."""
        return max(0.0, (1 - self.tokens()) / self._rate)

    # #endif
    def spend(self, cost: float) -> None:
        """Take tokens; the debt is at most a burst."""
        self._tokens = max(-self._burst, self.tokens() - cost)
        # #if rate-limit && redis
        self.taken += cost
        # #endif

    def debt(self) -> float:
        """Seconds until the debt is paid."""
        return max(0.0, -self.tokens() / self._rate) if self._tokens < 0 else 0.0

    def is_half_full(self) -> bool:
        """Whether little was taken of late."""
        return self.tokens() >= self._burst / 2

    def is_full(self) -> bool:
        """Whether nothing was taken of late."""
        return self.tokens() >= self._burst


class Share:
    """The connections, memory and rates of one address."""

    __slots__ = (
        "frames",
        "handshakes",
        "held",
        "ip",
        "left_out",
        "lines",
        # #if commands
        # #else
        #~ "messages",
        # #endif
        "open",
        # #if rooms
        "rooms",
        # #endif
        # #if pubsub
        "streams",
        "subscriptions",
        # #endif
        "tcp",
    )

    def __init__(self, ip: str, config: Config) -> None:
        """Start with nothing used."""
        self.ip = ip
        self.tcp = 0
        self.open = 0
        self.held = 0
        self.left_out = 0
        # #if rooms
        # Rooms whose owner is one of its clients.
        self.rooms = 0
        # #endif
        # #if pubsub
        # Streams that count for it, and subscriptions of its clients.
        self.streams = self.subscriptions = 0
        # #endif
        # Eight clients of one address may use up their rates at the same time.
        # #if commands
        self.frames = Bucket(config.rate_limit * 8, config.rate_burst * 8)
        # #else
        #~ self.frames = Bucket(config.rate_limit * 8, config.rate_limit * 32)
        #~ self.messages = Bucket(config.message_rate * 8, config.message_rate * 8)
        # #endif
        self.handshakes = Bucket(config.handshake_rate, 2 * config.max_connections_per_ip + 100)
        self.lines = Bucket(5, 50)

    def log(self, level: str, event: str, **fields: object) -> None:
        """Log what a peer did: some lines a second and address, stacks alone at any length."""
        if self.lines.tokens() < 1:
            self.left_out += 1
            return
        self.lines.spend(1)
        short = {
            name: value[:200] if isinstance(value, str) and name != "stack" else value
            for name, value in fields.items()
            if value is not None
        }
        more = {"leftOut": self.left_out} if self.left_out else {}
        self.left_out = 0
        log(level, event, ip=self.ip, **short, **more)

    def is_idle(self) -> bool:
        """Whether it has nothing and owes nothing, so that it can be forgotten."""
        # #if commands
        buckets = (self.frames, self.handshakes, self.lines)
        # #else
        #~ buckets = (self.frames, self.messages, self.handshakes, self.lines)
        # #endif
        used = self.tcp or self.open or self.held or self.left_out
        # #if rooms
        used = used or self.rooms
        # #endif
        # #if pubsub
        used = used or self.streams
        # #endif
        return not used and all(bucket.is_full() for bucket in buckets)


class Shares:
    """The shares of all addresses."""

    def __init__(self, config: Config) -> None:
        """Start without any."""
        self._config = config
        self._shares: dict[str, Share] = {}
        # Bytes that all addresses hold together.
        self.held = 0

    def of(self, ip: str) -> Share:
        """Return the share of an address, as address_key writes it."""
        share = self._shares.get(ip)
        if share is None:
            share = self._shares[ip] = Share(ip, self._config)
        return share

    def sweep(self) -> None:
        """Forget addresses that have nothing and owe nothing."""
        for ip, share in list(self._shares.items()):
            if share.left_out and share.lines.tokens() >= 1:
                share.log("info", "left-out")
            if share.is_idle():
                del self._shares[ip]

    def room(self, share: Share) -> float:
        """Return what an address may hold besides: half of what others leave, for newcomers."""
        left = self._config.memory_budget - (self.held - share.held)
        return left / 2 - share.held


def address_key(text: str) -> str:
    """Return one form for what counts as one address: IPv4, also mapped, and IPv6 by 64 bits.

    What is no address is "unknown", as a client could make up any number of others.
    """
    # No address is longer, and what is takes long to match.
    bare = text.strip()[:100]
    bare = re.sub(r'^"(.*)"$', r"\1", bare)
    bare = re.sub(r"^\[(.*)\](?::\d{1,5})?$", r"\1", bare)
    bare = re.sub(r"^([\d.]+):\d{1,5}$", r"\1", bare)
    bare = re.sub(r"^([\da-fA-F:.]*:[\da-fA-F:.]*)%[\w.~-]+$", r"\1", bare)
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if "%" in bare:
        return "unknown"
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    groups = [f"{int(group, 16):x}" for group in address.exploded.split(":")[:4]]
    return f"{':'.join(groups)}::/64"
