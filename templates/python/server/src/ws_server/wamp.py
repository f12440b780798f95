"""WAMP version 2 in JSON: clients call each other, and hear what others publish."""

import asyncio
# #if auth
# #else
#~ import os
# #endif
import random
import secrets
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from .config import Config, ConfigError
from .conversation import Remote, Subprotocol
# #if auth
from .environment import read_environment
# #endif
from .log import log
from .wamp_members import Limits
from .wamp_messages import MAX_ID
from .wamp_procedures import Procedure
from .wamp_realms import read_realms
from .wamp_router import Parts, Router
from .wamp_session import WampSession

# Seconds for HELLO and for AUTHENTICATE.
HELLO_TIMEOUT = 10
REALMS_FILE = Path(__file__).parent / "handlers" / "realms.yaml"


class Wamp(Subprotocol):
    """The router as a protocol of the server."""

    name = "wamp.2.json"

    def __init__(self, config: Config, procedures: Iterable[Procedure]) -> None:
        """Read the file of realms. Raises ConfigError."""
        # #if auth
        environ = read_environment()
        # #else
        #~ environ = os.environ
        # #endif
        realms = read_realms(Path(config.realms_file or REALMS_FILE), environ)
        made = tuple(procedures)
        for one in made:
            if one.realm not in realms:
                raise ConfigError(f"{one.uri}: there is no realm {one.realm}")
        limits = Limits(
            subscriptions=config.max_subscriptions_per_session,
            registrations=config.max_registrations_per_session,
            calls=config.max_calls_per_client,
            total=config.max_wamp_entries,
        )
        parts = Parts(limits, _call_later, random.random, _new_id, _log_failure, HELLO_TIMEOUT)
        self._router = Router(realms, made, parts)

    def accept(self, remote: Remote) -> WampSession:
        """Talk to a client."""
        return WampSession(self._router, remote)


def _call_later(seconds: float, step: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(seconds, step)


def _new_id() -> int:
    return secrets.randbelow(MAX_ID) + 1


def _log_failure(procedure: str, error: BaseException) -> None:
    stack = "".join(traceback.format_exception(error))
    log("error", "procedure-failed", procedure=procedure, stack=stack)
