"""Prints a token for tests: `python -m ws_server.sign_token --user ada [--rooms private-a,…]`."""

import argparse
import secrets
import sys
import time
from collections.abc import Sequence

import jwt

from .config import Config, ConfigError
from .environment import ENV_FILE, read_environment
from .messages import is_name


def sign_token(
    config: Config, secret: str, user: str, minutes: float, rooms: Sequence[str] | None = None
) -> str:
    """Return a token as the server with `config` accepts it; `rooms` are private names."""
    now = time.time()
    claims = {
        "sub": user,
        "jti": secrets.token_urlsafe(12),
        "iat": now,
        "exp": now + minutes * 60,
        "rooms": rooms,
        "iss": config.auth_issuer,
        "aud": config.auth_audience,
    }
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, secret, "HS256")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a token; exit with 2 if none can be made."""
    parser = argparse.ArgumentParser(prog="python -m ws_server.sign_token")
    parser.add_argument("--user", required=True, help="1 to 64 letters, digits, '.', '_', '-'")
    parser.add_argument("--rooms", help="private names that it opens, separated by commas")
    parser.add_argument("--minutes", type=float, default=60, help="that it is valid [60]")
    options = parser.parse_args(arguments)
    if not is_name(options.user):
        parser.error("expected --user <name>: 1 to 64 letters, digits, '.', '_', '-'")
    if not 0 < options.minutes < 1e9:
        parser.error("expected --minutes above 0")
    try:
        config = Config.read(read_environment())
    except ConfigError as error:
        parser.error(str(error))
    if config.auth_public_key is not None or config.auth_jwks_url is not None:
        parser.error(
            "only who has the private key makes tokens; unset AUTH_PUBLIC_KEY, AUTH_JWKS_URL"
        )
    secret = config.auth_secret or _new_secret()
    rooms = options.rooms.split(",") if options.rooms else None
    print(sign_token(config, secret, options.user, options.minutes, rooms))


def _new_secret() -> str:
    """Make a secret for this machine, which the server reads at its next start."""
    secret = secrets.token_hex(32)
    present = ENV_FILE.read_text() if ENV_FILE.is_file() else ""
    start = "" if not present or present.endswith("\n") else "\n"
    ENV_FILE.touch(mode=0o600)
    with ENV_FILE.open("a") as file:
        file.write(f"{start}AUTH_SECRET={secret}\n")
    print(f"wrote a new AUTH_SECRET to {ENV_FILE}; restart the server", file=sys.stderr)
    return secret


if __name__ == "__main__":
    main()
