"""Sessions of WAMP, one after the other over one connection; without I/O."""

import base64
import hashlib
import hmac
import json
import secrets
# #if auth
from collections.abc import Awaitable, Iterable, Mapping
# #else
#~ from collections.abc import Iterable, Mapping
# #endif
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from .conversation import Conversation, Step
# #if auth
from .hooks import Identity
# #endif
from .json_value import write_json
from .wamp_members import Member, Principal
from .wamp_messages import Code, Dict, Message, ViolationError, WampError, decode
from .wamp_realms import User
from .wamp_router import Realm, Router

if TYPE_CHECKING:
    from .wamp_dealer import Timer

# What the router does, as it is announced.
FEATURES: Mapping[str, Mapping[str, Mapping[str, bool]]] = {
    "broker": {
        "features": {
            "pattern_based_subscription": True,
            "publisher_exclusion": True,
            "publisher_identification": True,
            "session_meta_api": True,
            "subscriber_blackwhite_listing": True,
        },
    },
    "dealer": {
        "features": {
            "call_canceling": True,
            "call_timeout": True,
            "caller_identification": True,
            "pattern_based_registration": True,
            "progressive_call_results": True,
            "session_meta_api": True,
            "shared_registration": True,
        },
    },
}

# Chooses whom users that do not exist are like, and makes their salts.
_SALTS = secrets.token_bytes(16)


class Link(Protocol):
    """The connection of a session."""

    def send(self, text: str, kind: str) -> None:
        """Send a message of a kind."""

    def close(self, code: int, reason: str) -> None:
        """Close the connection."""

    # #if metrics
    def received(self, kind: str) -> None:
        """Count a message."""

    # #endif
    # #if auth
    @property
    def identity(self) -> Identity | None:
        """The user that the handshake named."""

    def authenticate(self, token: str) -> Awaitable[Identity | None]:
        """Return the user of a token; None if it is refused."""

    def admit(self) -> None:
        """Note that the client is known by other means than a token."""

    # #endif


@dataclass(frozen=True, slots=True)
class _Challenge:
    """What a client has been asked for."""

    realm: Realm
    roles: Dict
    # `ticket` or `wampcra`.
    method: str
    authid: str | None
    user: User | None
    # What it has to sign.
    text: str
    # The id of its session, which is signed with it.
    session: int


class WampSession(Conversation):
    """What is said over one connection."""

    def __init__(self, router: Router, link: Link) -> None:
        """Wait for HELLO."""
        self._router = router
        self._link = link
        self._realm: Realm | None = None
        self._member: Member | None = None
        self._challenge: _Challenge | None = None
        self._is_over = False
        self._timer: Timer | None = None
        self._expect()

    def receive(self, text: str) -> Step | None:
        """Take a message. What it returns has to end before the next."""
        if self._is_over:
            return None
        try:
            message = decode(text)
            # #if metrics
            self._link.received(message[0].name.lower())
            # #endif
            if self._member is not None and self._realm is not None:
                self._take(self._realm, self._member, message)
                return None
            return self._open(message)
        except ViolationError as error:
            self._abort("wamp.error.protocol_violation", str(error), 1002)
            return None

    def drain(self) -> None:
        """Say goodbye: the server stops, and closes the connection."""
        if self._member is not None:
            self.send([Code.GOODBYE, {}, "wamp.close.system_shutdown"])
        self.close()

    def close(self) -> None:
        """Let go: the connection has ended."""
        self._is_over = True
        self._end()

    def send(self, message: Message) -> None:
        """Send a message."""
        self.send_text(write_json(message), message[0].name.lower())

    def send_text(self, text: str, kind: str) -> None:
        """Send an encoded message."""
        if not self._is_over:
            self._link.send(text, kind)

    def leave(self, reason: str, details: Dict) -> None:
        """End the session with GOODBYE."""
        self.send([Code.GOODBYE, details, reason])
        self.close()
        self._link.close(1000, _short(reason))

    def _expect(self) -> None:
        """Wait for HELLO."""
        parts = self._router.parts
        reason = "wamp.error.authentication_required"
        self._timer = parts.call_later(
            parts.hello_timeout, lambda: self._abort(reason, "no session in time", 1008)
        )

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._challenge = None
        member, self._member = self._member, None
        if member is not None and self._realm is not None:
            self._realm.leave(member)

    def _abort(self, reason: str, message: str, code: int = 1000) -> None:
        if self._is_over:
            return
        self.send([Code.ABORT, {"message": message}, reason])
        self.close()
        self._link.close(code, _short(message))

    def _open(self, message: Message) -> Step | None:
        """Take a message that comes before the session is open."""
        challenge = self._challenge
        match message:
            case [Code.ABORT, *_]:
                self.close()
                self._link.close(1000, "")
            case [Code.HELLO, name, details] if challenge is None:
                self._hello(name, details)
            case [Code.AUTHENTICATE, answer, _] if challenge is not None:
                return self._authenticate(challenge, answer)
            case _:
                expected = "HELLO" if challenge is None else "AUTHENTICATE"
                raise ViolationError(f"expected {expected} first")
        return None

    def _hello(self, name: str, details: Dict) -> None:
        roles, authid = details.get("roles"), details.get("authid")
        methods = details.get("authmethods", [])
        if not isinstance(roles, dict) or not roles:
            raise ViolationError("HELLO: no roles")
        if not isinstance(methods, list):
            raise ViolationError("HELLO: authmethods")
        if authid is not None and not isinstance(authid, str):
            raise ViolationError("HELLO: authid")
        realm = self._router.realms.get(name)
        if realm is None:
            self._abort("wamp.error.no_such_realm", "there is none with this name")
            return
        self._realm = realm
        settings = realm.settings
        # #if auth
        known = self._link.identity
        if settings.tokens is not None and known is not None and authid in (None, known.user):
            who = Principal(known.user, settings.tokens, "ticket", "token")
            self._join(realm, roles, who)
            return
        # #endif
        offered = self._offered(realm)
        method = next((one for one in methods or ["anonymous"] if one in offered), None)
        if method == "anonymous" and settings.anonymous is not None:
            nobody = secrets.token_urlsafe(12)
            who = Principal(nobody, settings.anonymous, "anonymous", "anonymous")
            self._join(realm, roles, who)
        elif method is not None:
            self._ask(realm, roles, method, authid)
        else:
            is_none = all(one == "anonymous" for one in methods)
            reason = "authentication_required" if is_none else "no_matching_auth_method"
            message = "none of the methods is offered in this realm"
            self._abort(f"wamp.error.{reason}", message)

    def _offered(self, realm: Realm) -> tuple[str, ...]:
        """Return the ways to say who one is in a realm."""
        settings = realm.settings
        has_ticket = any(user.ticket is not None for user in settings.users.values())
        # #if auth
        has_ticket = has_ticket or settings.tokens is not None
        # #endif
        ways = {
            "anonymous": settings.anonymous is not None,
            "ticket": has_ticket,
            "wampcra": any(user.secret is not None for user in settings.users.values()),
        }
        return tuple(way for way, is_offered in ways.items() if is_offered)

    def _ask(self, realm: Realm, roles: Dict, method: str, authid: str | None) -> None:
        user = realm.settings.users.get(authid or "")
        session, text, extra = self._router.parts.new_id(), "", {}
        if method == "wampcra":
            asked = user
            if asked is None or asked.secret is None:
                asked = _like(realm.settings.users.values(), authid or "")
            text = json.dumps(
                {
                    "authid": authid,
                    "authrole": asked.role,
                    "authmethod": method,
                    "authprovider": "static",
                    "nonce": secrets.token_urlsafe(16),
                    "timestamp": datetime.now(UTC).isoformat(),
                    "session": session,
                }
            )
            extra = {"challenge": text, **(asked.salt or {})}
        self._challenge = _Challenge(realm, roles, method, authid, user, text, session)
        self.send([Code.CHALLENGE, method, extra])

    def _authenticate(self, challenge: _Challenge, answer: str) -> Step | None:
        self._challenge = None
        user, method = challenge.user, challenge.method
        secret = None
        if user is not None:
            secret = user.ticket if method == "ticket" else user.secret
        # Who does not exist takes as long as others.
        expected = secret or secrets.token_hex(32)
        if method == "wampcra":
            expected = hmac_of(expected, challenge.text)
        if _is_same(answer, expected) and user is not None:
            who = Principal(challenge.authid or "", user.role, method, "static")
            self._join(challenge.realm, challenge.roles, who, challenge.session)
            return None
        # #if auth
        if method == "ticket":
            return self._check_token(challenge, answer)
        # #endif
        self._deny()
        return None

    # #if auth
    async def _check_token(self, challenge: _Challenge, token: str) -> None:
        role, identity = challenge.realm.settings.tokens, None
        if role is not None:
            identity = await self._link.authenticate(token)
        if self._is_over:
            return
        if role is None or identity is None or challenge.authid not in (None, identity.user):
            self._deny()
            return
        who = Principal(identity.user, role, "ticket", "token")
        self._join(challenge.realm, challenge.roles, who)

    # #endif
    def _deny(self) -> None:
        reason = "wamp.error.authentication_denied"
        self._abort(reason, "unknown, or not who it says", 1008)

    def _join(self, realm: Realm, roles: Dict, who: Principal, session: int | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # #if auth
        self._link.admit()
        # #endif
        session = session or self._router.parts.new_id()
        while session in realm.members:
            session = self._router.parts.new_id()
        role = realm.settings.roles[who.authrole]
        self._member = Member(session, who, role, self, roles)
        details = {"realm": realm.name, **who.to_json(), "roles": FEATURES}
        self.send([Code.WELCOME, session, details])
        realm.join(self._member)

    def _take(self, realm: Realm, member: Member, message: Message) -> None:
        """Take a message of an open session."""
        try:
            self._execute(realm, member, message)
        except WampError as error:
            code, request = message[:2]
            if code in (Code.CANCEL, Code.YIELD):
                raise ViolationError(f"{code.name.lower()}: {error.args[1]}") from None
            # Who publishes without a wish for an answer gets none.
            if code != Code.PUBLISH or message[2].get("acknowledge") is True:
                self.send([Code.ERROR, code, request, {}, error.uri, *error.payload])

    def _execute(self, realm: Realm, member: Member, message: Message) -> None:
        broker, dealer = realm.broker, realm.dealer
        match message:
            case [Code.PUBLISH, request, options, uri, *payload]:
                publication = broker.publish(member, uri, options, payload)
                if options.get("acknowledge") is True:
                    self.send([Code.PUBLISHED, request, publication])
            case [Code.CALL, request, options, uri, *payload]:
                dealer.call(member, request, options, uri, payload)
            case [Code.YIELD, invocation, options, *payload]:
                dealer.answer(member, invocation, options, payload)
            case [Code.SUBSCRIBE, request, options, uri]:
                self.send([Code.SUBSCRIBED, request, broker.subscribe(member, uri, options)])
            case [Code.UNSUBSCRIBE, request, subscription]:
                broker.unsubscribe(member, subscription)
                self.send([Code.UNSUBSCRIBED, request])
            case [Code.REGISTER, request, options, uri]:
                self.send([Code.REGISTERED, request, dealer.register(member, uri, options)])
            case [Code.UNREGISTER, request, registration]:
                dealer.unregister(member, registration)
                self.send([Code.UNREGISTERED, request])
            case [Code.CANCEL, request, options]:
                dealer.cancel(member, request, options)
            case [Code.ERROR, Code.INVOCATION, invocation, *error]:
                dealer.fail(member, invocation, error)
            case [Code.ERROR, *_]:
                raise ViolationError("ERROR: only for an INVOCATION")
            case [Code.GOODBYE, *_]:
                self.send([Code.GOODBYE, {}, "wamp.close.goodbye_and_out"])
                self._end()
                self._expect()
            case [Code.ABORT, *_]:
                self.close()
                self._link.close(1000, "")
            case [code, *_]:
                raise ViolationError(f"{code.name.lower()} in an open session")


def hmac_of(key: str, text: str) -> str:
    """Sign a challenge of WAMP-CRA."""
    digest = hmac.digest(key.encode(), text.encode(), "sha256")
    return base64.b64encode(digest).decode()


def _like(users: Iterable[User], authid: str) -> User:
    """Return like whom somebody is asked who cannot sign: always the same one of those who can.

    Neither a salt nor a role says who exists.
    """
    signing = [user for user in users if user.secret is not None]
    digest = hashlib.sha256(_SALTS + _bytes(authid)).digest()
    other = signing[int.from_bytes(digest[:4]) % len(signing)]
    if other.salt is None:
        return other
    salt = digest[4:].hex()[: len(str(other.salt["salt"]))]
    return replace(other, salt={**other.salt, "salt": salt})


def _is_same(one: str, other: str) -> bool:
    """Compare without telling by its time how much is right."""
    digests = (hashlib.sha256(_bytes(text)).digest() for text in (one, other))
    return hmac.compare_digest(*digests)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _short(reason: str) -> str:
    """Return what a close frame holds of a text."""
    return reason.encode(errors="replace")[:120].decode(errors="ignore")
