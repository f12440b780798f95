"""One connection with its user, from its handshake to its end, whatever it speaks."""

from typing import TYPE_CHECKING

from .admission import Bucket
from .client import Client
from .close_codes import (
    POLICY_VIOLATION,
    # #if auth
    REVOKED,
    # #endif
    # #if rate-limit
    TOO_MANY_CONNECTIONS,
    # #endif
)
# #if auth
from .credentials import Credentials, Steps
# #endif
from .hooks import Identity
# #if auth
from .messages import Command
# #endif

if TYPE_CHECKING:
    from .peer import Peer
    from .server import Server
    # #if rate-limit
    from .users import UserShare
    # #endif

# Invalid messages of a client before it is closed; one more per second.
ERROR_LIMIT = 20
# #if auth
# Cost of checking a token in messages of the rate limit.
AUTH_COST = 5
# #endif


class UserSession:
    """A client, and what the server knows of it."""

    def __init__(self, peer: "Peer", server: "Server", identity: Identity) -> None:
        """Serve the user of `identity`."""
        self._peer = peer
        self._server = server
        self._errors = Bucket(1, ERROR_LIMIT)
        self.client = Client(
            peer,
            identity,
            server.config.max_buffered,
            # #if metrics
            server.metrics,
            # #endif
        )
        # #if auth
        self._credentials = Credentials(
            self.client,
            server.auth,
            server.config.auth_timeout,
            Steps(
                # #if rate-limit && redis
                server.users.learn,
                # #endif
                self._admit,
                self._refresh,
                self.warn,
            ),
        )
        # #endif
        # #if rate-limit
        self._user_share: UserShare | None = None
        # #endif

    def start(self) -> None:
        """Begin: the handshake is done."""
        raise NotImplementedError

    def receive(self, message: str | bytes) -> None:
        """Take a message."""
        raise NotImplementedError

    def note_rate(self) -> None:
        """Note that the client is above its rate, and is read more slowly."""
        raise NotImplementedError

    def say_goodbye(self, retry_after: int) -> None:
        """Close the client, which may come back after so many milliseconds."""
        raise NotImplementedError

    # #if auth
    def _admit(self, command: Command) -> None:
        """Let the client in, which has said who it is, maybe with a command."""
        raise NotImplementedError

    async def _refresh(self) -> None:
        """End what a newer token does not allow any more."""

    def check_revoked(self) -> None:
        """Close the client if what it has shown is revoked."""
        revocations = self._server.auth.revocations
        if self._credentials.is_known and revocations.covers(self.client.identity):
            self.client.close(REVOKED)

    # #endif
    # #if rate-limit
    def _enter(self) -> bool:
        """Count a connection of its user; False if it was closed over too many."""
        self._user_share = self._server.users.enter(self.client.user)
        if self._user_share is None:
            self.client.close(TOO_MANY_CONNECTIONS)
        return self._user_share is not None

    # #endif
    def warn(self) -> bool:
        """Count an invalid message; False if the client was closed over too many."""
        is_few = self._errors.take()
        if not is_few:
            self.client.close(POLICY_VIOLATION)
        return is_few

    def end(self, code: int) -> None:
        """Forget the client: its connection has ended."""
        client = self.client
        # #if rate-limit
        if self._user_share is not None:
            self._server.users.leave(self._user_share)
        # #endif
        # #if auth
        self._credentials.end()
        # #endif
        # #if metrics
        self._server.metrics.closed(code)
        # #endif
        client.share.log("info", "disconnected", client=client.id, user=client.user, code=code)
