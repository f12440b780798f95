"""The protocols of others that this server speaks."""

from collections.abc import Mapping

from .config import Config
from .conversation import Subprotocol
# #if graphql
from .graphql_documents import Documents
# #endif
# #if graphql-legacy
from .graphql_legacy import LegacyGraphql
# #endif
# #if graphql
from .graphql_schema import create_schema
from .graphql_ws import Graphql
# #endif
# #if jsonrpc
from .handlers.methods import methods
# #endif
# #if wamp
from .handlers.procedures import procedures
# #endif
# #if graphql
from .handlers.resolvers import resolvers
# #endif
# #if jsonrpc
from .json_rpc import JsonRpc
# #endif
# #if jsonrpc && metrics
from .metrics import Metrics
# #endif
# #if wamp
from .wamp import Wamp
# #endif


# #if jsonrpc && metrics
def create_subprotocols(config: Config, metrics: Metrics) -> Mapping[str, Subprotocol]:
# #else
#~ def create_subprotocols(config: Config) -> Mapping[str, Subprotocol]:
# #endif
    """Make them, by name."""
    made: list[Subprotocol] = []
    # #if graphql
    documents = Documents(create_schema(resolvers), config)
    made.append(Graphql(config, documents))
    # #endif
    # #if graphql-legacy
    made.append(LegacyGraphql(config, documents))
    # #endif
    # #if jsonrpc
    # #if metrics
    made.append(JsonRpc(config, methods, metrics))
    # #else
    #~ made.append(JsonRpc(config, methods))
    # #endif
    # #endif
    # #if wamp
    made.append(Wamp(config, procedures))
    # #endif
    return {one.name: one for one in made}
