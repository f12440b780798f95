"""Procedures of this process, which clients call as they call those of other clients.

What the signature of one does not allow is answered with `wamp.error.invalid_argument`; raise a
`WampError` for an error of your own. What else is raised is logged, and the caller gets
`wamp.error.runtime_error` without details.
"""

import asyncio

from ws_server.wamp_messages import WampError
from ws_server.wamp_procedures import Call, Procedures

procedures = Procedures("realm1")


@procedures.register("com.example.add")
def add(_: Call, a: float, b: float) -> float:
    """Return a sum."""
    return a + b


@procedures.register("com.example.divide")
def divide(_: Call, a: float, b: float) -> float:
    """Return a quotient, or an error of its own."""
    if b == 0:
        raise WampError("com.example.error.division_by_zero", a)
    return a / b


@procedures.register("com.example.countdown")
async def countdown(call: Call, start: int) -> str:
    """Return a result in parts: 3, 2, 1 and then "done"."""
    if not 1 <= start <= 100:
        raise WampError("wamp.error.invalid_argument", "start: expected 1 to 100")
    for left in range(start, 0, -1):
        call.progress(left)
        await asyncio.sleep(0.01)
    return "done"
