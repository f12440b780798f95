"""The documents of all servers with the same REDIS_PREFIX, in their Redis."""

import secrets
from collections.abc import Callable

from .config import Config
from .messages import Position
from .redis_link import RedisLink, read_script

LOAD, COMMIT, DROP = (read_script(name) for name in ("load", "commit", "drop"))

# Milliseconds for which a change is known, should it be sent again.
ATTEMPT_WINDOW = 60_000


class RedisDocuments:
    """A DocumentStore."""

    def __init__(
        self, config: Config, link: RedisLink, key: Callable[[str, str], str], ttl: int
    ) -> None:
        """Name what is kept of a channel as `key` does, and keep it `ttl` milliseconds."""
        self._config = config
        self._link = link
        self._key = key
        self._ttl = ttl
        self._all = f"{link.prefix}:documents"
        # This process, and its changes.
        self._node = secrets.token_hex(8)
        self._changes = 0

    async def load(self, name: str) -> tuple[Position, bytes] | None:
        """See DocumentStore."""
        keys = self._keys(name)
        reply = await self._link.run(LOAD, keys, secrets.token_hex(8), self._ttl)
        if reply is None:
            return None
        offset, epoch, text = reply
        return Position(offset, epoch.decode()), text

    async def commit(
        self, name: str, text: bytes, patch: bytes, expected: Position | None
    ) -> Position | bool:
        """See DocumentStore."""
        self._changes += 1
        config, attempt = self._config, self._key(name, f"id:{self._node}{self._changes}")
        state, offset, epoch = await self._link.run(
            COMMIT,
            [*self._keys(name), attempt, self._all],
            secrets.token_hex(8),
            self._ttl,
            config.history_messages,
            config.history_bytes,
            ATTEMPT_WINDOW,
            patch,
            text,
            expected.epoch if expected is not None else "",
            expected.offset if expected is not None else 0,
            config.max_documents,
            name,
        )
        return Position(offset, epoch.decode()) if state == 1 else state == 2

    async def drop(self, name: str, expected: Position) -> bool:
        """See DocumentStore."""
        keys = [*self._keys(name), self._all]
        epoch = secrets.token_hex(8)
        reply = await self._link.run(DROP, keys, epoch, expected.epoch, expected.offset, name)
        return bool(reply)

    def _keys(self, name: str) -> list[str]:
        return [self._key(name, kind) for kind in ("meta", "stream", "channel", "document")]
