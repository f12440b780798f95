"""What all protocols of others have, over JSON-RPC and the network."""

import json
from collections.abc import Callable
from typing import Any

# #if auth && rate-limit
import pytest

# #endif
# #if auth
from .conftest import Boot, Client, token_for
# #else
#~ from .conftest import Boot, Client
# #endif

# #if auth
ADA = {"Authorization": f"Bearer {token_for('ada')}"}
# #else
#~ ADA: dict[str, str] = {}
# #endif
Connect = Callable[..., Client]


def call(client: Client, method: str, *params: object) -> Any:  # noqa: ANN401 -- any result
    """Return the response to a call."""
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    client.send(1, json.dumps(request).encode())
    opcode, payload = client.receive()
    assert opcode == 1, payload
    return json.loads(payload)


def close_code(client: Client) -> int:
    """Return the code that the server closes with."""
    while True:
        opcode, payload = client.receive()
        if opcode == 8:
            return int.from_bytes(payload[:2], "big")


def speak(connect: Connect, port: int, **fields: str) -> Client:
    """Connect a client that offers the subprotocol."""
    return connect(port, Sec_WebSocket_Protocol="json-rpc", **fields)


def test_speaks_it_to_who_offers_it(boot: Boot, connect: Connect) -> None:
    server = boot(PING_INTERVAL="100000")
    client = speak(connect, server.port, **ADA)
    assert call(client, "add", 1, 2)["result"] == 3
    # #if applications
    # Others speak the server's own.
    other = connect(server.port, **ADA)
    assert json.loads(other.receive()[1])["type"] == "welcome"
    # #endif
    client.send(2, b"binary")
    assert close_code(client) == 1003
    waiting = speak(connect, server.port, **ADA)
    server.process.terminate()
    assert close_code(waiting) == 1001


def test_closes_who_sends_too_much_that_is_wrong(boot: Boot, connect: Connect) -> None:
    client = speak(connect, boot().port, **ADA)
    for _ in range(25):
        client.send(1, b"nothing")
    assert close_code(client) == 1008
# #if auth


def test_asks_for_a_token_in_its_own_way(boot: Boot, connect: Connect) -> None:
    server = boot(AUTH_TIMEOUT="600000")
    client = speak(connect, server.port)
    assert call(client, "add", 1, 2)["error"]["code"] == -32001
    assert call(client, "rpc.authenticate", token_for("ada"))["result"]["user"] == "ada"
    assert call(client, "add", 1, 2)["result"] == 3
    # Of another user: refused, and the first one holds.
    assert call(client, "rpc.authenticate", token_for("bob"))["error"]["code"] == -32002
    assert call(client, "add", 1, 2)["result"] == 3
    wrong = speak(connect, server.port)
    assert call(wrong, "rpc.authenticate", "x")["error"]["code"] == -32002
    assert close_code(wrong) == 4501


def test_closes_who_does_not_say_who_it_is(boot: Boot, connect: Connect) -> None:
    assert close_code(speak(connect, boot(AUTH_TIMEOUT="100").port)) == 4500
# #endif
# #if rate-limit


def test_takes_what_is_above_the_rate_of_a_user_later(boot: Boot, connect: Connect) -> None:
    server = boot(USER_RATE_LIMIT="2", USER_RATE_BURST="5")
    client = speak(connect, server.port, **ADA)
    for number in range(7):
        request = {"jsonrpc": "2.0", "id": number, "method": "add", "params": [1, 2]}
        client.send(1, json.dumps(request).encode())
    assert [json.loads(client.receive()[1])["id"] for _ in range(7)] == list(range(7))
    # #if metrics
    assert 'ws_rate_limited_total{limit="user"}' in server.get("/metrics")[1]
    assert 'ws_messages_received_total{type="add"} 7' in server.get("/metrics")[1]
    # #endif
# #if auth


@pytest.mark.parametrize("is_late", [False, True])
def test_limits_the_connections_of_a_user(*, boot: Boot, connect: Connect, is_late: bool) -> None:
    server = boot(MAX_CONNECTIONS_PER_USER="1")
    assert call(speak(connect, server.port, **ADA), "add", 1, 2)["result"] == 3
    if is_late:
        client = speak(connect, server.port)
        token = {"token": token_for("ada")}
        request = {"jsonrpc": "2.0", "method": "rpc.authenticate", "params": token}
        client.send(1, json.dumps(request).encode())
        assert close_code(client) == 4429
    else:
        assert "429" in speak(connect, server.port, **ADA).answer
# #endif
# #endif
