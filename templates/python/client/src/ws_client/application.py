"""The messages that servers of chat, pubsub and live-updates have in common."""

from abc import abstractmethod

from .base import BaseClient
from .messages import Message, count_of, error_in, parse, seconds_in


class ApplicationClient(BaseClient):
    """Is welcomed, and shows its token when the server asks for it."""

    # What the server that welcomed last offers: `rooms`, `history`, `resume` and others.
    features: frozenset[str] = frozenset()

    def heard(self, data: str | bytes) -> None:
        """Take a message of the server."""
        message = parse(data)
        connection = self._connection
        kind = message["type"]
        if kind == "welcome":
            if not connection.is_welcome:
                self._welcome(message)
            return
        if kind == "auth-required":
            if connection.is_welcome:
                return
            # #if auth
            if not connection.tokens.authenticate(seconds_in(message, "timeoutMs")):
                connection.refuse_token("no get_token")
            # #else
            #~ connection.refuse_token("generate the client with the feature auth")
            # #endif
            return
        if kind == "draining":
            connection.set_drain(seconds_in(message, "retryAfterMs") or 0)
            return
        # #if auth
        if connection.tokens.takes(message):
            return
        # #endif
        if connection.is_welcome:
            self.received(message)
        elif kind == "error":
            connection.fail(error_in(message))

    def _welcome(self, message: Message) -> None:
        features = message.get("features")
        offered = features if isinstance(features, list) else []
        self.features = frozenset(name for name in offered if isinstance(name, str))
        self._connection.welcome((count_of(message.get("pingIntervalMs")) or 25_000) / 1000)
        # #if auth
        self._connection.tokens.welcome(message.get("expiresAt"))
        # #endif
        self.welcomed()

    def probe(self) -> None:
        """Ask for a sign of life: browsers see no pings of WebSockets."""
        self._connection.send({"type": "ping"})

    # #if auth
    def show_token(self, token: str, key: str) -> None:
        """Send a token."""
        self._connection.send({"type": "auth", "id": key, "token": token})

    # #endif
    @abstractmethod
    def welcomed(self) -> None:
        """Take that the server has said what it can do."""

    @abstractmethod
    def received(self, message: Message) -> None:
        """Take a message that belongs to what was joined."""
