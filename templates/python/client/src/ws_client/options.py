"""Times and sizes that a program may choose."""

import math
# #if chat || pubsub
import typing
# #endif
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Options:
    """All times are in seconds."""

    # Attempt n waits a random time up to `backoff_base` * 2 ** n, at most `backoff_max`.
    backoff_base: float = 0.25
    backoff_max: float = 30
    # After so long a connection counts as good, and the waits start anew.
    stable_after: float = 10
    # Limit of an attempt, until the server's welcome.
    connect_timeout: float = 10
    # #if applications || graphql || jsonrpc
    # How long a silent server has to answer a ping.
    pong_timeout: float = 10
    # #if applications
    # How long the server has to let the client into a room, topic or document.
    join_timeout: float = 10
    # #else
    #~ # A server that was silent for so long is asked for a sign of life.
    #~ ping_interval: float = 25
    #~ # How long a call may take, the wait for a connection included.
    #~ call_timeout: float = 30
    #~ # Calls without an answer, those included that wait for a connection.
    #~ max_calls: int = 1000
    # #endif
    # Events that wait for a loop that reads them.
    max_events: int = 10_000
    # #endif
    # #if chat || pubsub
    # What waits for a connection, or for the network to take it.
    max_messages: int = 1000
    max_bytes: int = 1 << 20
    max_age: float = 60
    # `drop-oldest` refuses the oldest, `drop-new` and `reject` the new one.
    when_full: typing.Literal["drop-oldest", "drop-new", "reject"] = "drop-oldest"
    # How long the server has to answer.
    ack_timeout: float = 10
    # While more bytes wait in the socket, nothing is handed to it.
    high_water_mark: int = 1 << 16
    # The server refuses a larger message and closes the connection.
    max_message_bytes: int = 1 << 16
    # How long the server knows a message by its id; later it is not sent again.
    resend_within: float = 100
    # #endif

    def __post_init__(self) -> None:
        """Refuse what is no number from 0, by name."""
        for one in fields(self):
            value = getattr(self, one.name)
            # #if chat || pubsub
            if one.name == "when_full":
                if value not in {"drop-oldest", "drop-new", "reject"}:
                    raise ValueError(one.name)
                continue
            # #endif
            if not isinstance(value, int | float) or math.isnan(value) or value < 0:
                raise ValueError(one.name)
        # #if applications || graphql || jsonrpc
        if self.max_events < 2:
            raise ValueError("max_events")
        # #endif
