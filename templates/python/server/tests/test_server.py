"""What the server does, seen through the network and the process alone."""

from collections.abc import Callable

import pytest

from .conftest import Boot, Client

Connect = Callable[..., Client]

FAULTY = """
import sys
import ws_server.handlers.echo

def on_message(message):
    if message == "fail":
        raise ValueError("on purpose")
    if message == "half":
        return "\\ud800"
    return message

ws_server.handlers.echo.on_message = on_message
from ws_server.__main__ import main
main()
"""

FEW_FILES = """
import resource

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
from ws_server.__main__ import main
main()
"""

# No rate recovers.
STANDING_CLOCK = """
import types
import ws_server.admission

ws_server.admission.time = types.SimpleNamespace(monotonic=lambda: 0.0)
"""


@pytest.mark.parametrize("payload", [b"", "Grüße".encode(), b"x" * 3000])
@pytest.mark.parametrize("opcode", [1, 2])
def test_echoes(boot: Boot, connect: Connect, opcode: int, payload: bytes) -> None:
    client = connect(boot().port)
    client.send(opcode, payload)
    assert client.receive() == (opcode, payload)


def test_answers_pings_and_closes(boot: Boot, connect: Connect) -> None:
    client = connect(boot().port)
    client.send(9, b"there?")
    assert client.receive() == (10, b"there?")
    client.send(8, b"\x03\xe8bye")
    assert client.receive() == (8, b"\x03\xe8bye")


@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [(1, b"\xff", 1007), (3, b"", 1002), (8, b"\x03\xec", 1002), (2, b"x" * 101, 1009)],
)
def test_names_what_was_wrong(
    boot: Boot, connect: Connect, opcode: int, payload: bytes, code: int
) -> None:
    client = connect(boot(MAX_PAYLOAD="100").port)
    client.send(opcode, payload)
    opcode, answer = client.receive()
    assert (opcode, int.from_bytes(answer[:2], "big")) == (8, code)


@pytest.mark.parametrize(
    ("message", "error"),
    [(b"fail", "ValueError: on purpose"), (b"half", "UnicodeEncodeError")],
)
def test_lives_on_when_a_handler_fails(
    boot: Boot, connect: Connect, message: bytes, error: str
) -> None:
    server = boot("-c", FAULTY)
    client, other = connect(server.port), connect(server.port)
    client.send(1, message)
    assert client.receive() == (8, b"\x03\xf3internal error")
    assert error in str(server.wait_for("handler-failed")["stack"])
    other.send(1, b"hello")
    assert other.receive() == (1, b"hello")


def test_logs_some_lines_of_a_handler_that_fails(boot: Boot, connect: Connect) -> None:
    server = boot("-c", STANDING_CLOCK + FAULTY)
    for _ in range(30):
        client = connect(server.port)
        client.send(1, b"fail")
        assert client.receive() == (8, b"\x03\xf3internal error")
        client.close()
    server.process.terminate()
    log = iter(server.read_line, None)
    assert 0 < [line["event"] for line in log].count("handler-failed") < 30


def test_opens_more_files_than_it_was_started_with(boot: Boot, connect: Connect) -> None:
    server = boot("-c", FEW_FILES)
    for _ in range(40):
        assert connect(server.port).answer == "HTTP/1.1 101 Switching Protocols"


def test_refuses_pages_of_other_hosts(boot: Boot, connect: Connect) -> None:
    server = boot()
    assert connect(server.port, Origin="https://example.com").answer.startswith("HTTP/1.1 403")
    assert "ALLOWED_ORIGINS" in str(server.wait_for("handshake-refused")["hint"])
    local = connect(server.port, Origin="http://localhost:3000")
    assert local.answer == "HTTP/1.1 101 Switching Protocols"


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/readyz", 200), ("/", 426)])
def test_answers_http(boot: Boot, path: str, status: int) -> None:
    assert boot().get(path)[0] == status


def test_closes_everybody_with_1001(boot: Boot, connect: Connect) -> None:
    server = boot()
    client = connect(server.port)
    server.process.terminate()
    assert client.receive() == (8, b"\x03\xe9server is shutting down")
    client.send(8, b"\x03\xe9")
    assert server.process.wait(20) == 0


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "70000", "an integer from 0 to 65535"),
        ("COMPRESSION", "gzip", "permessage-deflate or none"),
        ("SUBPROTOCOLS", "a b", "names of subprotocols, separated by commas"),
        ("ALLOWED_ORIGINS", "https://a.example/", "origins as in https://example.com"),
        ("MAX_CONNECTIONS_PER_IP", "10001", "at most 10000, as MAX_CONNECTIONS is 10000"),
    ],
)
def test_names_a_wrong_setting(boot: Boot, name: str, value: str, expected: str) -> None:
    with pytest.raises(RuntimeError, match=f'2: {name} is "{value}", expected {expected}'):
        boot(**{name: value})


def test_says_that_a_port_is_taken(boot: Boot) -> None:
    with pytest.raises(RuntimeError, match="1: cannot listen: EADDRINUSE"):
        boot(PORT=str(boot().port))
