"""The broker of a realm: sends what is published to who subscribed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from .json_value import write_json
from .wamp_members import Member, Space, check_uri, flag_of, match_of
from .wamp_messages import Code, Dict, Payload, WampError, is_id
from .wamp_uris import Match, Patterns, is_reserved


@dataclass(slots=True, eq=False)
class Subscription:
    """What several sessions subscribe to: it has one id for all of them."""

    id: int
    uri: str
    match: Match
    subscribers: set[Member] = field(default_factory=set)


class Broker:
    """Knows who subscribed to what."""

    def __init__(self, space: Space, new_id: Callable[[], int]) -> None:
        """Start without subscriptions; `new_id` makes the ids of publications."""
        self._space = space
        self._new_id = new_id
        self._subscriptions: Patterns[Subscription] = Patterns()
        self._by_id: dict[int, Subscription] = {}
        self._last_id = 0

    def subscribe(self, member: Member, uri: str, options: Dict) -> int:
        """Return the id of a subscription; one that the session has already is named again."""
        match = match_of(options)
        check_uri(uri, match, is_open=True)
        member.role.check("subscribe", uri, match)
        subscription = self._subscriptions.get(uri, match)
        if subscription is not None and member in subscription.subscribers:
            return subscription.id
        limit = self._space.limits.subscriptions
        self._space.take("subscriptions", len(member.subscriptions), limit)
        if subscription is None:
            self._last_id += 1
            subscription = Subscription(self._last_id, uri, match)
            self._subscriptions.add(uri, match, subscription)
            self._by_id[subscription.id] = subscription
        subscription.subscribers.add(member)
        member.subscriptions.add(subscription)
        return subscription.id

    def unsubscribe(self, member: Member, subscription_id: int) -> None:
        """End a subscription of a session."""
        subscription = self._by_id.get(subscription_id)
        if subscription is None or member not in subscription.subscribers:
            raise WampError("wamp.error.no_such_subscription", "there is none with this id")
        self._remove(member, subscription)

    def publish(self, member: Member, topic: str, options: Dict, payload: Payload) -> int:
        """Send what a session publishes; return the id of the publication."""
        check_uri(topic, is_open=False)
        is_silent = flag_of(options, "exclude_me", default=True)
        is_listed = _filter_of(options)
        is_disclosed = flag_of(options, "disclose_me")
        member.role.check("publish", topic)
        if is_disclosed:
            member.role.check_disclosing("publish", topic)
        return self._send(
            topic,
            member.disclosed("publisher") if is_disclosed else {},
            payload,
            lambda to: not (is_silent and to is member) and is_listed(to),
        )

    def announce(self, topic: str, payload: Payload) -> int:
        """Send what this process publishes; return the id of the publication."""
        return self._send(topic, {}, payload, lambda _: True)

    def leave(self, member: Member) -> None:
        """End all subscriptions of a session."""
        for subscription in tuple(member.subscriptions):
            self._remove(member, subscription)

    def _send(
        self, topic: str, details: Dict, payload: Payload, is_for: Callable[[Member], bool]
    ) -> int:
        publication = self._new_id()
        is_meta = is_reserved(topic)
        for subscription in tuple(self._subscriptions.matching(topic)):
            # Events of the router are for those who ask for them by name.
            if is_meta and not is_reserved(subscription.uri):
                continue
            receivers = [one for one in subscription.subscribers if is_for(one)]
            if not receivers:
                continue
            about = details if subscription.match == "exact" else {**details, "topic": topic}
            text = write_json([Code.EVENT, subscription.id, publication, about, *payload])
            for member in receivers:
                member.outlet.send_text(text, "event")
        return publication

    def _remove(self, member: Member, subscription: Subscription) -> None:
        self._space.give()
        member.subscriptions.discard(subscription)
        subscription.subscribers.discard(member)
        if not subscription.subscribers:
            self._subscriptions.remove(subscription.uri, subscription.match)
            del self._by_id[subscription.id]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


# By which of its properties a session is named in a black- or whitelist, and how.
_LISTED: dict[str, tuple[Callable[[Member], object], Callable[[object], bool]]] = {
    "": (lambda member: member.id, is_id),
    "_authid": (lambda member: member.principal.authid, _is_text),
    "_authrole": (lambda member: member.principal.authrole, _is_text),
}


def _filter_of(options: Dict) -> Callable[[Member], bool]:
    """Return who gets an event: nobody on a blacklist, and only who is on all whitelists."""
    tests: list[tuple[Callable[[Member], object], frozenset[object], bool]] = []
    for suffix, (name_of, is_name) in _LISTED.items():
        for kind in ("exclude", "eligible"):
            names = options.get(kind + suffix)
            if names is None and kind + suffix not in options:
                continue
            if not isinstance(names, list) or not all(map(is_name, names)):
                raise WampError("wamp.error.invalid_argument", f"{kind}{suffix}: not such a list")
            tests.append((name_of, frozenset(names), kind == "eligible"))
    if not tests:
        return lambda _: True
    return lambda to: all((name_of(to) in names) == wanted for name_of, names, wanted in tests)
