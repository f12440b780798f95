"""What sessions of a role may do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .wamp_messages import WampError
from .wamp_uris import Match, covers, is_reserved

Action = Literal["call", "register", "publish", "subscribe"]
ACTIONS: tuple[Action, ...] = ("call", "register", "publish", "subscribe")

# Answers that are kept.
MAX_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed with the URIs that it names; `disclose`: to say who one is."""

    uri: str
    match: Match
    allow: frozenset[str]


class Role:
    """Rules that add up: what none allows is refused."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        """Allow what the rules do."""
        self._rules = tuple(rules)
        self._kept: dict[tuple[str, str, str], frozenset[str]] = {}

    def check(self, action: Action, uri: str, match: Match = "exact") -> None:
        """Refuse what is not allowed with all that `uri` stands for. Raises WampError."""
        if action not in self._allowed(action, uri, match):
            reason = f"{action} is not allowed for this role"
            raise WampError("wamp.error.not_authorized", reason)

    def check_disclosing(self, action: Action, uri: str) -> None:
        """Refuse who wishes to be disclosed, and may not be. Raises WampError."""
        if "disclose" not in self._allowed(action, uri, "exact"):
            raise WampError("wamp.error.option_disallowed.disclose_me", "not allowed for this role")

    def _allowed(self, action: Action, uri: str, match: Match) -> frozenset[str]:
        """Return what the rules that allow an action allow."""
        key = (action, uri, match)
        allowed = self._kept.get(key)
        if allowed is None:
            allowed = frozenset[str]().union(
                *(
                    rule.allow
                    for rule in self._rules
                    if action in rule.allow
                    # A rule for everything is none for the procedures of the router.
                    and is_reserved(rule.uri) == is_reserved(uri)
                    and covers(rule.uri, rule.match, uri, match)
                )
            )
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = allowed
        return allowed
