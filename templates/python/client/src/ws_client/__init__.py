"""A WebSocket client that resumes, for Python 3.11 or newer and the package `websockets` 17."""

# #if applications
# #if chat
from .chat import ChatClient, Room
# #endif
from .close_codes import CLOSE_CODES, Reconnect
from .connection import State
# #if live
from .json_patch import PatchError, apply_patch
from .live_updates import Document, LiveUpdatesClient
# #endif
from .messages import (
    # #if chat || pubsub
    Ack,
    # #endif
    # #if live
    Change,
    # #endif
    # #if chat
    ChatMessage,
    # #endif
    ClientError,
    Joined,
    # #if presence
    Members,
    # #endif
    Recovered,
    Refused,
    # #if live
    Removed,
    # #endif
    # #if pubsub
    TopicEvent,
    # #endif
)
# #endif
from .options import Options
# #if pubsub
from .pubsub import PubsubClient, Subscription
# #endif
# #if wamp
from .wamp import Event, Result, Standing, State, WampClient, WampError
# #endif

# #if applications
__all__ = [
    "CLOSE_CODES",
    # #if chat || pubsub
    "Ack",
    # #endif
    # #if live
    "Change",
    # #endif
    # #if chat
    "ChatClient",
    "ChatMessage",
    # #endif
    "ClientError",
    # #if live
    "Document",
    # #endif
    "Joined",
    # #if live
    "LiveUpdatesClient",
    # #endif
    # #if presence
    "Members",
    # #endif
    "Options",
    # #if live
    "PatchError",
    # #endif
    # #if pubsub
    "PubsubClient",
    # #endif
    "Reconnect",
    "Recovered",
    "Refused",
    # #if live
    "Removed",
    # #endif
    # #if chat
    "Room",
    # #endif
    "State",
    # #if pubsub
    "Subscription",
    "TopicEvent",
    # #endif
    # #if live
    "apply_patch",
    # #endif
]
# #else
#~ __all__ = ["Event", "Options", "Result", "Standing", "State", "WampClient", "WampError"]
# #endif
