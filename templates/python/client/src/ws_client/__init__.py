"""A WebSocket client that resumes, for Python 3.11 or newer and the package `websockets` 17."""

# #if chat
from .chat import ChatClient, Room
# #endif
# #if applications || graphql || jsonrpc
from .close_codes import CLOSE_CODES, Reconnect
from .connection import State
# #endif
# #if graphql
from .graphql import GraphqlClient, GraphqlError, Subscription
# #endif
# #if live
from .json_patch import PatchError, apply_patch
# #endif
# #if jsonrpc
from .json_rpc import JsonRpcClient, RpcError
# #endif
# #if live
from .live_updates import Document, LiveUpdatesClient
# #endif
# #if applications
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
# #if graphql || jsonrpc
from .messages import ClientError
# #endif
from .options import Options
# #if pubsub
from .pubsub import PubsubClient, Subscription
# #endif
# #if wamp
from .wamp import Event, Result, Standing, State, WampClient, WampError
# #endif

__all__ = [
    # #if applications || graphql || jsonrpc
    "CLOSE_CODES",
    # #endif
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
    # #if applications || graphql || jsonrpc
    "ClientError",
    # #endif
    # #if live
    "Document",
    # #endif
    # #if wamp
    "Event",
    # #endif
    # #if graphql
    "GraphqlClient",
    "GraphqlError",
    # #endif
    # #if applications
    "Joined",
    # #endif
    # #if jsonrpc
    "JsonRpcClient",
    # #endif
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
    # #if applications || graphql || jsonrpc
    "Reconnect",
    # #endif
    # #if applications
    "Recovered",
    "Refused",
    # #endif
    # #if live
    "Removed",
    # #endif
    # #if wamp
    "Result",
    # #endif
    # #if chat
    "Room",
    # #endif
    # #if jsonrpc
    "RpcError",
    # #endif
    # #if wamp
    "Standing",
    # #endif
    "State",
    # #if pubsub || graphql
    "Subscription",
    # #endif
    # #if pubsub
    "TopicEvent",
    # #endif
    # #if wamp
    "WampClient",
    "WampError",
    # #endif
    # #if live
    "apply_patch",
    # #endif
]
