"""Servers that share a Redis, seen through the network alone."""

# #if auth || live || presence || rate-limit
import asyncio
# #endif
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
# #if live
from concurrent.futures import ThreadPoolExecutor
# #endif
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

# #if live || presence || rate-limit
from ws_server.config import Config
# #endif
# #if live
from ws_server.documents import Documents
from ws_server.messages import Position
# #endif
# #if auth || rate-limit
from ws_server.redis_link import RedisDownError
# #endif
# #if auth
from ws_server.redis_shared import SharedRevocations
# #endif
# #if presence
from ws_server.redis_store import RedisStore
# #endif
# #if auth
from ws_server.revocations import Revocations
# #endif
# #if live
from ws_server.store import Listener, Unsubscribe
# #endif
# #if rate-limit
from ws_server.users import Users
# #endif

from .conftest import (
    TIMEOUT,
    Boot,
    Client,
    Process,
    # #if chat || pubsub
    User,
    # #if auth
    token_for,
    # #endif
    visit,
    # #else
    #~ visit,
    # #endif
)

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="redis-server is not installed"
)

Connect = Callable[..., Client]
# Short waits, as nothing in these tests takes long.
QUICK = {"REDIS_TIMEOUT": "300", "POSITION_CHECK": "50", "REDIS_PREFIX": "tests"}


class Server:
    """A Redis of a test's own, which keeps nothing."""

    def __init__(self, folder: Path) -> None:
        """Take a free port."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        """Return when it takes connections."""
        own = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder))
        self._process = subprocess.Popen(  # noqa: S603
            ["redis-server", *own, "--save", "", *options],  # noqa: S607
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "Ready to accept connections" in line:
                return
        raise RuntimeError("Redis has ended")

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=TIMEOUT)
            self._process = None

    def ask(self, *parts: str) -> Any:  # noqa: ANN401 -- whatever Redis says
        """Return the reply to a command, on a connection of its own."""
        with Redis(port=self.port, decode_responses=True) as client:
            return client.execute_command(*parts)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    """Return one that is not started yet."""
    server = Server(tmp_path)
    yield server
    server.kill()


# #if chat || pubsub
def join(user: User, room: str, since: object = None) -> Any:  # noqa: ANN401
    """Enter a room of chat, or subscribe to a stream."""
    fields = {} if since is None else {"since": since}
    # #if chat
    return user.request("join", "joined", room=room, **fields)
    # #else
    #~ return user.request("subscribe", "subscribed", topic=f"{room}.#", **fields)
    # #endif


def tell(user: User, room: str, text: str, own: str) -> None:
    # #if chat
    user.send("message", id=own, room=room, text=text)
    # #else
    #~ user.send("publish", id=own, topic=f"{room}.a", data=text)
    # #endif


def say(user: User, room: str, text: str, own: str = "1", reply: str = "ack") -> Any:  # noqa: ANN401
    """Return the reply; skip what comes before it."""
    tell(user, room, text, own)
    return user.next(reply)


def heard(user: User) -> tuple[str, int]:
    """Return the next message, with its offset."""
    # #if chat
    message = user.next("message")
    return message["text"], message["offset"]
    # #else
    #~ event = user.next("event")
    #~ return event["data"], event["offset"]
    # #endif


def texts(reply: Any) -> list[str]:  # noqa: ANN401
    """Return what the messages of a reply say."""
    # #if chat
    return [message["text"] for message in reply["messages"]]
    # #else
    #~ return [event["data"] for event in reply["messages"]]
    # #endif


def close_code(user: User) -> int:
    """Return with which code the server closes a connection."""
    while True:
        opcode, payload = user.client.receive()
        if opcode == 8:
            return int.from_bytes(payload[:2], "big")


# #endif
def until(is_true: Callable[[], object]) -> None:
    """Ask again and again."""
    end = time.monotonic() + TIMEOUT
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


def readiness(node: Process) -> tuple[int, str, str]:
    code, text = node.get("/readyz")
    body = json.loads(text)
    return code, body["status"], body.get("reason", "")


# #if chat || pubsub
def is_serving(node: Process) -> bool:
    return readiness(node)[1] == "serving"


# #endif
# #if chat || pubsub
def test_servers_share_positions_and_ids(boot: Boot, connect: Connect, redis: Server) -> None:
    redis.start()
    env = {**QUICK, "REDIS_TIMEOUT": "5000", "REDIS_URL": redis.url, "HISTORY_MESSAGES": "5"}
    one, other = boot(**env), boot(**env)
    ada, bob = visit(connect, one.port, "ada"), visit(connect, other.port, "bob")
    position = join(ada, "a")["position"]
    join(bob, "a")
    for index in range(4):
        tell((ada, bob)[index % 2], "a", str(index), str(index))
        assert heard(ada) == heard(bob) == (str(index), index + 1)
    back = visit(connect, other.port, "ada")
    joined = join(back, "a", position)
    assert (joined["recovered"], texts(joined)) == (True, ["0", "1", "2", "3"])
    again = say(back, "a", "0", "0")
    assert (again["offset"], again["duplicate"]) == (1, True)
    # One that was away too long.
    for index in range(4, 7):
        say(bob, "a", str(index), str(index))
    joined = join(visit(connect, one.port, "carl"), "a", position)
    assert (joined["recovered"], texts(joined)) == (False, ["2", "3", "4", "5", "6"])
    # Those with another prefix are left alone.
    alone = visit(connect, boot(**{**env, "REDIS_PREFIX": "others"}).port, "ada")
    assert texts(join(alone, "a")) == []


def test_what_was_not_heard_is_read_or_told(boot: Boot, connect: Connect, redis: Server) -> None:
    redis.start()
    env = {**QUICK, "REDIS_TIMEOUT": "5000", "REDIS_URL": redis.url}
    node = boot(**env)
    ada = visit(connect, node.port, "ada")
    position = join(ada, "a")["position"]
    tell(ada, "a", "1", "1")
    assert heard(ada)[1] == 1
    data = redis.ask("XRANGE", "tests:{a}:stream", "-", "+")[0][1]["d"]
    redis.ask("XADD", "tests:{a}:stream", "2-0", "d", data)
    redis.ask("HSET", "tests:{a}:meta", "offset", "2")
    assert heard(ada)[1] == 2
    redis.ask("DEL", "tests:{a}:meta")
    assert close_code(ada) == 4409
    back = visit(connect, node.port, "ada")
    assert join(back, "a", position)["recovered"] is False
    # Something else has the name of a room.
    redis.ask("SET", "tests:{b}:meta", "x")
    # #if chat
    back.send("join", room="b")
    # #else
    #~ back.send("subscribe", topic="b.#")
    # #endif
    assert close_code(back) == 1011
    assert is_serving(node)


# #if presence
def test_servers_know_who_is_there(boot: Boot, connect: Connect, redis: Server) -> None:
    redis.start()
    env = {**QUICK, "REDIS_TIMEOUT": "5000", "REDIS_URL": redis.url, "PRESENCE_TTL": "400"}
    one, other = boot(**env), boot(**env)
    ada, bob = visit(connect, one.port, "ada"), visit(connect, other.port, "bob")
    too = visit(connect, one.port, "bob")
    join(ada, "a")
    assert join(bob, "a")["members"] == ["ada", "bob"]
    assert ada.next("member-joined")["user"] == "bob"
    join(too, "a")
    bob.request("leave", "left", room="a")
    too.request("leave", "left", room="a")
    assert ada.next("member-left")["user"] == "bob"
    assert ada.request("members", "members", room="a")["members"] == ["ada"]
    join(bob, "a")
    assert ada.next("member-joined")["user"] == "bob"
    # What a killed server has said ends by itself.
    other.close()
    assert ada.next("member-left")["user"] == "bob"


def test_a_new_connection_learns_at_once_who_is_in_many_rooms() -> None:
    class Link:
        prefix = "tests"
        running = most = 0

        def on_up(self, action: object) -> None:
            self.up = action

        async def run(self, *_script: object) -> None:
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(0)
            self.running -= 1

    async def enter() -> int:
        link: Any = Link()
        nothing: Any = None
        store = RedisStore(Config.read({}), link, lambda: nothing)
        for room in ("a", "b", "c"):
            await store.enter(room, "ada", "")
        await link.up()
        most = int(link.most)
        await store.close()
        return most

    assert asyncio.run(enter()) == 3


# #endif
# #if rate-limit
def test_servers_count_what_a_user_has_together(
    boot: Boot, connect: Connect, redis: Server
) -> None:
    redis.start()
    env = {
        **QUICK,
        "REDIS_TIMEOUT": "5000",
        "REDIS_URL": redis.url,
        "MESSAGE_TIMEOUT": "200",
        "USER_RATE_LIMIT": "1",
        "USER_RATE_BURST": "10",
        "MAX_CONNECTIONS_PER_USER": "2",
    }
    one, other = boot(**env), boot(**env)
    first, second = (visit(connect, node.port, "carol") for node in (one, other))

    def third() -> str:
        # #if auth
        client = connect(one.port, Authorization=f"Bearer {token_for('carol')}")
        # #else
        #~ client = connect(one.port, path="/?user=carol")
        # #endif
        client.close()
        return client.answer

    # Of the second, Redis is told when it is in.
    until(lambda: " 429 " in third())
    for _ in range(10):
        first.send("ping")

    def is_limited() -> bool:
        second.send("ping", id="1")
        return bool(json.loads(second.client.receive()[1])["type"] == "error")

    until(is_limited)
    first.client.close()
    until(lambda: " 101 " in third())


# #endif
# #if auth
def test_servers_take_tickets_and_revocations_of_each_other(
    boot: Boot, connect: Connect, redis: Server
) -> None:
    redis.start()
    admin = "token-of-the-admin"
    env = {**QUICK, "REDIS_TIMEOUT": "5000", "REDIS_URL": redis.url, "ADMIN_TOKEN": admin}
    one, other = boot(**env), boot(**env)
    _, text = one.get("/ticket", "POST", Authorization=f"Bearer {token_for('dave')}")
    ticket = json.loads(text)["ticket"]
    assert ticket not in "".join(redis.ask("KEYS", "*"))
    dave = User(connect(other.port, path=f"/?ticket={ticket}"))
    assert dave.name == "dave"
    for node in (one, other):
        assert " 401 " in connect(node.port, path=f"/?ticket={ticket}").answer
    assert one.post("/revoke", {"user": "dave"}, admin) == 204
    assert close_code(dave) == 4502
    # Also one that comes later.
    for node in (one, other, boot(**env)):
        field = f"Bearer {token_for('dave', iat=1)}"
        assert " 401 " in connect(node.port, Authorization=field).answer


# #endif
def test_a_server_goes_on_without_its_redis(boot: Boot, connect: Connect, redis: Server) -> None:
    node = boot(**QUICK, REDIS_URL=redis.url)
    assert readiness(node)[:2] == (200, "degraded")
    ada = visit(connect, node.port, "ada")
    position = join(ada, "a")["position"]
    tell(ada, "a", "1", "1")
    assert heard(ada) == ("1", 1)
    redis.start()
    assert close_code(ada) == 4409
    until(lambda: is_serving(node))
    ada = visit(connect, node.port, "ada")
    joined = join(ada, "a", position)
    assert joined["recovered"] is False
    say(ada, "a", "2")
    redis.kill()
    # Its client sends again what was not acknowledged.
    tell(ada, "a", "3", "two")
    assert close_code(ada) == 4409
    ada = visit(connect, node.port, "ada")
    assert join(ada, "a", joined["position"])["recovered"] is False
    assert say(ada, "a", "3", "two")["duplicate"] is True
    redis.start()
    assert close_code(ada) == 4409
    until(lambda: is_serving(node))
    assert node.stop() == 0


def test_waits_for_a_redis_for_a_moment(boot: Boot, connect: Connect, redis: Server) -> None:
    redis.start()
    node = boot(**{**QUICK, "REDIS_TIMEOUT": "1000"}, REDIS_URL=redis.url)
    ada = visit(connect, node.port, "ada")
    join(ada, "a")
    redis.ask("CLIENT", "PAUSE", "300", "ALL")
    assert say(ada, "a", "1")["offset"] == 1
    redis.ask("CLIENT", "PAUSE", "60000", "WRITE")
    tell(ada, "a", "2", "2")
    assert close_code(ada) == 4409
    back = visit(connect, node.port, "ada")
    join(back, "a")
    assert say(back, "a", "3")["type"] == "ack"
    redis.ask("CLIENT", "UNPAUSE")
    assert close_code(back) == 4409


def test_refuses_what_a_full_redis_does_not_take(
    boot: Boot, connect: Connect, redis: Server
) -> None:
    redis.start("--maxmemory-policy", "noeviction")
    node = boot(**{**QUICK, "REDIS_TIMEOUT": "5000"}, REDIS_URL=redis.url)
    ada = visit(connect, node.port, "ada")
    join(ada, "a")
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    error = say(ada, "a", "1", reply="error")
    assert (error["code"], error["id"]) == ("rate_limited", "1")
    assert error["retryAfterMs"] > 0
    assert is_serving(node)
    # #if metrics
    assert 'ws_redis_errors_total{why="full"} 1' in node.get("/metrics")[1]
    # #endif
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    assert say(ada, "a", "2")["offset"] == 1


# #endif
# #if auth
def test_a_revocation_may_be_said_twice_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    class Link:
        prefix = "tests"

        def on_up(self, _action: object) -> None:
            """Never."""

        async def run(self, *_script: object) -> None:
            await asyncio.sleep(0)

    async def say_twice() -> None:
        link: Any = Link()
        shared = SharedRevocations(link, Revocations(), lambda: None)
        await asyncio.gather(shared.say("user:ada"), shared.say("user:ada"))

    asyncio.run(say_twice())
    assert "redis-failed" not in "".join(capfd.readouterr())


def test_a_revocation_that_failed_is_said_again_though_an_earlier_one_did_not() -> None:
    class Link:
        prefix = "tests"
        said = 0

        def __init__(self) -> None:
            self.may_answer_first = asyncio.Event()

        def on_up(self, action: object) -> None:
            self.up = action

        async def run(self, *_script: object) -> None:
            self.said += 1
            if self.said == 1:
                await self.may_answer_first.wait()
            elif self.said == 3:
                raise RedisDownError

        async def subscribe(self, *_listener: object) -> None:
            """Nothing is published."""

        async def command(self, *_parts: object) -> list[Any]:
            return []

    async def say_thrice() -> int:
        link: Any = Link()
        shared = SharedRevocations(link, Revocations(), lambda: None)
        slow = asyncio.create_task(shared.say("user:ada"))
        await asyncio.sleep(0)
        await shared.say("user:ada")
        await shared.say("user:ada")
        link.may_answer_first.set()
        await slow
        await link.up()
        await link.up()
        return int(link.said)

    assert asyncio.run(say_thrice()) == 4


# #endif
# #if rate-limit
class SlowLink:
    """Answers when it may."""

    prefix = "tests"

    def __init__(self) -> None:
        """Answer that there are two connections elsewhere, or that Redis is away."""
        self.may_answer = asyncio.Event()
        self.is_down = False
        self.taken: list[float] = []

    async def run(self, _script: object, _keys: object, *args: float) -> list[object]:
        """See RedisLink."""
        self.taken.append(args[5] - args[4])
        await self.may_answer.wait()
        if self.is_down:
            raise RedisDownError
        return [2, b"10"]

    def spawn(self, step: Any) -> asyncio.Task[None]:  # noqa: ANN401
        """See RedisLink."""
        self.task = asyncio.create_task(step)
        return self.task


def test_what_a_user_has_elsewhere_is_known_until_it_is_let_in() -> None:
    async def ask() -> None:
        link: Any = SlowLink()
        limits = {"MAX_CONNECTIONS_PER_USER": "2", "USER_RATE_BURST": "10"}
        users = Users(Config.read({**limits, "USER_RATE_LIMIT": "1"}), link)
        asking = asyncio.create_task(users.learn("ada"))
        await asyncio.sleep(0)
        users.sweep()
        link.may_answer.set()
        await asking
        assert users.is_full("ada")
        users.sweep()
        assert not users.is_full("ada")

    asyncio.run(ask())


def test_what_is_taken_without_redis_is_said_later() -> None:
    async def take() -> None:
        link: Any = SlowLink()
        link.may_answer.set()
        link.is_down = True
        users = Users(Config.read({"USER_RATE_LIMIT": "1", "USER_RATE_BURST": "10"}), link)
        share = users.enter("ada")
        assert share is not None
        for _ in range(5):
            share.commands.take()
        await link.task
        link.is_down = False
        users.sweep()
        await link.task
        assert link.taken == [5] * 2

    asyncio.run(take())


def test_what_a_user_takes_is_said_by_one_however_long_redis_takes() -> None:
    async def take() -> None:
        link: Any = SlowLink()
        limits = {"USER_RATE_LIMIT": "1", "USER_RATE_BURST": "10"}
        users = Users(Config.read({**limits, "HANDSHAKE_TIMEOUT": "1000"}), link)
        share = users.enter("ada")
        assert share is not None
        share.commands.take()
        await asyncio.sleep(0)
        # The handshake that asks ends before there is an answer.
        asking = asyncio.create_task(users.learn("ada"))
        await asyncio.sleep(0)
        for _ in range(5):
            share.commands.take()
            users.sweep()
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert link.taken == [1]
        link.may_answer.set()
        await link.task
        assert link.taken == [1, 5]
        assert share.said_taken == 6
        assert share.asking == 0

    asyncio.run(take())


# #endif
# #if live
TOKEN = "the-token-of-another-program-that-publishes"  # noqa: S105


def call(node: Process, method: str, name: str, value: object = None) -> tuple[int, Any]:
    """Return the status and the body of an answer about a document."""
    kind = "application/json-patch+json" if method == "PATCH" else "application/json"
    fields = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
    status, body = node.get(f"/documents/{name}", method, json.dumps(value), **fields)
    return status, json.loads(body)


class LateRemoval:
    """A store in which another server removes the document just after it was read."""

    def __init__(self) -> None:
        """Have it at first."""
        self.documents = self
        self.is_gone = False

    async def subscribe(self, _channel: str, listener: Listener, _owner: str) -> Unsubscribe:
        """See Store."""
        self.listener = listener
        return lambda: None

    async def load(self, _name: str) -> tuple[Position, bytes] | None:
        """See DocumentStore."""
        if self.is_gone:
            return None
        self.is_gone = True
        self.listener.on_removed()
        return Position(1, "e"), b"{}"


def test_a_document_removed_while_it_is_read_is_gone() -> None:
    nobody: Any = None
    store: Any = LateRemoval()
    documents = Documents(Config.read({}), store, nobody)
    assert asyncio.run(documents.open("a")) is None


def test_servers_share_documents(boot: Boot, connect: Connect, redis: Server) -> None:
    redis.start()
    env = {**QUICK, "REDIS_TIMEOUT": "5000", "REDIS_URL": redis.url, "PUBLISH_TOKEN": TOKEN}
    one, other = boot(**env), boot(**env)
    value: dict[str, Any] = {"list": [], "text": "x" * 200}
    assert call(one, "PUT", "a", value)[0] == 200
    ada = visit(connect, other.port, "ada")
    watching = ada.request("watch", "watching", document="a")
    assert watching["data"] == value
    patch = [{"op": "add", "path": "/list/-", "value": 0}]
    assert call(one, "PATCH", "a", patch)[0] == 200
    assert ada.next("patch")["patch"] == patch

    def change(number: int) -> int:
        patch = [{"op": "add", "path": "/list/-", "value": number}]
        return call((one, other)[number % 2], "PATCH", "a", patch)[0]

    # None is lost of those that are made at the same time.
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(change, range(1, 17))) == [200] * 16
    bodies = [call(node, "GET", "a")[1] for node in (one, other)]
    assert bodies[0] == bodies[1]
    assert sorted(bodies[0]["data"]["list"]) == list(range(17))
    bob = visit(connect, one.port, "bob")
    again = bob.request("watch", "watching", document="a", since=watching["position"])
    assert (again["recovered"], len(again["patches"])) == (True, 17)
    redis.ask("DEL", "tests:{a}:meta")
    assert bob.next("snapshot")["position"]["epoch"] != watching["position"]["epoch"]
    assert call(one, "DELETE", "a")[0] == 200
    assert ada.next("removed")["document"] == "a"
    assert call(other, "GET", "a")[0] == 404


def test_documents_outlive_their_redis(boot: Boot, connect: Connect, redis: Server) -> None:
    redis.start()
    node = boot(**QUICK, REDIS_URL=redis.url, PUBLISH_TOKEN=TOKEN)
    call(node, "PUT", "a", {"n": 1})
    ada = visit(connect, node.port, "ada")
    ada.request("watch", "watching", document="a")
    redis.kill()
    assert call(node, "PUT", "a", {"n": 2})[0] == 503
    assert call(node, "GET", "unknown")[0] == 503
    assert ada.request("watch", "watching", document="a")["data"] == {"n": 1}
    error = ada.request("watch", "error", document="unknown")
    assert (error["code"], error["retryAfterMs"]) == ("unavailable", 2000)
    redis.start()
    until(lambda: call(node, "PUT", "a", {"n": 3})[0] == 200)
    assert call(node, "GET", "a")[1]["data"] == {"n": 3}


# #endif
def test_says_what_is_wrong_with_its_redis(boot: Boot, redis: Server, tmp_path: Path) -> None:
    redis.start("--requirepass", "hidden")

    def check(url: str, reason: str) -> None:
        node = boot(**QUICK, REDIS_URL=url)
        until(lambda: reason in readiness(node)[2])
        node.close()

    check(redis.url, "needs a password")
    check(redis.url.replace("//", "//:guess@"), "password in REDIS_URL is wrong")
    redis.kill()
    redis.start("--cluster-enabled", "yes")
    check(redis.url, "a node of a Redis Cluster")
    redis.kill()
    (tmp_path / "nodes.conf").unlink(missing_ok=True)
    redis.start("--replicaof", "127.0.0.1", "1")
    check(redis.url, "a read-only replica")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check(f"redis://127.0.0.1:{silent.getsockname()[1]}", "no answer for 300 ms")


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://:secret@"])
def test_refuses_a_url_that_cannot_be_one(boot: Boot, url: str) -> None:
    with pytest.raises(RuntimeError, match=r"2: REDIS_URL is wrong, expected redis:") as caught:
        boot(REDIS_URL=url)
    assert "secret" not in str(caught.value)
