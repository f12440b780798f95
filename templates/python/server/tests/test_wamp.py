"""The router of WAMP, without connections."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest

from ws_server.config import ConfigError
# #if auth
from ws_server.hooks import Identity
# #endif
from ws_server.wamp_members import Limits
from ws_server.wamp_messages import WampError
from ws_server.wamp_procedures import Call, Caller, Procedure, Procedures, Result
from ws_server.wamp_realms import realms_of
from ws_server.wamp_router import Parts, Router
from ws_server.wamp_session import WampSession
from ws_server.wamp_uris import Match, Patterns, covers, is_uri

ALL = "[call, register, publish, subscribe, disclose]"
KEY = base64.b64encode(hashlib.pbkdf2_hmac("sha256", b"secret of eve", b"salty", 1000, 32)).decode()
ENV = {"TICKET": "ticket of ada", "SECRET": "secret of bob", "KEY": KEY}
REALMS = f"""
open:
  anonymous: guest
  roles:
    guest:
      - {{ uri: '', match: prefix, allow: {ALL} }}
      - {{ uri: wamp.session., match: prefix, allow: [call, subscribe] }}
other:
  anonymous: guest
  roles: {{ guest: [{{ uri: '', match: prefix, allow: {ALL} }}] }}
strict:
  roles:
    guest:
      - {{ uri: com.read, allow: [subscribe] }}
      - {{ uri: com.a., match: prefix, allow: [call, publish, subscribe] }}
      - {{ uri: com..w, match: wildcard, allow: [register, subscribe] }}
      - {{ uri: '', match: prefix, allow: [call] }}
    admin: [{{ uri: '', match: prefix, allow: {ALL} }}]
  users:
    ada: {{ role: admin, ticket: TICKET }}
    bob: {{ role: guest, secret: SECRET }}
    eve: {{ role: guest, secret: KEY, salt: salty, iterations: 1000, keylen: 32 }}
"""
ROLES: dict[str, Any] = {"caller": {}, "callee": {}, "publisher": {}, "subscriber": {}}
MODERN = {"caller": {}, "callee": {"features": {"call_canceling": True}}}
HELLO = [1, "open", {"roles": ROLES}]
NO_PROCEDURES = Procedures("open")

Wire = list[Any]


class Timer:
    """Something that happens when a test says so."""

    def __init__(self, timers: list["Timer"], seconds: float, step: Callable[[], None]) -> None:
        """Wait in `timers`."""
        self._timers = timers
        self.seconds = seconds
        self._step = step
        timers.append(self)

    def cancel(self) -> None:
        """Prevent it."""
        if self in self._timers:
            self._timers.remove(self)

    def fire(self) -> None:
        """Let it happen."""
        self.cancel()
        self._step()


class Bench:
    """A router, and what it has from outside."""

    def __init__(
        self,
        limits: Limits | None = None,
        procedures: Procedures = NO_PROCEDURES,
        *,
        text: str = REALMS,
        new_id: Callable[[], int] | None = None,
    ) -> None:
        """Start without sessions."""
        self.timers: list[Timer] = []
        self.failures: list[BaseException] = []
        self._last_id = 0
        parts = Parts(
            limits or Limits(subscriptions=100, registrations=100, calls=10, total=1000),
            lambda seconds, step: Timer(self.timers, seconds, step),
            lambda: 0.99,
            new_id or self._next_id,
            lambda _, error: self.failures.append(error),
            7,
        )
        self.router = Router(realms_of(text, ENV), procedures, parts)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def connect(self, user: str | None = None) -> "Peer":
        """Return a client without a session."""
        return Peer(self.router, user)

    def peer(self, roles: object = ROLES) -> "Peer":
        """Return a session in the realm `open`."""
        return self.connect().join(roles=roles)


class Peer:
    """A client without a connection."""

    def __init__(self, router: Router, user: str | None = None) -> None:
        """Connect, as a user that the handshake names if there is one."""
        # #if auth
        self.identity = Identity(user) if user is not None else None
        # #else
        #~ assert user is None
        # #endif
        self._received: list[Wire] = []
        # Close codes that the router sent.
        self.closes: list[int] = []
        self.id = 0
        self.session = WampSession(router, self)

    def send(self, text: str, kind: str) -> None:
        """Take a message."""
        assert kind.isalpha()
        self._received.append(json.loads(text))

    def close(self, code: int, reason: str) -> None:
        """Note why it is closed."""
        assert len(reason.encode()) <= 123
        self.closes.append(code)

    # #if metrics
    def received(self, kind: str) -> None:
        """Count nothing."""
        assert kind.isalpha()

    # #endif
    # #if auth
    async def authenticate(self, token: str) -> Identity | None:
        """Know one token."""
        return Identity("kim") if token == "token of kim" else None  # noqa: S105

    def admit(self) -> None:
        """Need no token."""

    # #endif
    def say(self, *message: object) -> list[Wire]:
        """Say something; return what the router has answered so far."""
        return self.raw(json.dumps(message))

    def raw(self, text: str) -> list[Wire]:
        """Say something as it is."""
        step = self.session.receive(text)
        if step is not None:
            asyncio.run(step)
        return self.got()

    def got(self) -> list[Wire]:
        """Return what has come since the last question."""
        found, self._received = self._received, []
        return found

    def join(self, realm: str = "open", roles: object = ROLES) -> "Peer":
        """Start a session."""
        ((code, self.id, _),) = self.say(1, realm, {"roles": roles})
        assert code == 2
        return self


def codes_of(messages: list[Wire]) -> list[int]:
    return [message[0] for message in messages]


def error_in(messages: list[Wire]) -> str:
    """Return the URI of the ERROR that is the only answer."""
    assert codes_of(messages) == [8], messages
    return str(messages[0][4])


def nested(levels: int, opening: str, inside: str, closing: str) -> Any:  # noqa: ANN401
    return json.loads(opening * levels + inside + closing * levels)


def test_sessions_begin_with_hello_and_say_what_the_router_does() -> None:
    bench = Bench(new_id=lambda: 2**53)
    ((code, session, details),) = bench.connect().say(*HELLO)
    assert (code, session) == (2, 2**53)
    assert (details["realm"], details["authrole"]) == ("open", "guest")
    assert list(details["roles"]["broker"]["features"]) == [
        "pattern_based_subscription",
        "publisher_exclusion",
        "publisher_identification",
        "session_meta_api",
        "subscriber_blackwhite_listing",
    ]
    assert list(details["roles"]["dealer"]["features"]) == [
        "call_canceling",
        "call_timeout",
        "caller_identification",
        "pattern_based_registration",
        "progressive_call_results",
        "session_meta_api",
        "shared_registration",
    ]


VIOLATIONS: dict[str, tuple[Wire, object]] = {
    "no JSON": ([], "not json"),
    "no array": ([], {}),
    "null": ([], None),
    "an empty array": ([], []),
    "a code that is no number": ([], ["1", "open", {"roles": ROLES}]),
    "a code that is true": ([], [True, "open", {"roles": ROLES}]),
    "a code that is a list": (HELLO, [[32], 1]),
    "an unknown code": (HELLO, [99, 1]),
    "something before HELLO": ([], [32, 1, {}, "com.x"]),
    "GOODBYE before HELLO": ([], [6, {}, "com.x"]),
    "AUTHENTICATE without CHALLENGE": ([], [5, "x", {}]),
    "HELLO without roles": ([], [1, "open", {}]),
    "HELLO with empty roles": ([], [1, "open", {"roles": {}}]),
    "HELLO without details": ([], [1, "open"]),
    "methods that are none": ([], [1, "open", {"roles": ROLES, "authmethods": "ticket"}]),
    "a number as authid": ([], [1, "open", {"roles": ROLES, "authid": 1}]),
    "two HELLOs": (HELLO, HELLO),
    "what only routers send": (HELLO, [2, 1, {}]),
    "AUTHENTICATE in a session": (HELLO, [5, "x", {}]),
    "too few elements": (HELLO, [32, 1, {}]),
    "too many elements": (HELLO, [48, 2, {}, "com.x", [], {}, {}]),
    "id 0": (HELLO, [32, 0, {}, "com.x"]),
    "a negative id": (HELLO, [32, -1, {}, "com.x"]),
    "a fraction as id": (HELLO, [32, 1.5, {}, "com.x"]),
    "true as id": (HELLO, [32, True, {}, "com.x"]),
    "an id above 2^53": (HELLO, [32, 2**53 + 2, {}, "com.x"]),
    "an id of thousands of digits": (HELLO, f'[32,{"9" * 5000},{{}},"com.x"]'),
    "a number that no double holds": (HELLO, '[16,1,{},"com.x",[1e400]]'),
    "a number that JSON does not have": (HELLO, '[16,1,{},"com.x",[NaN]]'),
    "an id that is text": (HELLO, [32, "1", {}, "com.x"]),
    "options that are a list": (HELLO, [32, 1, [], "com.x"]),
    "options that are null": (HELLO, [32, 1, None, "com.x"]),
    "a URI that is a number": (HELLO, [32, 1, {}, 7]),
    "arguments that are a dictionary": (HELLO, [48, 2, {}, "com.x", {}]),
    "keywords that are a list": (HELLO, [48, 2, {}, "com.x", [], []]),
    "too many levels": (HELLO, [48, 2, {}, "com.x", nested(70, "[", "", "]")]),
    "far too many levels": (HELLO, "[" * 50_000),
    "deep keywords": (HELLO, [48, 2, {}, "com.x", [], nested(70, '{"a":', "1", "}")]),
    "an ERROR of what is no invocation": (HELLO, [8, 48, 1, {}, "com.x"]),
    "a call whose request is under way": (HELLO, [48, 1, {}, "com.slow"]),
    "a mode that is none": (HELLO, [49, 1, {"mode": "now"}]),
}


@pytest.mark.parametrize("why", VIOLATIONS)
def test_sessions_are_aborted_over_violations(why: str) -> None:
    before, message = VIOLATIONS[why]
    bench = Bench()
    bench.peer().say(64, 1, {}, "com.slow")
    peer = bench.connect()
    if before:
        peer.say(*before)
        peer.say(48, 1, {}, "com.slow")
    assert peer.closes == []
    (abort,) = peer.raw(message if isinstance(message, str) else json.dumps(message))
    assert (abort[0], abort[2]) == (3, "wamp.error.protocol_violation")
    assert peer.closes == [1002]
    # It is over.
    assert peer.say(*HELLO) == []
    assert len(bench.router.realms["open"].members) == 1


def test_sessions_are_aborted_without_a_realm_and_in_time() -> None:
    bench = Bench()
    for name in ("nowhere", ""):
        peer = bench.connect()
        (abort,) = peer.say(1, name, {"roles": ROLES})
        assert (abort[0], abort[2]) == (3, "wamp.error.no_such_realm")
        assert peer.closes == [1000]
    silent = bench.connect()
    (timer,) = bench.timers
    assert timer.seconds == 7
    timer.fire()
    assert (codes_of(silent.got()), silent.closes) == ([3], [1008])
    bench.peer()
    assert bench.timers == []


def test_sessions_end_with_goodbye_and_another_may_follow() -> None:
    bench = Bench()
    peer = bench.peer()
    peer.say(32, 1, {}, "com.x")
    assert peer.say(6, {}, "wamp.close.close_realm") == [[6, {}, "wamp.close.goodbye_and_out"]]
    assert (len(bench.router.realms["open"].members), peer.closes) == (0, [])
    assert len(bench.timers) == 1
    peer.join()
    assert error_in(peer.say(34, 1, 1)) == "wamp.error.no_such_subscription"
    # The client's own ABORT ends it at once.
    assert (peer.say(3, {}, "com.bye"), peer.closes) == ([], [1000])
    assert len(bench.router.realms["open"].members) == 0


def test_sessions_are_told_when_the_server_stops() -> None:
    bench = Bench()
    peer, silent = bench.peer(), bench.connect()
    peer.session.drain()
    assert peer.got() == [[6, {}, "wamp.close.system_shutdown"]]
    assert peer.say(6, {}, "wamp.close.goodbye_and_out") == []
    assert len(bench.router.realms["open"].members) == 0
    silent.session.drain()
    assert silent.got() == []


def test_sessions_know_nothing_of_other_realms() -> None:
    bench = Bench()
    ada, eve = bench.peer(), bench.connect().join("other")
    ada.say(32, 1, {}, "com.x")
    ada.say(64, 2, {}, "com.p")
    assert error_in(eve.say(48, 1, {}, "com.p")) == "wamp.error.no_such_procedure"
    eve.say(16, 2, {}, "com.x")
    assert ada.got() == []


def enter(details: dict[str, Any], sign: Callable[[str], str] | None = None) -> tuple[Peer, Wire]:
    """Join the realm `strict` as far as it goes."""
    peer = Bench().connect()
    (answer,) = peer.say(1, "strict", {"roles": ROLES, **details})
    if sign is not None:
        assert answer[0] == 4
        (answer,) = peer.say(5, sign(answer[2].get("challenge", "")), {})
    return peer, answer


def signed(key: str) -> Callable[[str], str]:
    """Answer a challenge of WAMP-CRA."""
    return lambda text: base64.b64encode(
        hmac.digest(key.encode(), text.encode(), "sha256")
    ).decode()


def test_authentication_takes_tickets() -> None:
    details = {"authmethods": ["ticket"], "authid": "ada"}
    _, (code, _, welcome) = enter(details, lambda _: "ticket of ada")
    assert code == 2
    who = [welcome[key] for key in ("authid", "authrole", "authmethod")]
    assert who == ["ada", "admin", "ticket"]


def test_authentication_takes_signatures_also_with_a_salt() -> None:
    bob = {"authmethods": ["wampcra"], "authid": "bob"}
    assert enter(bob, signed("secret of bob"))[1][0] == 2
    eve = {**bob, "authid": "eve"}
    assert enter(eve, signed(KEY))[1][0] == 2
    challenge = enter(eve)[1][2]
    derived = [challenge[key] for key in ("salt", "iterations", "keylen")]
    assert derived == ["salty", 1000, 32]
    # A challenge is for one session.
    assert enter(bob)[1][2] != enter(bob)[1][2]


@pytest.mark.parametrize(
    ("method", "authid", "answer"),
    [
        ("ticket", "ada", lambda _: "ticket of bob"),
        ("ticket", "ada", lambda _: ""),
        ("ticket", "ada", lambda _: "\ud800"),
        ("ticket", "nobody", lambda _: "ticket of ada"),
        ("ticket", None, lambda _: "ticket of ada"),
        # Bob has a secret and no ticket.
        ("ticket", "bob", lambda _: "secret of bob"),
        ("wampcra", "ada", signed("ticket of ada")),
        ("wampcra", "bob", signed("secret of eve")),
        ("wampcra", "eve", signed("secret of eve")),
        ("wampcra", "nobody", signed("")),
    ],
)
def test_authentication_denies_everything_else(
    method: str, authid: str | None, answer: Callable[[str], str]
) -> None:
    peer, (code, _, reason) = enter({"authmethods": [method], "authid": authid}, answer)
    assert (code, reason) == (3, "wamp.error.authentication_denied")
    assert peer.closes == [1008]


def test_authentication_does_not_tell_who_exists() -> None:
    def ask(authid: str) -> tuple[object, ...]:
        _, (_, _, extra) = enter({"authmethods": ["wampcra"], "authid": authid})
        role = json.loads(extra["challenge"])["authrole"]
        return role, extra.get("salt"), extra.get("iterations"), extra.get("keylen")

    # Like bob or like eve, always in the same way; so is ada, who cannot sign.
    seen = set()
    for authid in ("ada", *(f"nobody{n}" for n in range(60))):
        role, salt, *derived = ask(authid)
        assert ask(authid) == (role, salt, *derived)
        seen.add((role, None if salt is None else len(str(salt)), *derived))
    assert seen == {("guest", None, None, None), ("guest", 5, 1000, 32)}


def test_authentication_is_what_a_realm_without_anonymous_sessions_asks_for() -> None:
    reasons = [
        enter(details)[1][2]
        for details in ({}, {"authmethods": ["anonymous"]}, {"authmethods": ["scram", "anonymous"]})
    ]
    required = "wamp.error.authentication_required"
    assert reasons == [required, required, "wamp.error.no_matching_auth_method"]
    # The first method that the realm has.
    some = {"authmethods": ["anonymous", [], "wampcra", "ticket"], "authid": "ada"}
    assert enter(some)[1][:2] == [4, "wampcra"]
    peer, _ = enter({"authmethods": ["ticket"], "authid": "ada"})
    (abort,) = peer.say(32, 1, {}, "com.x")
    assert abort[2] == "wamp.error.protocol_violation"
# #if auth


def test_authentication_takes_tokens_where_a_realm_says_so() -> None:
    bench = Bench(text="one: { tokens: guest, roles: { guest: [] } }\nopen: { roles: {} }")

    def show(token: str, **details: object) -> Wire:
        peer = bench.connect()
        peer.say(1, "one", {"roles": ROLES, "authmethods": ["ticket"], **details})
        return peer.say(5, token, {})[0]

    code, _, welcome = show("token of kim")
    assert (code, welcome["authid"]) == (2, "kim")
    assert show("token of kim", authid="kim")[0] == 2
    for denied in (show("token of kim", authid="ada"), show("no token")):
        assert (denied[0], denied[2]) == (3, "wamp.error.authentication_denied")
    # Who was known from the handshake needs none.
    ((code, _, welcome),) = bench.connect("kim").say(1, "one", {"roles": ROLES})
    assert (code, welcome["authid"]) == (2, "kim")
    (abort,) = bench.connect("kim").say(1, "one", {"roles": ROLES, "authid": "ada"})
    assert abort[2] == "wamp.error.authentication_required"
# #endif


def test_roles_allow_what_a_rule_covers() -> None:
    details = {"authmethods": ["wampcra"], "authid": "bob"}
    peer, _ = enter(details, signed("secret of bob"))
    allowed: list[tuple[Any, ...]] = [
        (32, 1, {}, "com.read"),
        (32, 1, {"match": "prefix"}, "com.a."),
        (32, 1, {"match": "prefix"}, "com.a.b"),
        (32, 1, {"match": "wildcard"}, "com.a..b"),
        (32, 1, {"match": "wildcard"}, "com..w"),
        (32, 1, {}, "com.x.w"),
        (64, 1, {"match": "wildcard"}, "com..w"),
        (16, 1, {"acknowledge": True}, "com.a.b"),
    ]
    for wish in allowed:
        assert codes_of(peer.say(*wish)) == [wish[0] + 1], wish
    refused: list[tuple[Any, ...]] = [
        (32, 1, {}, "com.other"),
        (32, 1, {"match": "prefix"}, "com.read"),
        (32, 1, {"match": "prefix"}, "com."),
        (32, 1, {"match": "prefix"}, "com.a"),
        (32, 1, {"match": "wildcard"}, ".a.b"),
        (32, 1, {"match": "wildcard"}, "com..b"),
        (32, 1, {"match": "wildcard"}, "com.."),
        (64, 1, {}, "com.a.b"),
        (64, 1, {"match": "prefix"}, "com."),
        (16, 1, {"acknowledge": True}, "com.read"),
        # A rule for all is none for the router's own.
        (48, 1, {}, "wamp.session.count"),
        (32, 1, {}, "wamp.session.on_join"),
    ]
    for wish in refused:
        assert error_in(peer.say(*wish)) == "wamp.error.not_authorized", wish
    disclosing = peer.say(48, 2, {"disclose_me": True}, "com.a.b")
    assert error_in(disclosing) == "wamp.error.option_disallowed.disclose_me"


def test_events_go_to_the_others_and_one_topic_has_one_id() -> None:
    bench = Bench()
    ada, bob = bench.peer(), bench.peer()
    ((code, request, topic),) = ada.say(32, 7, {}, "com.x")
    assert (code, request) == (33, 7)
    assert bob.say(32, 1, {}, "com.x") == [[33, 1, topic]]
    assert bob.say(32, 2, {}, "com.x") == [[33, 2, topic]]
    assert bob.say(16, 3, {}, "com.x", [1, "zwei €"], {"three": "\ud800"}) == []
    (event,) = ada.got()
    assert event[:2] == [36, topic]
    assert event[3:] == [{}, [1, "zwei €"], {"three": "\ud800"}]
    ((published, _, publication),) = bob.say(16, 4, {"acknowledge": True}, "com.x")
    assert published == 17
    assert ada.got() == [[36, topic, publication, {}]]
    (own,) = bob.say(16, 5, {"exclude_me": False}, "com.x")
    assert own[:2] == [36, topic]
    assert ada.say(34, 8, topic) == [[36, topic, own[2], {}], [35, 8]]
    assert error_in(ada.say(34, 9, topic)) == "wamp.error.no_such_subscription"
    bob.say(16, 6, {}, "com.x")
    assert ada.got() == []


def test_events_of_patterns_name_the_topic() -> None:
    bench = Bench()
    ada, bob = bench.peer(), bench.peer()
    for match, uri in (
        ("exact", "com.a.b"),
        ("prefix", "com.a"),
        ("wildcard", "com..b"),
        ("wildcard", "com..c"),
    ):
        ada.say(32, 1, {"match": match}, uri)
    bob.say(16, 1, {}, "com.a.b")
    assert [event[3] for event in ada.got()] == [{}, {"topic": "com.a.b"}, {"topic": "com.a.b"}]
    bob.say(16, 2, {}, "com.ab")
    assert [event[3] for event in ada.got()] == [{"topic": "com.ab"}]


def test_events_keep_to_black_and_whitelists() -> None:
    bench = Bench()
    ada, bob, eve = bench.peer(), bench.peer(), bench.peer()
    for one in (ada, bob, eve):
        one.say(32, 1, {}, "com.x")

    def reach(**options: object) -> str:
        own = eve.say(16, 1, {"exclude_me": False, **options}, "com.x")
        return "".join(str(len(got)) for got in (ada.got(), bob.got(), own))

    assert reach(exclude=[ada.id]) == "011"
    assert reach(eligible=[ada.id, bob.id]) == "110"
    assert reach(eligible=[ada.id, bob.id], exclude=[bob.id]) == "100"
    assert reach(eligible=[]) == "000"
    assert reach(exclude_authrole=["guest"]) == "000"
    assert reach(eligible_authrole=["guest", "x"]) == "111"
    assert reach(eligible_authid=["nobody"]) == "000"
    assert reach(exclude_authid=["nobody"]) == "111"
    # A list that is none hides nothing from nobody.
    for wrong in ({"exclude": ada.id}, {"eligible": ["1"]}, {"exclude_authid": [1]}):
        assert reach(**wrong) == "000"
        got = eve.say(16, 1, {**wrong, "acknowledge": True}, "com.x")
        assert error_in(got) == "wamp.error.invalid_argument"


def test_events_disclose_who_publishes_if_that_is_wished() -> None:
    bench = Bench()
    ada, bob = bench.peer(), bench.peer()
    ada.say(32, 1, {}, "com.x")
    bob.say(16, 1, {"disclose_me": True}, "com.x")
    ((_, _, _, details),) = ada.got()
    assert (details["publisher"], details["publisher_authrole"]) == (bob.id, "guest")


def test_uris_that_are_none_or_are_reserved_are_refused() -> None:
    ada = Bench().peer()
    for uri in ("", "a..b", ".a", "a.", "a b", "a#", "x" * 256, "é" * 128):
        for request in (
            [32, 1, {}, uri],
            [64, 2, {}, uri],
            [48, 3, {}, uri],
            [16, 4, {"acknowledge": True}, uri],
        ):
            assert error_in(ada.say(*request)) == "wamp.error.invalid_uri", uri
        assert ada.say(16, 5, {}, uri) == []
    refused: list[Wire] = [
        [64, 2, {}, "wamp.session.mine"],
        [64, 2, {"match": "prefix"}, "wamp."],
        [16, 4, {"acknowledge": True}, "wamp.session.on_join"],
        [32, 1, {"match": "wildcard"}, "com" + "." * 16],
        [64, 2, {"match": "wildcard"}, "com" + "." * 16],
    ]
    for request in refused:
        assert error_in(ada.say(*request)) == "wamp.error.invalid_uri"
    assert codes_of(ada.say(32, 3, {"match": "wildcard"}, "com" + "." * 15)) == [33]
    for options in ({"match": "regex"}, {"match": 1}, {"match": [1]}):
        assert error_in(ada.say(32, 1, options, "com.x")) == "wamp.error.invalid_argument"


def test_the_broker_has_limits() -> None:
    bench = Bench(Limits(subscriptions=2, registrations=1, calls=1, total=4))
    ada, bob = bench.peer(), bench.peer()
    ada.say(32, 1, {}, "com.a")
    ((_, _, second),) = ada.say(32, 2, {}, "com.b")
    assert error_in(ada.say(32, 3, {}, "com.c")) == "error.too_many_subscriptions"
    assert codes_of(ada.say(32, 4, {}, "com.a")) == [33]
    ada.say(34, 5, second)
    assert codes_of(ada.say(32, 6, {}, "com.c")) == [33]
    ada.say(64, 7, {}, "com.p")
    assert error_in(ada.say(64, 8, {}, "com.q")) == "error.too_many_registrations"
    bob.say(32, 1, {}, "com.a")
    assert error_in(bob.say(32, 2, {}, "com.d")) == "error.too_many_subscriptions"
    ada.session.close()
    assert codes_of(bob.say(32, 3, {}, "com.d")) == [33]
    # Space that was given back is there again.
    eve = Bench(Limits(subscriptions=9, registrations=9, calls=9, total=1)).peer()
    for add, remove in ((32, 34), (64, 66), (32, 34)):
        ((code, _, made),) = eve.say(add, 1, {}, "com.x")
        assert code == add + 1
        eve.say(remove, 2, made)


def test_calls_and_their_answers_are_routed() -> None:
    bench = Bench()
    callee, caller = bench.peer(), bench.peer()
    ((code, _, made),) = callee.say(64, 1, {}, "com.p")
    assert code == 65
    assert caller.say(48, 5, {}, "com.p", [1], {"k": 2}) == []
    assert callee.got() == [[68, 1, made, {}, [1], {"k": 2}]]
    caller.say(48, 9, {}, "com.p")
    caller.say(48, 7, {}, "com.p")
    assert callee.got() == [[68, 2, made, {}], [68, 3, made, {}]]
    callee.say(70, 3, {}, ["seven"])
    callee.say(70, 1, {}, ["five"], {"k": 3})
    callee.say(8, 68, 2, {"more": 1}, "com.error", ["why"], {"k": 4})
    assert caller.got() == [
        [50, 7, {}, ["seven"]],
        [50, 5, {}, ["five"], {"k": 3}],
        [8, 48, 9, {"more": 1}, "com.error", ["why"], {"k": 4}],
    ]
    # What has been answered, and what never was.
    unknown: list[Wire] = [[70, 1, {}], [70, 99, {}], [8, 68, 99, {}, "com.error"]]
    for late in unknown:
        assert (callee.say(*late), caller.got(), callee.closes) == ([], [], [])
    assert callee.say(66, 2, made) == [[67, 2]]
    assert error_in(callee.say(66, 3, made)) == "wamp.error.no_such_registration"
    assert error_in(caller.say(48, 10, {}, "com.p")) == "wamp.error.no_such_procedure"
    assert error_in(caller.say(66, 3, 1)) == "wamp.error.no_such_registration"


def test_calls_of_a_callee_that_has_gone_are_answered() -> None:
    bench = Bench()
    callee, caller = bench.peer(), bench.peer()
    callee.say(64, 1, {}, "com.p")
    caller.say(48, 1, {}, "com.p")
    callee.session.close()
    assert caller.got() == [[8, 48, 1, {}, "wamp.error.canceled", ["the callee has gone"]]]
    assert error_in(caller.say(48, 2, {}, "com.p")) == "wamp.error.no_such_procedure"
    caller.say(64, 3, {}, "com.own")
    caller.say(48, 4, {}, "com.own")
    caller.got()
    caller.session.close()
    assert caller.got() == []


def test_callees_of_a_caller_that_has_gone_are_interrupted() -> None:
    bench = Bench()
    modern, old, caller = bench.peer(MODERN), bench.peer(), bench.peer()
    modern.say(64, 1, {}, "com.modern")
    old.say(64, 1, {}, "com.old")
    caller.say(48, 1, {}, "com.modern")
    caller.say(48, 2, {}, "com.old")
    assert (codes_of(modern.got()), codes_of(old.got())) == ([68], [68])
    caller.session.close()
    reason = {"mode": "killnowait", "reason": "wamp.error.canceled"}
    assert (modern.got(), old.got()) == ([[69, 1, reason]], [])
    assert modern.say(70, 1, {}) == []


def test_procedures_have_one_callee_unless_they_share() -> None:
    bench = Bench()
    peers = {name: bench.peer() for name in "abc"}
    a, b, c = peers.values()
    caller = bench.peer()
    a.say(64, 1, {}, "com.single")
    for invoke in ("single", "roundrobin"):
        got = b.say(64, 1, {"invoke": invoke}, "com.single")
        assert error_in(got) == "wamp.error.procedure_already_exists"
    assert error_in(a.say(64, 1, {"invoke": "x"}, "com.y")) == "wamp.error.invalid_argument"

    def turns(uri: str, count: int = 4) -> str:
        order = ""
        for request in range(1, count + 1):
            caller.say(48, request, {}, uri)
            for name, one in peers.items():
                for _, invocation, *_ in one.got():
                    order += name
                    one.say(70, invocation, {})
        return order

    orders = {"roundrobin": "abca", "first": "aaaa", "last": "cccc", "random": "cccc"}
    for invoke, order in orders.items():
        for one in (a, b, c):
            assert codes_of(one.say(64, 1, {"invoke": invoke}, f"com.{invoke}")) == [65]
        assert turns(f"com.{invoke}") == order, invoke
    different = "wamp.error.procedure_exists_with_different_invocation_policy"
    assert error_in(b.say(64, 2, {"invoke": "first"}, "com.last")) == different
    again = a.say(64, 3, {"invoke": "last"}, "com.last")
    assert error_in(again) == "wamp.error.procedure_already_exists"
    c.session.close()
    assert turns("com.last", 2) == "bb"


def test_calls_take_the_best_pattern_in_the_order_of_the_specification() -> None:
    bench = Bench()
    callee, caller = bench.peer(), bench.peer()
    patterns = [
        ("exact", "a1.b2.c3.d4.e55"),
        ("prefix", "a1.b2.c3"),
        ("prefix", "a1.b2.c3.d4"),
        ("wildcard", "a1.b2..d4.e5"),
        ("wildcard", "a1.b2.x33..e5"),
        ("wildcard", "a1.b2..d4.e5..g7"),
        ("wildcard", "a1.b2..d4..f6.g7"),
    ]
    ids = {}
    for match, uri in reversed(patterns):
        ((_, _, ids[uri]),) = callee.say(64, 1, {"match": match}, uri)
    routes = [
        ("a1.b2.c3.d4.e55", 0),
        ("a1.b2.c3.d98.e74", 1),
        ("a1.b2.c3.d4.e325", 2),
        ("a1.b2.c55.d4.e5", 3),
        ("a1.b2.x33.d4.e5", 4),
        ("a1.b2.c88.d4.e5.f6.g7", 5),
    ]
    for request, (uri, index) in enumerate(routes, 1):
        caller.say(48, request, {}, uri)
        ((_, _, registration, details),) = callee.got()
        assert registration == ids[patterns[index][1]], uri
        assert details == ({} if index == 0 else {"procedure": uri})
    none = caller.say(48, 99, {}, "a2.b2.c2.d2.e2")
    assert error_in(none) == "wamp.error.no_such_procedure"


def test_calls_are_canceled() -> None:
    bench = Bench()
    modern, old, caller = bench.peer(MODERN), bench.peer(), bench.peer()
    modern.say(64, 1, {}, "com.modern")
    old.say(64, 1, {}, "com.old")

    def cancel(uri: str, **options: object) -> tuple[list[Wire], list[Wire]]:
        callee = old if uri == "com.old" else modern
        caller.say(48, 1, {}, uri)
        ((_, invocation, *_),) = callee.got()
        answers = caller.say(49, 1, options)
        interrupts = [[message[0], message[2]] for message in callee.got()]
        callee.say(70, invocation, {}, ["late"])
        return answers + caller.got(), interrupts

    def interrupt(mode: str) -> Wire:
        return [69, {"mode": mode, "reason": "wamp.error.canceled"}]

    canceled = [8, 48, 1, {}, "wamp.error.canceled", ["canceled by the caller"]]
    assert cancel("com.modern", mode="skip") == ([canceled], [])
    assert cancel("com.modern") == ([canceled], [interrupt("killnowait")])
    assert cancel("com.modern", mode="kill") == ([[50, 1, {}, ["late"]]], [interrupt("kill")])
    for mode in ("skip", "kill", "killnowait"):
        assert cancel("com.old", mode=mode) == ([canceled], [])
    # Asked twice, interrupted once.
    caller.say(48, 1, {}, "com.modern")
    caller.say(49, 1, {"mode": "kill"})
    caller.say(49, 1, {"mode": "kill"})
    (_, invocation, *_), *interrupts = modern.got()
    assert len(interrupts) == 1
    modern.say(8, 68, invocation, {}, "com.stopped")
    assert caller.got() == [[8, 48, 1, {}, "com.stopped"]]
    # Too late, or never made.
    assert (caller.say(49, 1, {}), caller.say(49, 99, {}), caller.closes) == ([], [], [])


def test_progressive_results_go_to_who_asked_for_them() -> None:
    bench = Bench()
    callee, caller = bench.peer(), bench.peer()
    callee.say(64, 1, {}, "com.p")

    def run(request: int, **options: object) -> tuple[object, list[Wire]]:
        caller.say(48, request, options, "com.p")
        ((_, invocation, _, details),) = callee.got()
        for part in (1, 2):
            callee.say(70, invocation, {"progress": True}, [part])
        callee.say(70, invocation, {}, ["end"])
        callee.say(70, invocation, {"progress": True}, ["after the end"])
        return details, caller.got()

    assert run(1, receive_progress=True) == (
        {"receive_progress": True},
        [
            [50, 1, {"progress": True}, [1]],
            [50, 1, {"progress": True}, [2]],
            [50, 1, {}, ["end"]],
        ],
    )
    assert run(2) == ({}, [[50, 2, {}, ["end"]]])


def test_calls_end_that_take_too_long() -> None:
    bench = Bench()
    callee, caller = bench.peer(MODERN), bench.peer()
    callee.say(64, 1, {}, "com.p")
    caller.say(48, 1, {"timeout": 50, "receive_progress": True}, "com.p")
    callee.got()
    (first,) = bench.timers
    assert first.seconds == 0.05
    callee.say(70, 1, {"progress": True})
    (second,) = bench.timers
    assert first is not second
    assert codes_of(caller.got()) == [50]
    second.fire()
    assert caller.got() == [[8, 48, 1, {}, "wamp.error.timeout", ["no result in time"]]]
    assert callee.got() == [[69, 1, {"mode": "killnowait", "reason": "wamp.error.timeout"}]]
    assert callee.say(70, 1, {}) == []
    # A call that ends in time leaves no timer.
    caller.say(48, 2, {"timeout": 50}, "com.p")
    callee.say(70, 2, {})
    assert bench.timers == []
    caller.got()
    for timeout in (-1, "5", 2**40, True):
        got = caller.say(48, 3, {"timeout": timeout}, "com.p")
        assert error_in(got) == "wamp.error.invalid_argument"


def test_calls_disclose_who_calls_if_that_is_wished() -> None:
    bench = Bench()
    callee, caller = bench.peer(), bench.peer()
    callee.say(64, 1, {}, "com.p")
    caller.say(48, 1, {"disclose_me": True}, "com.p")
    ((_, _, _, details),) = callee.got()
    assert (details["caller"], details["caller_authrole"]) == (caller.id, "guest")
    wrong = caller.say(48, 2, {"disclose_me": "yes"}, "com.p")
    assert error_in(wrong) == "wamp.error.invalid_argument"


def test_the_dealer_has_limits() -> None:
    bench = Bench(Limits(subscriptions=1, registrations=1, calls=2, total=9))
    callee, caller = bench.peer(), bench.peer()
    callee.say(64, 1, {}, "com.p")
    caller.say(48, 1, {}, "com.p")
    caller.say(48, 2, {}, "com.p")
    assert error_in(caller.say(48, 3, {}, "com.p")) == "error.too_many_calls"
    callee.say(70, 1, {})
    assert codes_of(caller.got()) == [50]
    assert caller.say(48, 4, {}, "com.p") == []


class Server:
    """A session that calls procedures of the server."""

    def __init__(self, procedures: Procedures) -> None:
        """Join."""
        self.bench = Bench(procedures=procedures)
        self.peer = self.bench.peer()

    async def call(self, uri: str, *payload: object, **options: object) -> list[Wire]:
        """Return all that comes, once procedures have run as far as they do."""
        return await self.say(48, 1, options, f"com.{uri}", *payload)

    async def say(self, *message: object) -> list[Wire]:
        """Say something."""
        got = self.peer.say(*message)
        for _ in range(4):
            await asyncio.sleep(0)
        return got + self.peer.got()


def test_procedures_of_the_server_are_called_as_those_of_clients() -> None:
    own = Procedures("open")

    @own.register("com.echo")
    def echo(_: Call, value: object) -> object:
        return value

    @own.register("com.none")
    def none(_: Call, **_more: object) -> None:
        pass

    @own.register("com.many")
    def many(_: Call) -> Result:
        return Result(1, 2, k=3)

    @own.register("com.who")
    def who(call: Call, k: str) -> list[object]:
        return [call.caller.session, call.caller.authrole, k]

    @own.register("com.of", match="prefix")
    async def of(call: Call) -> str:
        return call.procedure

    @own.register("com.parts")
    async def parts(call: Call) -> str:
        call.progress("half")
        call.publish("com.news", 1, 2)
        await asyncio.sleep(0)
        return "whole"

    async def run() -> None:
        server = Server(own)
        ada = server.peer
        assert await server.call("echo", [{"a": [1]}]) == [[50, 1, {}, [{"a": [1]}]]]
        assert await server.call("none", [], {"k": 1}) == [[50, 1, {}]]
        # No keyword argument takes the place of the call.
        taken = await server.call("none", [], {"_": 1})
        assert error_in(taken) == "wamp.error.invalid_argument"
        assert await server.call("many") == [[50, 1, {}, [1, 2], {"k": 3}]]
        wrong: list[list[object]] = [[], [[1, 2]], [[], {"call": 1}], [[1], {"value": 1}]]
        for payload in wrong:
            assert error_in(await server.call("echo", *payload)) == "wamp.error.invalid_argument"
        assert await server.call("who", [], {"k": "v"}) == [[50, 1, {}, [[ada.id, "guest", "v"]]]]
        assert await server.call("of.it") == [[50, 1, {}, ["com.of.it"]]]
        ada.say(32, 9, {}, "com.news")
        part, event, whole = await server.call("parts", receive_progress=True)
        assert part == [50, 1, {"progress": True}, ["half"]]
        assert (event[0], event[4]) == (36, [1, 2])
        assert whole == [50, 1, {}, ["whole"]]
        again = ada.say(64, 1, {}, "com.echo")
        assert error_in(again) == "wamp.error.procedure_already_exists"

    asyncio.run(run())


def test_procedures_of_the_server_may_fail() -> None:
    own = Procedures("open")

    @own.register("com.own")
    def fail(_: Call) -> None:
        raise WampError("com.error", "why", k=4)

    @own.register("com.bug")
    async def bug(_: Call) -> None:
        raise KeyError("a secret path")

    @own.register("com.bad")
    def bad(_: Call) -> object:
        return float("nan")

    @own.register("com.late")
    async def late(_: Call) -> object:
        await asyncio.sleep(0)
        return object()

    async def run() -> None:
        server = Server(own)
        assert await server.call("own") == [[8, 48, 1, {}, "com.error", ["why"], {"k": 4}]]
        internal = [8, 48, 1, {}, "wamp.error.runtime_error", ["internal error"]]
        for uri in ("bug", "bad", "late"):
            assert await server.call(uri) == [internal]
        kinds = [type(error) for error in server.bench.failures]
        assert kinds == [KeyError, ValueError, TypeError]

    asyncio.run(run())


def test_procedures_of_the_server_are_canceled() -> None:
    own = Procedures("open")
    canceled = 0

    @own.register("com.long")
    async def long(_: Call) -> None:
        nonlocal canceled
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            canceled += 1
            raise

    async def run() -> None:
        server = Server(own)
        for mode in ("killnowait", "kill"):
            assert await server.call("long") == []
            got = await server.say(49, 1, {"mode": mode})
            assert error_in(got) == "wamp.error.canceled"
        # It has not begun.
        assert server.peer.say(48, 1, {}, "com.long") == []
        assert error_in(await server.say(49, 1, {"mode": "kill"})) == "wamp.error.canceled"
        await server.call("long")
        server.peer.session.close()
        await asyncio.sleep(0)
        assert (canceled, server.bench.failures) == (3, [])

    asyncio.run(run())


def test_arguments_are_what_a_signature_says() -> None:
    def run(
        _: Call,
        number: float,
        count: int,
        words: list[str] | None = None,
        more: dict[str, bool] | None = None,
        *rest: int,
        **named: str,
    ) -> None:
        raise NotImplementedError

    made = Procedure("open", "com.x", "exact", run)
    call = Call("com.x", Caller(1, "ada", "guest"), print, print)
    bound = made.bind(call, [1, 2.0, ["a"], {"b": True}, 3.0], {"c": "d"})
    assert bound.args == (call, 1, 2, ["a"], {"b": True}, 3)
    assert isinstance(bound.args[2], int)
    assert bound.kwargs == {"c": "d"}
    for args, kwargs in (
        ([], {}),
        ([1], {}),
        (["1", 1], {}),
        ([True, 1], {}),
        ([1, 1.5], {}),
        ([1, True], {}),
        ([1, 1, "a"], {}),
        ([1, 1, [1]], {}),
        ([1, 1, None, {"b": 1}], {}),
        ([1, 1, None, None, "x"], {}),
        ([1, 1], {"c": 1}),
        ([1, 1], {"count": 1}),
    ):
        with pytest.raises(WampError, match="invalid_argument"):
            made.bind(call, args, kwargs)

    def wrong(_: Call, when: Procedures) -> None:
        raise NotImplementedError

    with pytest.raises(TypeError, match="Procedures"):
        Procedure("open", "com.x", "exact", wrong)


def test_sessions_can_be_asked_for_and_ended() -> None:
    bench = Bench()
    ada, bob, eve = bench.peer(), bench.peer(), bench.peer()

    def call(name: str, *rest: object) -> Any:  # noqa: ANN401
        *_, answer = ada.say(48, 1, {}, f"wamp.session.{name}", *rest)
        return answer[3:] if answer[0] == 50 else answer[4]

    assert call("count") == [[3]]
    assert call("count", [["guest"]]) == [[3]]
    assert call("count", [["admin"]]) == [[0]]
    assert call("count", ["guest"]) == "wamp.error.invalid_argument"
    assert call("list") == [[[ada.id, bob.id, eve.id]]]
    ((about,),) = call("get", [bob.id])
    assert (about["session"], about["authmethod"]) == (bob.id, "anonymous")
    for name, session in (("get", 4711), ("get", 1.5), ("kill", 4711), ("kill", ada.id)):
        assert call(name, [session]) == "wamp.error.no_such_session"
    assert call("kill", [bob.id], {"reason": "not a uri"}) == "wamp.error.invalid_uri"
    ada.say(32, 2, {}, "wamp.session.on_leave")
    ada.say(32, 3, {}, "wamp.session.on_join")
    ada.say(32, 4, {"match": "prefix"}, "wam")
    kim = bench.peer()
    assert [event[4][0]["session"] for event in ada.got()] == [kim.id]
    words = {"reason": "com.out", "message": "go"}
    left, result = ada.say(48, 1, {}, "wamp.session.kill", [bob.id], words)
    assert (bob.got(), bob.closes) == ([[6, {"message": "go"}, "com.out"]], [1000])
    assert (left[4][0], result) == (bob.id, [50, 1, {}])
    assert bob.say(16, 1, {}, "com.x") == []
    ((about,),) = call("get", [eve.id])
    ada.say(6, {}, "wamp.close.normal")
    ada.join()
    assert call("kill_by_authid", [about["authid"]]) == [[[eve.id]]]
    assert call("kill_by_authrole", ["guest"]) == [[1]]
    assert call("kill_all") == [[0]]
    assert list(bench.router.realms["open"].members) == [ada.id]


def test_uris_stand_for_what_their_pattern_says() -> None:
    patterns: list[tuple[str, Match]] = [
        ("a.b", "exact"),
        ("a", "prefix"),
        ("a.b", "prefix"),
        ("x", "prefix"),
        ("a.", "wildcard"),
        (".b", "wildcard"),
        ("a..c", "wildcard"),
    ]
    uris = ["a", "ab", "a.b", "a.c", "b.b", "a.b.c", "a.x.c", "b.x.c"]
    tree: Patterns[str] = Patterns()
    for uri, match in patterns:
        assert is_uri(uri, match)
        tree.add(uri, match, f"{match} {uri}")
        assert tree.get(uri, match) == f"{match} {uri}"
    for uri in uris:
        expected = {f"{by} {one}" for one, by in patterns if covers(one, by, uri, "exact")}
        assert set(tree.matching(uri)) == expected
    for uri, match in patterns:
        tree.remove(uri, match)
        assert tree.get(uri, match) is None
    assert not any(list(tree.matching(uri)) for uri in uris)
    # Nothing is kept.
    assert not any(vars(tree).values())
    assert not is_uri("a.")
    assert is_uri("a.", "prefix")
    assert not is_uri(".a", "prefix")


def test_a_call_does_not_ask_each_pattern() -> None:
    tree: Patterns[int] = Patterns()
    for index in range(10_000):
        tree.add(f"a..{index}", "wildcard", index)
        tree.add(".".join(["", *"bcdefghij"[: index % 9], str(index)]), "wildcard", index)
    seen = 0

    class Counted(dict[str, Any]):
        """Counts how often it is asked."""

        def get(self, key: str, default: object = None) -> Any:  # noqa: ANN401
            nonlocal seen
            seen += 1
            return super().get(key, default)

    def count(node: Any) -> None:  # noqa: ANN401
        node.next = Counted(node.next)
        for further in node.next.values():
            count(further)

    for root in tree._trees.values():  # noqa: SLF001 -- how it is done is what this is about
        count(root)
    assert list(tree.matching("a.x.77")) == [77]
    assert seen <= 2**4


WRONG_REALMS = {
    "one: { roles: {}, anonymous: guest }": r"one\.anonymous: there is no role guest",
    'one: { roles: { a: [{ uri: "a b", allow: [call] }] } }': r"one\.roles\.a\.0\.uri: not a URI",
    "one: { roles: { a: [{ uri: a, allow: [fly] }] } }": r"one\.roles\.a\.0\.allow\.0",
    "one: { roles: { a: [{ uri: a, allow: [] }] } }": r"one\.roles\.a\.0\.allow",
    "one: { roles: { a: [{ uri: a, match: x, allow: [call] }] } }": r"roles\.a\.0\.match",
    "one: { roles: { a: [{ uri: a, allow: [call], to: b }] } }": r"one\.roles\.a\.0\.to: unknown",
    "one: { roles: {}, user: {} }": r"one\.user: unknown",
    "one: {}": r"one\.roles: expected a mapping",
    "a b: { roles: {} }": r"a b: not a URI",
    "one: { roles: { a: [] }, users: { b: { role: a } } }": r"one\.users\.b: .*ticket or secret",
    "one: { roles: { a: [] }, users: { b: { role: a, ticket: NO_T } } }": r"NO_T is not set",
    "one: { roles: { a: [] }, users: { b: { role: a, ticket: no } } }": r"users\.b\.ticket",
    "one: { roles: { a: [] }, users: { b: { role: x, ticket: TICKET } } }": r"no role x",
    "one: { roles: { a: [] }, users: { b: { role: a, secret: KEY, salt: s, keylen: 8 } } }": (
        r"users\.b\.keylen: expected 16 to 64"
    ),
    "one: { roles: {} }\none: { roles: {} }": "duplicate",
    "one: [": ".",
    "": ".",
}


@pytest.mark.parametrize("text", WRONG_REALMS)
def test_a_wrong_file_of_realms_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=WRONG_REALMS[text]):
        realms_of(text, ENV)
