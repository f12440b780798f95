"""Settings from the environment."""

import json
import re
from collections.abc import Callable, Mapping
# #if commands
from dataclasses import dataclass, replace
from typing import Any
# #else
#~ from dataclasses import dataclass
# #endif
# #if auth || redis
from urllib.parse import urlsplit
# #endif

from .handshake import host_name_of, is_token, origin_of
# #if auth
from .keys import read_public_key
# #endif
# #if applications
from .messages import MAX_COMMAND_BYTES
# #endif

# Supported subprotocols, the preferred one first.
SUBPROTOCOLS = ("chat.v1",)


class ConfigError(Exception):
    """A setting has a wrong value; the message names it, and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Times are in milliseconds, sizes in bytes."""

    # 0 lets the system pick a free port.
    port: int
    # None: every interface.
    host: str | None
    # Of a message, also after decompression; a larger one is closed with 1009.
    max_payload: int
    # Between two pings; a peer that neither sends nor reads during two is cut off.
    ping_interval: int
    # permessage-deflate (RFC 7692) or none.
    compression: str
    # Compress each message on its own.
    server_no_context_takeover: bool
    # Supported subprotocols, the preferred one first.
    subprotocols: tuple[str, ...]
    # Allowed values of the Origin header; none listed: pages from this host, and from localhost.
    allowed_origins: tuple[str, ...]
    # Names of this server besides localhost, 127.0.0.1 and [::1]; pages have to come from one.
    allowed_hosts: tuple[str, ...]
    # In production pages from localhost are no exception.
    is_production: bool
    # #if commands
    # Serves the page in public/, and lets it stop this process outside production.
    demo: bool
    # #endif
    max_connections: int
    # Addresses are IPv4 addresses and IPv6 networks of 64 bits.
    max_connections_per_ip: int
    # New connections a second that one address gets; more have to wait.
    handshake_rate: int
    # #if commands
    # Messages, or frames of any kind, a second of one client, and at once; of an address eight
    # times that.
    rate_limit: int
    rate_burst: int
    # Of all messages; one address gets half of what others leave for those under way.
    memory_budget: int
    # #else
    #~ # Frames a second that echo nothing, of one client.
    #~ rate_limit: int
    #~ # Messages a second of one client, 16 KiB of a message counting as one; more have to wait.
    #~ message_rate: int
    #~ # Of unfinished, inflated and waiting messages; one address gets half of what others leave.
    #~ memory_budget: int
    # #endif
    # An unfinished message may rest so long; a steady one may take as long as it likes.
    message_timeout: int
    # Reverse proxies in front of this server whose X-Forwarded-For is trusted.
    trust_proxy: int
    # #if commands
    # May wait for one client before it is closed with 4408.
    max_buffered: int
    # #else
    #~ # May wait for one client before the server stops reading from it.
    #~ max_buffered: int
    # #endif
    # A client may take so long to send its handshake.
    handshake_timeout: int
    # #if commands
    # Between SIGTERM and the first close, so that load balancers see /readyz.
    drain_delay: int
    # #endif
    # Clients get so long for the closing handshake after SIGTERM.
    drain_timeout: int
    # #if auth
    # Of tokens: the secret of those that are signed with HS256, or the public key (PEM) of those
    # that are signed with RS256, ES256 or EdDSA, or where such keys are (RFC 7517).
    auth_secret: str | None
    auth_public_key: str | None
    auth_jwks_url: str | None
    # `iss` and `aud` that tokens need to have.
    auth_issuer: str | None
    auth_audience: str | None
    # Seconds that the clocks of who makes tokens may differ.
    auth_clock_tolerance: int
    # The first message has to say who the client is within it.
    auth_timeout: int
    # A ticket is good so long.
    ticket_ttl: int
    # Who sends it may POST /revoke.
    admin_token: str | None
    # #endif
    # #if rate-limit
    # Commands a second of one user, over all connections, and at once; more are refused.
    user_rate_limit: int
    user_rate_burst: int
    max_connections_per_user: int
    # #endif
    # #if metrics
    # Who reads /metrics has to send it.
    metrics_token: str | None
    # #endif
    # #if rooms
    # At the same time; and those that one address opens and keeps open.
    max_rooms: int
    max_rooms_per_ip: int
    max_room_members: int
    max_rooms_per_client: int
    # #endif
    # #if pubsub
    # First segments of topics that clients subscribe to at the same time, and those that count for
    # one address; subscriptions.
    max_streams: int
    max_streams_per_ip: int
    max_subscriptions: int
    max_subscriptions_per_ip: int
    max_subscriptions_per_client: int
    # Whether clients may publish.
    client_publish: bool
    # #endif
    # #if live
    max_documents: int
    # As JSON.
    max_document_bytes: int
    max_watches_per_client: int
    # #endif
    # #if pubsub || live
    # Who sends it may publish over HTTP.
    publish_token: str | None
    # #endif
    # #if graphql
    # For connection_init; who does not send it is closed with 4408.
    graphql_init_timeout: int
    # Operations at the same time, of one connection and of all.
    graphql_max_operations: int
    graphql_max_all_operations: int
    # Fields of an operation in each other, and all, those of a list as often as it may have items.
    graphql_max_depth: int
    graphql_max_cost: int
    # Words and signs of a document, its bytes, and those of its variables as JSON.
    graphql_max_tokens: int
    graphql_max_document: int
    graphql_max_variables: int
    # Whether clients may read the schema; None: unless this is production.
    graphql_introspection: bool | None
    # #endif
    # #if jsonrpc
    # Requests in one batch of JSON-RPC, and the time that a client has to answer a call of the
    # server.
    max_batch: int
    call_timeout: int
    # #endif
    # #if jsonrpc || wamp
    # Calls of one client that are in progress at the same time; more are refused.
    max_calls_per_client: int
    # #endif
    # #if wamp
    # The realms of WAMP; None: handlers/realms.yaml.
    realms_file: str | None
    # Of one session of WAMP, and of all.
    max_subscriptions_per_session: int
    max_registrations_per_session: int
    max_wamp_entries: int
    # #endif
    # #if presence
    # A user stays present so long after a lost connection.
    presence_grace: int
    # #endif
    # #if history || live
    # What is kept of one room, stream or document, and how long of one without clients.
    history_messages: int
    history_bytes: int
    history_ttl: int
    # #endif
    # #if resume
    # A message with the same id is not published again within it.
    resume_window: int
    # #endif
    # #if redis
    # Redis that several servers share; None: all is in the memory of this process.
    redis_url: str | None
    # What all names in Redis start with; servers with the same share what they have.
    redis_prefix: str
    # Without an answer for so long, the server goes on without Redis.
    redis_timeout: int
    # Between checks whether anything that was published did not arrive.
    position_check: int
    # #if presence
    # Users are gone after it whose server has died.
    presence_ttl: int
    # #endif
    # #endif

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Config":
        """Read all settings.

        Raises ConfigError for the first that is wrong, or contradicts another.
        """
        env = _Environment(environ)
        # #if commands
        # #else
        #~ max_connections = env.integer("MAX_CONNECTIONS", 10_000, 1, 1_000_000)
        #~ max_payload = env.integer("MAX_PAYLOAD", 1048576, 1, 0x7FFFFFFF)
        #~ max_buffered = env.integer("MAX_BUFFERED", 1_048_576, 1024, 0x7FFFFFFF)
        #~ # Limits that nobody set fit the others; limits that were set must.
        #~ per_ip = min(1024, max_connections)
        #~ budget = max(268_435_456, 2 * max_payload, 2 * max_buffered)
        # #endif
        config = cls(
            port=env.integer("PORT", 8080, 0, 65_535),
            host=environ.get("HOST") or None,
            # #if commands
            max_payload=env.integer("MAX_PAYLOAD", 1048576, 1, 0x7FFFFFFF),
            # #else
            #~ max_payload=max_payload,
            # #endif
            ping_interval=env.integer("PING_INTERVAL", 30000, 10, 3_600_000),
            compression=env.one_of(
                "COMPRESSION", "permessage-deflate", ("permessage-deflate", "none")
            ),
            # #if commands
            server_no_context_takeover=env.flag("SERVER_NO_CONTEXT_TAKEOVER", default=True),
            # #else
            #~ server_no_context_takeover=True,
            # #endif
            subprotocols=env.items("SUBPROTOCOLS", SUBPROTOCOLS, is_token, "names of subprotocols"),
            allowed_origins=env.items(
                "ALLOWED_ORIGINS",
                (),
                lambda text: origin_of(text) is not None and origin_of(text) == text,
                "origins as in https://example.com",
            ),
            allowed_hosts=env.items(
                "ALLOWED_HOSTS",
                (),
                lambda text: host_name_of(text) == text.lower(),
                "host names without a port",
            ),
            is_production=environ.get("NODE_ENV") == "production",
            # #if commands
            demo=env.flag("DEMO", default=False),
            # #endif
            # #if commands
            max_connections=env.integer("MAX_CONNECTIONS", 10_000, 1, 1_000_000),
            max_connections_per_ip=env.integer("MAX_CONNECTIONS_PER_IP", 256, 1, 1_000_000),
            handshake_rate=env.integer("HANDSHAKE_RATE", 200, 1, 1_000_000),
            rate_limit=env.integer("RATE_LIMIT", 100, 1, 1_000_000),
            rate_burst=env.integer("RATE_BURST", 200, 1, 1_000_000),
            memory_budget=env.integer("MEMORY_BUDGET", 268_435_456, 65_536, 0x7FFFFFFFFF),
            # #else
            #~ max_connections=max_connections,
            #~ max_connections_per_ip=env.integer("MAX_CONNECTIONS_PER_IP", per_ip, 1, 1_000_000),
            #~ handshake_rate=env.integer("HANDSHAKE_RATE", 1000, 1, 1_000_000),
            #~ rate_limit=env.integer("RATE_LIMIT", 1000, 1, 1_000_000),
            #~ message_rate=env.integer("MAX_MESSAGES_PER_SECOND", 1_000_000, 1, 10_000_000),
            #~ memory_budget=env.integer("MEMORY_BUDGET", budget, 65_536, 0x7FFFFFFFFF),
            # #endif
            message_timeout=env.integer("MESSAGE_TIMEOUT", 30_000, 50, 3_600_000),
            trust_proxy=env.integer("TRUST_PROXY", 0, 0, 10),
            # #if commands
            max_buffered=env.integer("MAX_BUFFERED", 2_097_152, 16_384, 0x7FFFFFFF),
            # #else
            #~ max_buffered=max_buffered,
            # #endif
            handshake_timeout=env.integer("HANDSHAKE_TIMEOUT", 5000, 50, 9000),
            # #if commands
            drain_delay=env.integer("DRAIN_DELAY", 0, 0, 600_000),
            # #endif
            drain_timeout=env.integer("DRAIN_TIMEOUT", 5000, 0, 600_000),
            # #if auth
            auth_secret=env.text(
                "AUTH_SECRET",
                lambda text: len(text.encode()) >= 32,
                "at least 32 bytes, as from `openssl rand -hex 32`",
            ),
            auth_public_key=env.text(
                "AUTH_PUBLIC_KEY",
                lambda text: read_public_key(text) is not None,
                "a public key in PEM: RSA of 2048 bits or more, P-256 or Ed25519",
            ),
            auth_jwks_url=env.text(
                "AUTH_JWKS_URL", _is_keys_url, "an https URL, or one of localhost"
            ),
            auth_issuer=env.text("AUTH_ISSUER"),
            auth_audience=env.text("AUTH_AUDIENCE"),
            auth_clock_tolerance=env.integer("AUTH_CLOCK_TOLERANCE", 5, 0, 300),
            auth_timeout=env.integer("AUTH_TIMEOUT", 10_000, 50, 600_000),
            ticket_ttl=env.integer("TICKET_TTL", 30_000, 50, 600_000),
            admin_token=env.secret("ADMIN_TOKEN", 16),
            # #endif
            # #if rate-limit
            user_rate_limit=env.integer("USER_RATE_LIMIT", 200, 1, 1_000_000),
            user_rate_burst=env.integer("USER_RATE_BURST", 400, 1, 1_000_000),
            max_connections_per_user=env.integer("MAX_CONNECTIONS_PER_USER", 32, 1, 1_000_000),
            # #endif
            # #if metrics
            metrics_token=env.secret("METRICS_TOKEN", 16),
            # #endif
            # #if rooms
            max_rooms=env.integer("MAX_ROOMS", 1000, 1, 1_000_000),
            max_rooms_per_ip=env.integer("MAX_ROOMS_PER_IP", 128, 1, 1_000_000),
            max_room_members=env.integer("MAX_ROOM_MEMBERS", 1000, 1, 100_000),
            max_rooms_per_client=env.integer("MAX_ROOMS_PER_CLIENT", 128, 1, 10_000),
            # #endif
            # #if pubsub
            max_streams=env.integer("MAX_STREAMS", 1000, 1, 1_000_000),
            max_streams_per_ip=env.integer("MAX_STREAMS_PER_IP", 128, 1, 1_000_000),
            max_subscriptions=env.integer("MAX_SUBSCRIPTIONS", 50_000, 1, 10_000_000),
            max_subscriptions_per_ip=env.integer("MAX_SUBSCRIPTIONS_PER_IP", 5000, 1, 10_000_000),
            max_subscriptions_per_client=env.integer(
                "MAX_SUBSCRIPTIONS_PER_CLIENT", 128, 1, 100_000
            ),
            client_publish=env.flag("CLIENT_PUBLISH", default=True),
            # #endif
            # #if live
            max_documents=env.integer("MAX_DOCUMENTS", 1000, 1, 100_000),
            max_document_bytes=env.integer("MAX_DOCUMENT_BYTES", 262_144, 1024, 0x7FFFFFFF),
            max_watches_per_client=env.integer("MAX_WATCHES_PER_CLIENT", 128, 1, 100_000),
            # #endif
            # #if pubsub || live
            publish_token=env.secret("PUBLISH_TOKEN", 32),
            # #endif
            # #if graphql
            graphql_init_timeout=env.integer("GRAPHQL_INIT_TIMEOUT", 3000, 50, 600_000),
            graphql_max_operations=env.integer("GRAPHQL_MAX_OPERATIONS", 100, 1, 100_000),
            graphql_max_all_operations=env.integer(
                "GRAPHQL_MAX_ALL_OPERATIONS", 50_000, 1, 10_000_000
            ),
            graphql_max_depth=env.integer("GRAPHQL_MAX_DEPTH", 10, 1, 1000),
            graphql_max_cost=env.integer("GRAPHQL_MAX_COST", 1000, 1, 1_000_000_000),
            graphql_max_tokens=env.integer("GRAPHQL_MAX_TOKENS", 1000, 1, 100_000),
            graphql_max_document=env.integer("GRAPHQL_MAX_DOCUMENT", 16_384, 1, 65_536),
            graphql_max_variables=env.integer("GRAPHQL_MAX_VARIABLES", 16_384, 2, 65_536),
            graphql_introspection=(
                env.flag("GRAPHQL_INTROSPECTION", default=False)
                if environ.get("GRAPHQL_INTROSPECTION")
                else None
            ),
            # #endif
            # #if jsonrpc
            max_batch=env.integer("MAX_BATCH", 100, 1, 100_000),
            call_timeout=env.integer("CALL_TIMEOUT", 30_000, 1, 86_400_000),
            # #endif
            # #if jsonrpc || wamp
            max_calls_per_client=env.integer("MAX_CALLS_PER_CLIENT", 100, 1, 100_000),
            # #endif
            # #if wamp
            realms_file=environ.get("REALMS_FILE") or None,
            max_subscriptions_per_session=env.integer(
                "MAX_SUBSCRIPTIONS_PER_SESSION", 1000, 1, 1_000_000
            ),
            max_registrations_per_session=env.integer(
                "MAX_REGISTRATIONS_PER_SESSION", 1000, 1, 1_000_000
            ),
            max_wamp_entries=env.integer("MAX_WAMP_ENTRIES", 50_000, 1, 10_000_000),
            # #endif
            # #if presence
            presence_grace=env.integer("PRESENCE_GRACE", 3000, 0, 600_000),
            # #endif
            # #if history || live
            history_messages=env.integer("HISTORY_MESSAGES", 100, 1, 100_000),
            history_bytes=env.integer("HISTORY_BYTES", 131_072, 1024, 0x7FFFFFFF),
            history_ttl=env.integer("HISTORY_TTL", 300_000, 0, 86_400_000),
            # #endif
            # #if resume
            resume_window=env.integer("RESUME_WINDOW", 120_000, 0, 3_600_000),
            # #endif
            # #if redis
            redis_url=env.text(
                "REDIS_URL",
                _is_redis_url,
                "redis://[user:password@]host[:port][/number], or rediss://",
            ),
            redis_prefix=env.matching(
                "REDIS_PREFIX",
                "ws-app",
                r"[\w.:-]{1,214}",
                'at most 214 letters, digits, ".", "_", "-" and ":"',
            ),
            redis_timeout=env.integer("REDIS_TIMEOUT", 2000, 50, 60_000),
            position_check=env.integer("POSITION_CHECK", 10_000, 50, 600_000),
            # #if presence
            presence_ttl=env.integer("PRESENCE_TTL", 30_000, 50, 600_000),
            # #endif
            # #endif
        )
        # #if commands
        given = {name for name, value in environ.items() if value}
        for rule in RULES:
            config = rule.fit(config, given)
        # #if applications
        payload = min(config.max_payload, MAX_COMMAND_BYTES)
        # #else
        #~ payload = config.max_payload
        # #endif
        if payload > config.memory_budget // 2:
            raise ConfigError(
                f"MAX_PAYLOAD is {payload}, expected at most half of MEMORY_BUDGET, which is "
                f"{config.memory_budget}"
            )
        # #if auth
        config.check_keys()
        # #endif
        # #else
        #~ config.check_together()
        # #endif
        return config

    # #if auth
    def check_keys(self) -> None:
        """Refuse more than one way to check tokens, and in production none."""
        ways = ("AUTH_SECRET", "AUTH_PUBLIC_KEY", "AUTH_JWKS_URL")
        given = [name for name in ways if getattr(self, name.lower()) is not None]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} are set, expected one of them")
        if not given and self.is_production:
            raise ConfigError(
                "NODE_ENV is production and nothing says whose tokens are valid: set AUTH_SECRET "
                "(as from `openssl rand -hex 32`), AUTH_PUBLIC_KEY or AUTH_JWKS_URL"
            )

    # #endif

    # #if commands
    # #else
    #~ def check_together(self) -> None:
    #~     """Refuse limits that contradict each other; the message names both."""
    #~     half = ": half of it is the share of one address"
    #~     connections = ("MAX_CONNECTIONS", self.max_connections, 1, "")
    #~     budget = ("MEMORY_BUDGET", self.memory_budget, 2, half)
    #~     for name, value, (other, limit, divisor, why) in (
    #~         ("MAX_CONNECTIONS_PER_IP", self.max_connections_per_ip, connections),
    #~         ("MAX_PAYLOAD", self.max_payload, budget),
    #~         ("MAX_BUFFERED", self.max_buffered, budget),
    #~     ):
    #~         if value > limit // divisor:
    #~             expected = f"at most {limit // divisor}, as {other} is {limit}{why}"
    #~             raise _wrong(name, str(value), expected)
    # #endif


# #if commands
@dataclass(frozen=True, slots=True)
class Rule:
    """A limit that needs space in another: it is at most that, divided by `divisor`.

    One that nobody set gives way; all set, they contradict each other.
    """

    limit: str
    within: str
    divisor: float = 1
    why: str = ""
    # So many of them.
    times: str | None = None

    def fit(self, config: Config, given: set[str]) -> Config:
        """Return the settings with what gives way. Raises ConfigError that names both."""
        value: int = getattr(config, self.limit.lower())
        within: int = getattr(config, self.within.lower())
        count: int = 1 if self.times is None else getattr(config, self.times.lower())
        space = within / self.divisor
        most = int(space / count)
        fitting: dict[str, Any] = {}
        if value <= most:
            return config
        if self.limit not in given:
            fitting[self.limit.lower()] = most
            return replace(config, **fitting)
        if self.times is not None and self.times not in given and value <= space:
            fitting[self.times.lower()] = int(space / value)
            return replace(config, **fitting)
        factor = "" if self.times is None else f" and {self.times} {count}"
        lower = self.limit if self.times is None else f"{self.limit} or {self.times}"
        reason = f": {self.why}" if self.why else ""
        raise ConfigError(
            f"{self.limit} is {value}, expected at most {most}, as {self.within} is "
            f"{within}{factor}{reason}; lower {lower}, or raise {self.within}"
        )


RULES = (
    Rule("MAX_CONNECTIONS_PER_IP", "MAX_CONNECTIONS"),
    Rule("MAX_BUFFERED", "MEMORY_BUDGET", 2, "one address gets half"),
    # #if rooms
    Rule("MAX_ROOMS", "MEMORY_BUDGET", 2048, "each takes 2 KiB without its messages"),
    # #endif
    # #if presence
    # A name takes 67 bytes at most.
    Rule("MAX_ROOM_MEMBERS", "MAX_BUFFERED", 4 * 67, "the reply to a join lists them"),
    # #endif
    # #if history || live
    Rule("HISTORY_BYTES", "MAX_BUFFERED", 4, "one reply holds them"),
    # #if rooms
    Rule("HISTORY_BYTES", "MEMORY_BUDGET", 2, "a byte that is kept takes two", "MAX_ROOMS"),
    # #endif
    # #if pubsub
    Rule("HISTORY_BYTES", "MEMORY_BUDGET", 2, "a byte that is kept takes two", "MAX_STREAMS"),
    # #endif
    # #endif
    # #if live
    Rule("MAX_DOCUMENT_BYTES", "MAX_BUFFERED", 16 / 15, "a snapshot holds it"),
    Rule("HISTORY_BYTES", "MEMORY_BUDGET", 2, "a byte that is kept takes two", "MAX_DOCUMENTS"),
    # #endif
    # #if presence && redis
    Rule("POSITION_CHECK", "PRESENCE_TTL", 2, "with each check a server says who is there"),
    # #endif
    # #if pubsub
    Rule("MAX_STREAMS", "MEMORY_BUDGET", 2048, "each takes 2 KiB without its events"),
    Rule("MAX_SUBSCRIPTIONS", "MEMORY_BUDGET", 4096, "each takes up to 4 KiB"),
    Rule("MAX_STREAMS_PER_IP", "MAX_STREAMS"),
    Rule("MAX_SUBSCRIPTIONS_PER_IP", "MAX_SUBSCRIPTIONS"),
    # #endif
    # #if rooms
    Rule("MAX_ROOMS_PER_IP", "MAX_ROOMS"),
    # #endif
)


# #endif
class _Environment:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        text = self._environ.get(name) or str(default)
        if re.fullmatch("[0-9]{1,15}", text) is None or not least <= int(text) <= most:
            raise _wrong(name, text, f"an integer from {least} to {most}")
        return int(text)

    # #if commands
    def flag(self, name: str, *, default: bool) -> bool:
        text = (self._environ.get(name) or str(default)).lower()
        if text not in ("true", "1", "yes", "on", "false", "0", "no", "off"):
            raise _wrong(name, text, "true or false")
        return text in ("true", "1", "yes", "on")

    # #endif
    def one_of(self, name: str, default: str, values: tuple[str, ...]) -> str:
        text = self._environ.get(name) or default
        if text not in values:
            raise _wrong(name, text, " or ".join(values))
        return text

    def items(
        self, name: str, default: tuple[str, ...], is_valid: Callable[[str], bool], what: str
    ) -> tuple[str, ...]:
        text = self._environ.get(name)
        if not text:
            return default
        found = tuple(item.strip() for item in text.split(","))
        if not all(map(is_valid, found)):
            raise _wrong(name, text, f"{what}, separated by commas")
        return found

    # #if redis
    def matching(self, name: str, default: str, pattern: str, expected: str) -> str:
        text = self._environ.get(name) or default
        if re.fullmatch(pattern, text, re.ASCII) is None:
            raise _wrong(name, text, expected)
        return text

    # #endif
    # #if auth || redis
    def text(
        self, name: str, is_valid: Callable[[str], bool] = bool, expected: str = ""
    ) -> str | None:
        text = self._environ.get(name)
        if text and not is_valid(text):
            # Secrets do not belong into logs, not even wrong ones.
            raise ConfigError(f"{name} is wrong, expected {expected}")
        return text or None

    # #endif
    # #if auth || metrics || pubsub || live
    def secret(self, name: str, least: int) -> str | None:
        text = self._environ.get(name)
        if text and re.fullmatch(f"[!-~]{{{least},}}", text) is None:
            # Secrets do not belong into logs, not even wrong ones.
            expected = f"at least {least} characters without blanks"
            raise ConfigError(f"{name} is wrong, expected {expected}")
        return text or None

    # #endif


# #if redis
def _is_redis_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        is_valid = url.scheme in ("redis", "rediss") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False
    is_whole = not url.query and not url.fragment
    return is_valid and is_whole and re.fullmatch(r"(?:/[0-9]{0,5})?", url.path) is not None


# #endif
# #if auth
def _is_keys_url(text: str) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    is_local = url.hostname in ("localhost", "127.0.0.1", "::1")
    return bool(url.hostname) and (url.scheme == "https" or (url.scheme == "http" and is_local))


# #endif
def _wrong(name: str, text: str, expected: str) -> ConfigError:
    return ConfigError(f"{name} is {json.dumps(text, ensure_ascii=False)}, expected {expected}")
