"""The file of realms: what sessions of a role may do there, and who the users are."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from .config import ConfigError
from .wamp_roles import ACTIONS, Role, Rule
from .wamp_uris import MATCHES, is_uri

Environment = Mapping[str, str]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class User:
    """A user of a realm."""

    role: str
    # What it shows as it is.
    ticket: str | None = None
    # What it signs with: a secret, or with `salt` the key that is derived of it, in Base64.
    secret: str | None = None
    # `salt`, `iterations` and `keylen`.
    salt: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class RealmSettings:
    """What the file says of a realm."""

    roles: Mapping[str, Role]
    users: Mapping[str, User]
    # The role of who does not say who it is; None: nobody may.
    anonymous: str | None
    # #if auth
    # The role of who shows a token; None: nobody may.
    tokens: str | None
    # #endif


def read_realms(file: Path, environ: Environment) -> dict[str, RealmSettings]:
    """Read a file; what is secret is in variables. Raises ConfigError: where it is wrong."""
    try:
        return realms_of(file.read_text(encoding="utf-8"), environ)
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}") from None


def realms_of(text: str, environ: Environment) -> dict[str, RealmSettings]:
    """Read the realms of a text in YAML. Raises ConfigError."""
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise ConfigError(str(error)) from None
    found: dict[str, RealmSettings] = {}
    for name, realm in _Section("", value).items():
        if not is_uri(name):
            raise ConfigError(f"{name}: not a URI")
        found[name] = _realm_of(realm, environ)
    return found


class _Section:
    """A mapping of the file, and where it is."""

    def __init__(self, path: str, value: object) -> None:
        self.path = path
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise self.wrong("expected a mapping")
        self._value: dict[str, Any] = value
        self._known: set[str] = set()

    def wrong(self, expected: str, key: str = "") -> ConfigError:
        path = ".".join(filter(None, (self.path, key)))
        return ConfigError(f"{path}: {expected}" if path else expected)

    def items(self) -> list[tuple[str, "_Section"]]:
        return [(key, self.section(key)) for key in self._value]

    @property
    def names(self) -> list[str]:
        return list(self._value)

    def section(self, key: str) -> "_Section":
        return _Section(".".join(filter(None, (self.path, key))), self.get(key))

    def get(self, key: str) -> object:
        self._known.add(key)
        return self._value.get(key)

    def one(self, key: str, is_valid: Callable[[Any], bool], expected: str, default: T) -> T:
        """Return a value, or what it is where there is none."""
        value = self.get(key)
        if key not in self._value:
            return default
        if type(value) is bool or not is_valid(value):
            raise self.wrong(expected, key)
        return value  # type: ignore[return-value]

    def text(self, key: str) -> str | None:
        return self.one(key, _is_text, "expected a text", None)

    def check(self) -> None:
        """Refuse what nobody has asked for."""
        for key in self._value:
            if key not in self._known:
                raise self.wrong("unknown", key)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _realm_of(realm: _Section, environ: Environment) -> RealmSettings:
    section = realm.section("roles")
    roles: dict[str, Role] = {}
    for role in section.names:
        rules: list[object] = section.one(role, _is_list, "expected a list of rules", [])
        made = (_rule_of(section, role, index, rule) for index, rule in enumerate(rules))
        roles[role] = Role(made)
    users: dict[str, User] = {}
    if "users" in realm.names:
        users = {name: _user_of(user, environ) for name, user in realm.section("users").items()}
    settings = RealmSettings(
        roles,
        users,
        realm.text("anonymous"),
        # #if auth
        realm.text("tokens"),
        # #endif
    )
    realm.check()
    named: dict[str, str | None] = {"anonymous": settings.anonymous}
    # #if auth
    named["tokens"] = settings.tokens
    # #endif
    named |= {f"users.{name}.role": user.role for name, user in users.items()}
    for path, name in named.items():
        if name is not None and name not in roles:
            raise realm.wrong(f"there is no role {name}", path)
    return settings


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _rule_of(section: _Section, role: str, index: int, value: object) -> Rule:
    rule = _Section(f"{section.path}.{role}.{index}", value)
    match = rule.one("match", MATCHES.__contains__, f"one of {', '.join(MATCHES)}", MATCHES[0])
    uri = rule.get("uri")
    if not isinstance(uri, str) or not (is_uri(uri, match) or (uri == "" and match == "prefix")):
        raise rule.wrong("not a URI", "uri")
    words = (*ACTIONS, "disclose")
    allow: list[str] = rule.one("allow", _is_list, "expected a list", [])
    if not allow:
        raise rule.wrong("expected a list that is not empty", "allow")
    for place, word in enumerate(allow):
        if word not in words:
            raise rule.wrong(f"one of {', '.join(words)}", f"allow.{place}")
    rule.check()
    return Rule(uri, match, frozenset(allow))


def _user_of(user: _Section, environ: Environment) -> User:
    def secret(key: str) -> str | None:
        name = user.one(key, _is_variable, "expected the name of a variable", "")
        if name and not environ.get(name):
            raise user.wrong(f"{name} is not set", key)
        return environ[name] if name else None

    role = user.text("role")
    if role is None:
        raise user.wrong("expected the name of a role", "role")
    ticket, key = secret("ticket"), secret("secret")
    if (ticket is None) == (key is None):
        raise user.wrong("expected either ticket or secret")
    salt = user.text("salt")
    derived = {
        "salt": salt,
        "iterations": user.one("iterations", _is_count(1, 2**31), "expected a count", 100_000),
        "keylen": user.one("keylen", _is_count(16, 64), "expected 16 to 64", 32),
    }
    user.check()
    return User(role, ticket, key, derived if salt is not None else None)


def _is_variable(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[A-Z_][A-Z0-9_]*", value) is not None


def _is_count(least: int, most: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and least <= value <= most
