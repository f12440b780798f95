"""A server in a process of its own, and a client of blocking sockets."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
# #if auth
import time
# #endif
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
# #if commands
from typing import IO, Any, cast
# #else
#~ from typing import IO, cast
# #endif

# #if auth
import jwt
# #endif
import pytest

ROOT = Path(__file__).parent.parent
TIMEOUT = 20
# #if auth
SECRET = "a secret that is for tests alone"  # noqa: S105
# #endif


class Process:
    """A server that listens."""

    def __init__(self, env: dict[str, str], program: tuple[str, ...]) -> None:
        """Wait until it listens; what it prints instead is in the error."""
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, *program],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "HOST": "127.0.0.1", "PORT": "0"}
            # #if auth
            | {"AUTH_SECRET": SECRET}
            # #endif
            | env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.read_line()
        # #if redis
        while line is not None and line["event"] != "listening":
            line = self.read_line()
        # #endif
        if line is None:
            _, errors = self.process.communicate(timeout=TIMEOUT)
            raise RuntimeError(f"{self.process.returncode}: {errors}")
        self.port = cast("int", line["port"])

    def read_line(self) -> dict[str, object] | None:
        """Return the next event of its log; None at the end."""
        line = cast("IO[str]", self.process.stdout).readline()
        return cast("dict[str, object]", json.loads(line)) if line else None

    def wait_for(self, event: str) -> dict[str, object]:
        """Return the next event of a kind."""
        while (line := self.read_line()) is not None:
            if line["event"] == event:
                return line
        raise RuntimeError(f"the log ended without {event}")

    def get(
        self, path: str, method: str = "GET", body: str | bytes | None = None, **fields: str
    ) -> tuple[int, str]:
        """Return the status and the body of an answer over HTTP."""
        connection = HTTPConnection("localhost", self.port, timeout=TIMEOUT)
        connection.request(method, path, body, fields)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    # #if auth || pubsub || live
    def post(self, path: str, body: object, token: str) -> int:
        """Return the status of an answer to JSON."""
        fields = {"Authorization": f"Bearer {token}"}
        return self.get(path, "POST", json.dumps(body), **fields)[0]

    # #endif
    def stop(self) -> int:
        """Return its exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.communicate(timeout=TIMEOUT)


Boot = Callable[..., Process]


@pytest.fixture
def boot() -> Iterator[Boot]:
    """Start servers that end with the test."""
    servers: list[Process] = []

    def start(*program: str, **env: str) -> Process:
        servers.append(Process(env, program or ("-m", "ws_server")))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Client:
    """A client that reads frames as they are."""

    def __init__(self, port: int, path: str = "/", **fields: str) -> None:
        """Shake hands; `answer` is the head of the response."""
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT)
        self._file = self.socket.makefile("rb")
        head = {
            "Host": f"localhost:{port}",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
            **{name.replace("_", "-"): value for name, value in fields.items()},
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        self.socket.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        self.answer = self._file.readline().decode().strip()
        while self._file.readline() not in (b"\r\n", b""):
            pass

    def send(self, opcode: int, payload: bytes) -> None:
        """Send a whole frame, masked with zeros."""
        size = len(payload)
        length = bytes((size | 128,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self.socket.sendall(bytes((128 | opcode,)) + length + bytes(4) + payload)

    def receive(self) -> tuple[int, bytes]:
        """Return the opcode and the payload of the next frame."""
        first, length = self._file.read(2)
        if length == 126:
            length = int.from_bytes(self._file.read(2), "big")
        return first & 15, self._file.read(length)

    def close(self) -> None:
        """Drop the connection."""
        self._file.close()
        self.socket.close()


# #if commands
class User:
    """A client whose messages are JSON."""

    def __init__(self, client: Client) -> None:
        """Wait for the welcome."""
        self.client = client
        self.name = self.next("welcome")["user"]

    def send(self, kind: str, **fields: object) -> None:
        """Send a command."""
        self.client.send(1, json.dumps({"type": kind, **fields}).encode())

    def next(self, kind: str = "") -> Any:  # noqa: ANN401 -- whatever the server says
        """Return the next message, of a type."""
        while True:
            opcode, payload = self.client.receive()
            if opcode == 9:
                continue
            assert opcode == 1, (opcode, payload)
            message = json.loads(payload)
            if kind in ("", message["type"]):
                return message

    def request(self, kind: str, reply: str, **fields: object) -> Any:  # noqa: ANN401
        """Send a command and return its reply."""
        self.send(kind, id="1", **fields)
        return self.next(reply)


# #if auth
def token_for(user: str, **claims: object) -> str:
    """Return a token that is good for an hour."""
    return jwt.encode({"sub": user, "exp": time.time() + 3600, **claims}, SECRET, "HS256")


# #endif
def visit(connect: Callable[..., Client], port: int, name: str, **fields: str) -> User:
    """Connect a user."""
    # #if auth
    return User(connect(port, Authorization=f"Bearer {token_for(name)}", **fields))
    # #else
    #~ return User(connect(port, path=f"/?user={name}", **fields))
    # #endif


# #endif
@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Open clients that end with the test."""
    clients: list[Client] = []

    def open_client(port: int, path: str = "/", **fields: str) -> Client:
        clients.append(Client(port, path, **fields))
        return clients[-1]

    yield open_client
    for client in clients:
        client.close()
