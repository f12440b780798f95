"""What clients may call. This file is yours: a later generation leaves it as it is.

The annotations of a function say what clients have to send: they name its parameters, or list them
in order. A method that raises `RpcError` answers with its code; what else it raises is logged, and
the client is told no more than "Internal error".
"""

from typing import Annotated

from ws_server.json_rpc import Caller, Methods
from ws_server.messages import text

methods = Methods()


@methods.register
def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


@methods.register
async def greet(caller: Caller, greeting: Annotated[str, text(0, 100)] = "Hello") -> str:
    """Call the client back; the call is cancelled when its connection ends."""
    name = await caller.call("name", result=str, seconds=5)
    return f"{greeting}, {name[:100]}!"
