"""What one user has and uses, over all connections."""

# #if redis
import asyncio
import itertools
import time

# #endif
from .admission import Bucket
from .config import Config
# #if redis
from .redis_link import RedisLink, report
from .redis_shared import SAY_AGAIN, SharedUse
# #endif


class UserShare:
    """The commands and connections of one user."""

    __slots__ = (
        # #if redis
        "asking",
        # #endif
        "commands",
        "connections",
        # #if redis
        "count",
        "elsewhere",
        "said_at",
        "said_taken",
        "saying",
        # #endif
        "user",
        # #if redis
        "waiting",
        # #endif
    )

    # #if redis
    def __init__(self, user: str, config: Config, count: int) -> None:
    # #else
    #~ def __init__(self, user: str, config: Config) -> None:
    # #endif
        """Start with nothing used."""
        self.user = user
        self.commands = Bucket(config.user_rate_limit, config.user_rate_burst)
        self.connections = 0
        # #if redis
        # Which of the counts of this server it is: one that was forgotten began anew.
        self.count = count
        # Its connections to other servers; what it had taken, as Redis knows, and when it was told
        # last.
        self.elsewhere = 0
        self.said_taken = 0.0
        self.said_at = 0.0
        # How many want to know what it has elsewhere, before they let it in.
        self.asking = 0
        # Held while Redis is told; who waits for that.
        self.saying = asyncio.Lock()
        self.waiting: asyncio.Task[None] | None = None
        # #endif


class Users:
    """The shares of users: of those who are connected, and for a moment of those who were."""

    # #if redis
    def __init__(self, config: Config, link: RedisLink | None) -> None:
    # #else
    #~ def __init__(self, config: Config) -> None:
    # #endif
        """Start without any."""
        self._config = config
        self._shares: dict[str, UserShare] = {}
        # #if redis
        self._link = link
        self._counts = itertools.count(1)
        rate, burst = config.user_rate_limit, config.user_rate_burst
        self._shared = SharedUse(link, rate, burst) if link is not None else None
        # #endif

    # #if redis
    async def learn(self, user: str) -> None:
        """Ask what a user has and uses elsewhere, before it is let in."""
        share = self._share_of(user)
        share.asking += 1
        try:
            task = self._say_later(share)
            if task is not None:
                # Others may wait for it, too.
                await asyncio.shield(task)
        finally:
            share.asking -= 1

    async def _say(self, share: UserShare, shared: SharedUse) -> None:
        async with share.saying:
            share.waiting = None
            taken = share.commands.taken
            # What was taken long ago is earned again.
            counted = (share.count, share.said_taken, taken, share.commands.spent())
            share.said_at = time.monotonic()
            try:
                share.elsewhere, left = await shared.say(share.user, share.connections, *counted)
            except Exception as error:  # noqa: BLE001 -- out of reach, what is here counts alone
                share.elsewhere = 0
                report(error)
                return
            share.said_taken = taken
            # What it has taken meanwhile will be said the next time.
            share.commands.set(left - (share.commands.taken - taken))

    def _say_later(self, share: UserShare) -> asyncio.Task[None] | None:
        """Tell Redis once more; one says, and at most one waits, however long Redis takes."""
        if self._link is not None and self._shared is not None and share.waiting is None:
            share.waiting = self._link.spawn(self._say(share, self._shared))
        return share.waiting

    # #endif

    def is_full(self, user: str) -> bool:
        """Whether one more connection of `user` is too many."""
        share = self._shares.get(user)
        most = self._config.max_connections_per_user
        # #if redis
        return share is not None and share.connections + share.elsewhere >= most
        # #else
        #~ return share is not None and share.connections >= most
        # #endif

    def enter(self, user: str) -> UserShare | None:
        """Count a connection of `user`; None if it is one too many."""
        if self.is_full(user):
            return None
        share = self._share_of(user)
        share.connections += 1
        # #if redis
        self._say_later(share)
        # #endif
        return share

    def _share_of(self, user: str) -> UserShare:
        share = self._shares.get(user)
        if share is None:
            # #if redis
            share = UserShare(user, self._config, next(self._counts))
            # #else
            #~ share = UserShare(user, self._config)
            # #endif
            self._shares[user] = share
        return share

    def leave(self, share: UserShare) -> None:
        """Count a connection no longer."""
        share.connections -= 1
        # #if redis
        self._say_later(share)
        # #endif

    def sweep(self) -> None:
        """Forget who has left and owes nothing."""
        for user, share in list(self._shares.items()):
            is_gone = share.connections == 0 and share.commands.is_full()
            # #if redis
            if is_gone and share.asking == 0:
                del self._shares[user]
                continue
            is_used = share.commands.taken > share.said_taken
            is_shared = share.connections > 0 and share.elsewhere > 0
            is_late = share.connections > 0 and time.monotonic() - share.said_at > SAY_AGAIN
            if is_used or is_shared or is_late:
                self._say_later(share)
            # #else
            #~ if is_gone:
            #~     del self._shares[user]
            # #endif
