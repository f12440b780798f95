"""Realms: sessions that can call each other, and hear what the others publish."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .wamp_broker import Broker
from .wamp_dealer import CallLater, Dealer
from .wamp_members import Limits, Member, Space
from .wamp_messages import Dict, WampError
from .wamp_procedures import Call, Host, Procedure, Procedures
from .wamp_realms import RealmSettings
from .wamp_uris import is_uri


@dataclass(frozen=True, slots=True)
class Parts:
    """What the router has from outside."""

    limits: Limits
    call_later: CallLater
    # From 0, below 1.
    random: Callable[[], float]
    # A random id, 1 to 2^53.
    new_id: Callable[[], int]
    # A procedure of this process has a bug.
    failed: Callable[[str, BaseException], None]
    # Seconds for the first message of a session, and for its authentication.
    hello_timeout: float


class Realm:
    """Sessions that know nothing of those in other realms."""

    def __init__(
        self,
        name: str,
        settings: RealmSettings,
        procedures: Iterable[Procedure],
        parts: Parts,
        space: Space,
    ) -> None:
        """Start without sessions."""
        self.name = name
        self.settings = settings
        self.broker = Broker(space, parts.new_id)
        self.dealer = Dealer(space, parts.call_later, parts.random)
        self.members: dict[int, Member] = {}
        host = Host(parts.new_id(), self.dealer, self.broker.announce, parts.failed)
        for made in (*self._meta(), *procedures):
            host.add(made)

    def join(self, member: Member) -> None:
        """Let a session in."""
        self.members[member.id] = member
        self.broker.announce("wamp.session.on_join", [[_about(member)]])

    def leave(self, member: Member) -> None:
        """End what a session has here."""
        if self.members.pop(member.id, None) is None:
            return
        self.dealer.leave(member)
        self.broker.leave(member)
        who = member.principal
        self.broker.announce("wamp.session.on_leave", [[member.id, who.authid, who.authrole]])

    def _meta(self) -> Procedures:
        """Return the procedures about sessions."""
        procedures = Procedures(self.name)

        @procedures.register("wamp.session.count")
        def count(_: Call, roles: list[str] | None = None, **_more: object) -> int:
            return len(self._of_roles(roles))

        @procedures.register("wamp.session.list")
        def list_sessions(_: Call, roles: list[str] | None = None, **_more: object) -> list[int]:
            return self._of_roles(roles)

        @procedures.register("wamp.session.get")
        def get(_: Call, session: float, **_more: object) -> dict[str, object]:
            member = self.members.get(session)  # type: ignore[call-overload]
            if member is None:
                raise WampError("wamp.error.no_such_session")
            return _about(member)

        @procedures.register("wamp.session.kill")
        def kill(call: Call, session: float, **words: object) -> None:
            if not self._kill(call, words, lambda member: member.id == session):
                raise WampError("wamp.error.no_such_session")

        @procedures.register("wamp.session.kill_by_authid")
        def kill_by_authid(call: Call, authid: str, **words: object) -> list[int]:
            return self._kill(call, words, lambda member: member.principal.authid == authid)

        @procedures.register("wamp.session.kill_by_authrole")
        def kill_by_authrole(call: Call, authrole: str, **words: object) -> int:
            return len(
                self._kill(call, words, lambda member: member.principal.authrole == authrole)
            )

        @procedures.register("wamp.session.kill_all")
        def kill_all(call: Call, **words: object) -> int:
            return len(self._kill(call, words, lambda _: True))

        return procedures

    def _of_roles(self, roles: list[str] | None) -> list[int]:
        return [
            member.id
            for member in self.members.values()
            if roles is None or member.principal.authrole in roles
        ]

    def _kill(
        self, call: Call, words: Mapping[str, object], is_meant: Callable[[Member], bool]
    ) -> list[int]:
        """End the sessions of others; return their ids."""
        reason, message = words.get("reason", "wamp.close.normal"), words.get("message")
        if not isinstance(reason, str) or not is_uri(reason):
            raise WampError("wamp.error.invalid_uri", "reason: not a URI")
        details: Dict = {"message": message} if isinstance(message, str) else {}
        others = [
            member
            for member in self.members.values()
            if member.id != call.caller.session and is_meant(member)
        ]
        for member in others:
            member.outlet.leave(reason, details)
        return [member.id for member in others]


def _about(member: Member) -> dict[str, object]:
    """Return what everybody who may ask gets to know of a session."""
    transport = {"type": "websocket"}
    return {"session": member.id, **member.principal.to_json(), "transport": transport}


class Router:
    """The realms, by name; none shares anything with another."""

    def __init__(
        self,
        realms: Mapping[str, RealmSettings],
        procedures: Iterable[Procedure],
        parts: Parts,
    ) -> None:
        """Start without sessions. Raises KeyError for a procedure of no realm."""
        self.parts = parts
        own: dict[str, list[Procedure]] = {name: [] for name in realms}
        for made in procedures:
            own[made.realm].append(made)
        space = Space(parts.limits)
        self.realms = {
            name: Realm(name, settings, own[name], parts, space)
            for name, settings in realms.items()
        }
