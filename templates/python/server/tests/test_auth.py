"""Tokens, tickets, revocations, and the keys that check tokens."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ws_server.auth import Auth, BadToken
from ws_server.close_codes import CloseCode
from ws_server.config import Config, ConfigError
from ws_server.credentials import Credentials, Steps
from ws_server.environment import read_environment
from ws_server.handshake import Refusal, Request, encode_response
from ws_server.hooks import Identity
from ws_server.keys import COOLDOWN, KeySet, KeysUnavailable
from ws_server.revocations import Revocations
from ws_server.tickets import Tickets

from .conftest import SECRET, TIMEOUT, Boot, token_for, visit
from .conftest import Client as WebSocket

if TYPE_CHECKING:
    from ws_server.client import Client

Connect = Callable[..., WebSocket]
# Something that only who is known may do.
# #if chat
# #if rooms
COMMAND = {"type": "message", "room": "lobby", "text": "hello"}
# #else
#~ COMMAND = {"type": "message", "text": "hello"}
# #endif
# #else
# #if pubsub
#~ COMMAND = {"type": "subscribe", "topic": "a"}
# #else
#~ COMMAND = {"type": "watch", "document": "status"}
# #endif
# #endif

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()


def auth_of(**env: str) -> Auth:
    return Auth(Config.read({"AUTH_SECRET": SECRET, **env}))


def token_of(key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:  # noqa: ANN401
    every = {"sub": "ada", "exp": time.time() + 60, **claims}
    present = {name: value for name, value in every.items() if value is not None}
    return jwt.encode(present, key, algorithm, headers={"kid": "k1"})


def verify(auth: Auth, token: str) -> Identity:
    return asyncio.run(auth.verify(token))


def test_takes_a_token_with_all_that_it_says() -> None:
    auth = auth_of(AUTH_AUDIENCE="tests", AUTH_ISSUER="https://a.example")
    claims: Any = {"aud": ["others", "tests"], "iss": "https://a.example", "more": 1}
    token = token_of(rooms=["private-a"], jti="one", iat=time.time(), **claims)
    identity = verify(auth, token)
    assert (identity.user, identity.token_id, identity.claims["more"]) == ("ada", "one", 1)
    assert identity.rooms == {"private-a"}
    assert verify(auth, token_of(rooms=["a", 1], **claims)).rooms == frozenset()


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": None},
        {"exp": time.time() - 60},
        {"exp": 1e300},
        {"exp": "2100"},
        {"exp": True},
        {"nbf": time.time() + 3600},
        {"iat": time.time() + 3600},
        {"iat": "now"},
        {"aud": "others"},
        {"aud": None},
        {"sub": "a b"},
        {"sub": None},
        {"sub": 7},
        {"jti": 5},
    ],
)
def test_refuses_what_a_token_says(claims: dict[str, object]) -> None:
    with pytest.raises(BadToken):
        verify(auth_of(AUTH_AUDIENCE="tests"), _token_with({"aud": "tests"} | claims))


def _token_with(claims: dict[str, object]) -> str:
    """Return a token with claims that PyJWT would not sign."""
    every = {"sub": "ada", "exp": time.time() + 60, **claims}
    payload = json.dumps({name: value for name, value in every.items() if value is not None})
    return jwt.PyJWS().encode(payload.encode(), SECRET, "HS256")


def test_refuses_what_is_not_signed() -> None:
    head, claims, signature = token_of().split(".")
    _, others, _ = token_of(sub="root").split(".")
    for token in (
        jwt.encode({"sub": "ada", "exp": time.time() + 60}, "", "none"),
        f"{head}.{others}.{signature}",
        f"{head}.{claims}.{signature}=",
        f"{head}.{claims}.{signature[:9]} {signature[9:]}",
        f"{head}.{claims}",
        "abc.def.ghi",
        "x.y.\ud800",
        "",
        token_of("another secret of the same length"),
        jwt.PyJWS().encode(b"[" * 4000, SECRET, "HS256"),
    ):
        with pytest.raises(BadToken):
            verify(auth_of(), token)


def test_takes_no_longer_token() -> None:
    with pytest.raises(BadToken, match="too long"):
        verify(auth_of(), token_of(more="x" * 8192))


def test_knows_that_clocks_differ() -> None:
    now = time.time()
    verify(auth_of(), token_of(iat=now + 4, nbf=now + 4))
    late = verify(auth_of(), token_of(exp=now - 2))
    assert now * 1000 < late.expires_at < (now + 4) * 1000
    with pytest.raises(BadToken):
        verify(auth_of(AUTH_CLOCK_TOLERANCE="0"), token_of(exp=now - 2))


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [(RSA, "RS256", "RS512"), (EC, "ES256", None), (ED, "EdDSA", None)],
)
def test_pins_the_algorithm_to_the_key(key: Any, right: str, wrong: str | None) -> None:  # noqa: ANN401
    public = key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    auth = auth_of(AUTH_SECRET="", AUTH_PUBLIC_KEY=pem.replace("\n", "\\n"))
    assert verify(auth, token_of(key, right)).user == "ada"
    with pytest.raises(BadToken):
        verify(auth, token_of(SECRET))
    if wrong is not None:
        with pytest.raises(BadToken):
            verify(auth, token_of(key, wrong))
    # The public key is no secret: who takes it for one must not get in.
    signed = jwt.PyJWS()
    signed.unregister_algorithm("HS256")
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    hmac.prepare_key = lambda key: key.encode() if isinstance(key, str) else key  # type: ignore[method-assign]
    signed.register_algorithm("HS256", hmac)
    claims = json.dumps({"sub": "ada", "exp": time.time() + 60}).encode()
    with pytest.raises(BadToken):
        verify(auth, signed.encode(claims, pem, "HS256"))


class Source:
    """A server of keys."""

    def __init__(self) -> None:
        """Serve none yet."""
        self.keys: list[dict[str, object]] = []
        self.status = 200
        self.location = ""
        self.count = 0
        source = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                source.count += 1
                self.send_response(source.status)
                if source.location:
                    self.send_header("Location", source.location)
                self.end_headers()
                self.wfile.write(json.dumps({"keys": source.keys}).encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"

    def add(self, key: Any, kid: str | None, **more: object) -> None:  # noqa: ANN401
        """Serve one key more."""
        kinds: dict[type, Any] = {
            rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
            ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
            ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
        }
        kind = next(made for of, made in kinds.items() if isinstance(key, of))
        jwk = kind.to_jwk(key.public_key(), as_dict=True)
        self.keys.append({**jwk, **({"kid": kid} if kid else {}), **more})


@pytest.fixture
def source() -> Iterator[Source]:
    """Serve keys."""
    made = Source()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_fetches_keys(source: Source) -> None:
    source.add(RSA, "k1", use="sig", key_ops=["verify"])
    source.add(EC, None)
    source.add(ED, "other")
    source.add(rsa.generate_private_key(65537, 2048), "k1", use="enc")
    source.add(ED, "wrong", key_ops=None)
    source.keys += [{"kty": "spam"}, {"kty": "oct", "k": "c2VjcmV0"}, cast("Any", 7)]
    auth = auth_of(AUTH_SECRET="", AUTH_JWKS_URL=source.url)

    async def check() -> None:
        assert (await auth.verify(token_of(RSA, "RS256"))).user == "ada"
        # Signed by none of them, by a secret, and with an algorithm that is not used here.
        for bad in (
            token_of(rsa.generate_private_key(65537, 2048), "RS256"),
            token_of(SECRET),
            token_of(RSA, "RS384"),
        ):
            with pytest.raises(BadToken):
                await auth.verify(bad)
        # A token need not say which key has signed it.
        claims = {"sub": "ada", "exp": time.time() + 60}
        assert (await auth.verify(jwt.encode(claims, EC, "ES256"))).user == "ada"
        assert source.count == 1

    asyncio.run(check())


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
def test_ends_a_download_that_drips(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setattr("ws_server.keys.FETCH_TIMEOUT", 0.5)
    pause = threading.Event()
    is_cut = False

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal is_cut
            self.wfile.write(head)
            try:
                for _ in range(1000):
                    self.wfile.write(b"a")
                    pause.wait(0.01)
            except OSError:
                is_cut = True

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        keys = KeySet(f"http://127.0.0.1:{server.server_port}/keys")
        with pytest.raises(KeysUnavailable):
            asyncio.run(keys.find("k1", "RS256"))
        thread.join()
    assert is_cut


def test_asks_for_an_address_once_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ws_server.keys.FETCH_TIMEOUT", 0.1)
    may_answer = threading.Event()
    asked = []

    def ask(*names: object, **_: object) -> list[object]:
        asked.append(names)
        may_answer.wait()
        return []

    monkeypatch.setattr("socket.getaddrinfo", ask)
    keys = KeySet("http://keys.example/keys")
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            asyncio.run(keys.find("k1", "RS256"))
    may_answer.set()
    assert len(asked) == 1


def test_tries_all_keys_that_may_have_signed(source: Source) -> None:
    source.add(rsa.generate_private_key(65537, 2048), "a")
    source.add(RSA, "b")
    auth = auth_of(AUTH_SECRET="", AUTH_JWKS_URL=source.url)
    claims = {"sub": "ada", "exp": time.time() + 60}
    assert verify(auth, jwt.encode(claims, RSA, "RS256")).user == "ada"


def test_fetches_keys_anew_but_not_for_everybody(source: Source) -> None:
    source.add(RSA, "k1")
    now = 0.0
    keys = KeySet(source.url, lambda: now)

    async def check() -> None:
        nonlocal now
        assert len(await keys.find("k1", "RS256")) == 1
        source.add(EC, "k2")
        with pytest.raises(KeysUnavailable) as caught:
            await keys.find("k2", "ES256")
        assert caught.value.retry_after == COOLDOWN * 1000
        now += COOLDOWN
        several = await asyncio.gather(*(keys.find("k2", "ES256") for _ in range(3)))
        assert ([len(found) for found in several], source.count) == ([1, 1, 1], 2)
        now += COOLDOWN
        assert await keys.find("k3", "ES256") == []
        assert source.count == 3
        # What was had long ago may not be valid any more.
        now += 600
        source.status = 500
        with pytest.raises(KeysUnavailable):
            await keys.find("k1", "RS256")

    asyncio.run(check())


def test_says_not_that_a_token_is_bad_while_keys_are_not_to_be_had(source: Source) -> None:
    source.add(RSA, "k1")
    auth = auth_of(AUTH_SECRET="", AUTH_JWKS_URL=source.url)
    token = token_of(RSA, "RS256")

    async def check() -> None:
        for status, location in ((500, ""), (302, source.url)):
            source.status, source.location = status, location
            with pytest.raises(KeysUnavailable):
                await auth.verify(token)
        with pytest.raises(Refusal) as caught:
            await auth.admit(token)
        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})
        source.status = 200
        source.keys, keys = cast("Any", "spam"), source.keys
        with pytest.raises(KeysUnavailable):
            await auth.verify(token)
        source.keys = keys
        assert (await auth.verify(token)).user == "ada"

    asyncio.run(check())


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"NODE_ENV": "production"}, "set AUTH_SECRET"),
        ({"AUTH_SECRET": "hush hush"}, "AUTH_SECRET is wrong, expected at least 32 bytes"),
        ({"AUTH_SECRET": SECRET, "AUTH_JWKS_URL": "https://a.example/"}, "expected one of them"),
        ({"AUTH_JWKS_URL": "http://a.example/"}, "AUTH_JWKS_URL is wrong"),
        ({"AUTH_JWKS_URL": "https://[/"}, "AUTH_JWKS_URL is wrong"),
        ({"AUTH_PUBLIC_KEY": "hush hush"}, "AUTH_PUBLIC_KEY is wrong"),
        ({"ADMIN_TOKEN": "hush hush"}, "ADMIN_TOKEN is wrong"),
    ],
)
def test_has_keys_that_are_good_enough(env: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Config.read(env)
    assert "hush" not in str(caught.value)


def request_of(query: str, *authorization: str) -> Request:
    fields = [("authorization", value) for value in authorization]
    return Request("GET", "/", query, "1.1", fields)


def test_takes_one_token_and_none_from_a_url() -> None:
    token = token_of()

    async def check() -> None:
        auth = auth_of()
        assert (await auth.identify(request_of("", f"bearer  {token} "))).user == "ada"
        assert (await auth.identify(request_of("user=root"))).user == ""
        for status, query, headers in (
            (400, f"token={token}", []),
            (400, f"access_token={token}", [f"Bearer {token}"]),
            (400, "ticket=a&ticket=b", []),
            (400, "ticket=a", [f"Bearer {token}"]),
            (400, "", [f"Bearer {token}", f"Bearer {token}"]),
            (401, "ticket=a", []),
            (401, "ticket=", []),
            (401, "", [token]),
            (401, "", ["Bearer x.y.z"]),
        ):
            with pytest.raises(Refusal) as caught:
                await auth.identify(request_of(query, *headers))
            assert caught.value.status == status

    asyncio.run(check())


def test_takes_a_ticket_once_and_not_beyond_its_token() -> None:
    async def check() -> None:
        auth = auth_of()
        identity = await auth.verify(token_of(jti="one"))
        ticket = auth.tickets.issue(identity)
        assert await auth.identify(request_of(f"ticket={ticket}")) == identity
        with pytest.raises(Refusal):
            await auth.identify(request_of(f"ticket={ticket}"))
        late = Identity("ada", expires_at=time.time() * 1000 - 1)
        with pytest.raises(Refusal):
            await auth.identify(request_of(f"ticket={auth.tickets.issue(late)}"))
        ticket = auth.tickets.issue(identity)
        auth.revocations.revoke_token("one")
        with pytest.raises(Refusal):
            await auth.identify(request_of(f"ticket={ticket}"))

    asyncio.run(check())


def test_tickets_end_after_a_while_and_are_not_given_without_end() -> None:
    now = 0.0
    tickets = Tickets(1000, lambda: now)
    given = [tickets.issue(Identity("ada")) for _ in range(40)]
    assert [ticket is None for ticket in given] == [False] * 32 + [True] * 8
    other = tickets.issue(Identity("bob")) or ""
    now = 0.999
    assert tickets.redeem(given[0] or "") == Identity("ada")
    assert tickets.redeem(given[0] or "") is None
    now = 1.0
    assert tickets.redeem(other) is None
    assert tickets.issue(Identity("ada")) is not None
    for index in range(10_000):
        tickets.issue(Identity(f"user-{index}"))
    assert tickets.issue(Identity("late")) is None


def test_revocations_cover_tokens_of_before() -> None:
    times = iter([5000, 1000])
    revocations = Revocations(now=lambda: next(times), tolerance=10)
    # A clock that goes back undoes nothing.
    revocations.revoke_user("ada")
    revocations.revoke_user("ada")
    covered = [
        revocations.covers(Identity(user, issued_at=at))
        for user, at in (("ada", 5010), ("ada", 5011), ("ada", None), ("bob", 1))
    ]
    assert covered == [True, False, True, False]


def test_revocations_forget_none_but_refuse_more() -> None:
    times = iter(range(1000, 9000, 1000))
    revocations = Revocations(2, lambda: next(times))
    for jti in ("a", "b", "c"):
        revocations.revoke_token(jti)
    for jti, at, is_covered in (("a", 500, True), ("c", 500, True), ("z", 1500, False)):
        assert revocations.covers(Identity("ada", token_id=jti, issued_at=at)) is is_covered


class FakeClient:
    """What credentials need of a client."""

    is_open = True
    id = "1"

    def __init__(self) -> None:
        """Start as nobody."""
        self.identity = Identity("")
        self.sent: list[object] = []
        self.share = SimpleNamespace(log=lambda *_, **__: None)

    @property
    def user(self) -> str:
        """As of a client."""
        return self.identity.user

    def send(self, message: dict[str, object]) -> None:
        """Note it."""
        self.sent.append(message)

    def fail(self, _: object, code: str, __: str, **more: object) -> None:
        """Note it."""
        self.sent.append((code, more.get("retryAfterMs")))

    def close(self, why: CloseCode) -> None:
        """Note it."""
        self.sent.append(why.code)


class Timer:
    """The timers of an event loop, and a clock that moves from one to the next."""

    def __init__(self) -> None:
        """Start at 0."""
        self.now = 0.0
        self._next: tuple[float, Callable[..., None], tuple[object, ...]] | None = None

    def call_later(self, seconds: float, action: Callable[..., None], *args: object) -> "Timer":
        """Plan something, instead of what was planned before."""
        assert seconds <= 3600
        self._next = (self.now + seconds * 1000, action, args)
        return self

    def cancel(self) -> None:
        """Drop what was planned."""
        self._next = None

    def run(self, until: float) -> None:
        """Do what is planned before a moment."""
        while self._next is not None and self._next[0] <= until:
            self.now, action, args = self._next
            self._next = None
            action(*args)
        self.now = until


def credentials_of(client: FakeClient, auth: object, timer: Timer | None = None) -> Credentials:
    async def refresh() -> None:
        client.sent.append("refresh")

    # #if rate-limit && redis
    async def learn(_: str) -> None:
        pass

    # #endif
    steps = Steps(
        # #if rate-limit && redis
        learn,
        # #endif
        lambda command: client.sent.append(("welcome", command)),
        refresh,
        lambda: True,
    )
    made = Credentials(cast("Client", client), cast("Auth", auth), 10_000, steps)
    if timer is not None:
        made._loop = cast("asyncio.AbstractEventLoop", timer)  # noqa: SLF001
    return made


def test_credentials_last_for_months_and_to_the_moment() -> None:
    async def check() -> None:
        timer, client = Timer(), FakeClient()
        auth = SimpleNamespace(now=lambda: timer.now, revocations=Revocations())
        end = 60 * 86_400_000.0
        credentials_of(client, auth, timer).start(Identity("ada", expires_at=end))
        timer.run(end - 30_001)
        assert client.sent == [("welcome", {})]
        timer.run(end - 1)
        assert client.sent[1:] == [{"type": "token-expiring", "expiresInMs": 30_000}]
        timer.run(end)
        assert client.sent[2:] == [4401]

    asyncio.run(check())


def test_credentials_ask_who_is_silent_and_end_who_stays_so() -> None:
    async def check() -> None:
        timer, client = Timer(), FakeClient()
        credentials_of(client, auth_of(), timer).start(Identity(""))
        assert client.sent == [{"type": "auth-required", "timeoutMs": 10_000}]
        timer.run(10_000)
        assert client.sent[1:] == [4500]

    asyncio.run(check())


def test_credentials_take_newer_tokens_of_the_same_user() -> None:
    async def check() -> None:
        client = FakeClient()
        credentials = credentials_of(client, auth_of())
        credentials.start(Identity(""))
        await credentials.present({"token": token_of(), "id": "1"})
        await credentials.present({"token": token_of(sub="bob")})
        await credentials.present({"token": token_of(exp=4_000_000_000), "id": "2"})
        end = "2096-10-02T07:06:40.000Z"
        assert client.sent[1:] == [
            ("welcome", {"token": client.sent[1][1]["token"], "id": "1"}),  # type: ignore[index]
            ("bad_token", None),
            "refresh",
            {"type": "authenticated", "id": "2", "expiresAt": end},
        ]
        credentials.end()

    asyncio.run(check())


def test_credentials_end_who_shows_something_wrong_first_or_was_revoked() -> None:
    async def check() -> None:
        client, auth = FakeClient(), auth_of()
        credentials = credentials_of(client, auth)
        credentials.start(Identity(""))
        await credentials.present({"token": "x.y.z"})
        assert client.sent[1:] == [("bad_token", None), 4501]
        credentials.end()
        auth.revocations.revoke_user("ada")
        credentials_of(client, auth).start(Identity("ada", expires_at=9e12))
        assert client.sent[3:] == [4502]

    asyncio.run(check())


def test_credentials_stay_while_keys_are_not_to_be_had() -> None:
    async def check() -> None:
        client, auth = FakeClient(), auth_of()
        credentials = credentials_of(client, auth)

        async def fail(_: str) -> Identity:
            raise KeysUnavailable("no network")

        auth.verify = fail  # type: ignore[assignment,method-assign]
        credentials.start(Identity("ada", expires_at=9e12))
        await credentials.present({"token": "x"})
        assert client.sent[1:] == [("unavailable", 5000)]
        credentials.end()
        first = credentials_of(client, auth)
        first.start(Identity(""))
        await first.present({"token": "x"})
        assert client.sent[3:] == [("unavailable", 5000), 1013]
        first.end()

    asyncio.run(check())


def sign(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PYTHONPATH": str(Path(__file__).parent.parent / "src"),
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(  # noqa: S603
        [sys.executable, "-m", "ws_server.sign_token", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("before", [None, "PORT=9000", "PORT=9000\n"])
def test_sign_token_adds_a_secret_and_leaves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    file = tmp_path / ".env"
    if before is not None:
        file.write_text(before)
    token = sign(tmp_path, "--user", "ada", "--rooms", "private-a,private-b").stdout.strip()
    text = file.read_text()
    assert text.startswith("" if before is None else "PORT=9000\nAUTH_SECRET=")
    if before is None:
        assert file.stat().st_mode & 0o777 == 0o600
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "AUTH_SECRET"):
        monkeypatch.delenv(name, raising=False)
    identity = verify(Auth(Config.read(read_environment())), token)
    assert identity.rooms == {"private-a", "private-b"}
    sign(tmp_path, "--user", "ada")
    assert file.read_text() == text


@pytest.mark.parametrize("arguments", [[], ["--user", "a b"], ["--user", "ada", "--minutes", "0"]])
def test_sign_token_says_what_is_wrong(tmp_path: Path, arguments: list[str]) -> None:
    made = sign(tmp_path, *arguments)
    assert (made.returncode, made.stdout) == (2, "")
    assert "--" in made.stderr


def test_environment_reads_a_file_below_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "A1=bare value \nB1=\"a # b\"\nC1='c'\n# D1=no\nE1=\nF1=own\n"
    (tmp_path / ".env").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("F1", "process")
    found = read_environment()
    expected = {"A1": "bare value", "B1": "a # b", "C1": "c", "E1": "", "F1": "process"}
    assert {name: found[name] for name in expected} == expected
    assert "D1" not in found


def test_asks_who_is_silent_and_does_nothing_for_it_before(boot: Boot, connect: Connect) -> None:
    client = connect(boot().port)
    send(client, type="ping")
    send(client, **COMMAND, id="1")
    send(client, type="auth", token=token_for("ada"), id="2")
    messages = [json.loads(client.receive()[1]) for _ in range(4)]
    assert [one["type"] for one in messages] == ["auth-required", "pong", "error", "welcome"]
    assert [one.get("code") for one in messages[2:]] == ["not_authenticated", None]
    assert (messages[3]["user"], messages[3]["id"]) == ("ada", "2")


def test_ends_who_says_something_wrong_or_nothing(boot: Boot, connect: Connect) -> None:
    port = boot(AUTH_TIMEOUT="50").port
    silent, wrong = connect(port), connect(port)
    send(wrong, type="auth", token="x.y.z")  # noqa: S106
    assert [json.loads(wrong.receive()[1])["type"] for _ in range(2)] == ["auth-required", "error"]
    assert code_of(wrong) == 4501
    silent.receive()
    assert code_of(silent) == 4500
    assert connect(port, Authorization="Bearer x.y.z").answer == "HTTP/1.1 401 Unauthorized"


def test_ends_a_connection_with_its_token(boot: Boot, connect: Connect) -> None:
    port = boot(AUTH_CLOCK_TOLERANCE="0").port
    token = token_for("ada", exp=time.time() + 1)
    client = connect(port, Authorization=f"Bearer {token}")
    messages = [json.loads(client.receive()[1]) for _ in range(2)]
    assert [one["type"] for one in messages] == ["welcome", "token-expiring"]
    assert code_of(client) == 4401


def test_takes_a_body_in_chunks(boot: Boot) -> None:
    admin = "the-token-of-who-may-revoke"
    server = boot(ADMIN_TOKEN=admin)
    fields = {"Authorization": f"Bearer {admin}"}
    lengths: tuple[dict[str, str], ...] = ({}, {"Content-Length": "14"})
    for more, status in zip(lengths, (204, 400), strict=True):
        connection = HTTPConnection("localhost", server.port, timeout=TIMEOUT)
        chunked = {"Transfer-Encoding": "chunked", **fields, **more}
        body = iter((b'{"user"', b':"ada"}'))
        connection.request("POST", "/revoke", body, chunked, encode_chunked=True)
        assert connection.getresponse().status == status
        connection.close()


def test_gives_tickets_to_pages_of_allowed_origins(boot: Boot, connect: Connect) -> None:
    server = boot(ALLOWED_ORIGINS="https://a.example")
    bearer = {"Authorization": f"Bearer {token_for('ada')}"}
    status, body = server.get("/ticket", "POST", **bearer, Origin="https://a.example")
    assert (status, json.loads(body)["expiresInMs"]) == (200, 30_000)
    path = f"/?ticket={json.loads(body)['ticket']}"
    welcome = json.loads(connect(server.port, path).receive()[1])
    assert (welcome["type"], welcome["user"]) == ("welcome", "ada")
    assert connect(server.port, path).answer == "HTTP/1.1 401 Unauthorized"
    assert server.get("/ticket", "POST", Authorization="Bearer x.y.z")[0] == 401
    assert server.get("/ticket", "POST", **bearer, Origin="https://b.example")[0] == 403
    for origin, status in (("https://a.example", 204), ("https://b.example", 403)):
        assert server.get("/ticket", "OPTIONS", Origin=origin)[0] == status


@pytest.mark.parametrize("what", [{"user": "eve"}, {"jti": "one"}])
def test_ends_what_an_administrator_revokes(
    boot: Boot, connect: Connect, what: dict[str, str]
) -> None:
    admin = "the-token-of-an-administrator"
    server = boot(ADMIN_TOKEN=admin)
    token = token_for("eve", jti="one", iat=time.time())
    stays = visit(connect, server.port, "bob")
    gone = connect(server.port, Authorization=f"Bearer {token}")
    assert json.loads(gone.receive()[1])["type"] == "welcome"
    assert server.post("/revoke", what, token) == 401
    assert server.post("/revoke", {"user": "a b"}, admin) == 400
    assert server.post("/revoke", {**what, "more": 1}, admin) == 400
    assert server.post("/revoke", what, admin) == 204
    assert code_of(gone) == 4502
    assert connect(server.port, Authorization=f"Bearer {token}").answer.endswith("401 Unauthorized")
    assert stays.request("ping", "pong")


def test_says_no_length_of_no_content() -> None:
    assert b"Content-" not in encode_response(204, b"", "text/plain")


def test_revokes_for_nobody_without_admin_token(boot: Boot) -> None:
    assert boot().post("/revoke", {"user": "eve"}, "") == 404


def test_makes_tokens_for_its_page_outside_production(boot: Boot, connect: Connect) -> None:
    server = boot(DEMO="1")
    status, body = server.get("/demo/token", "POST", body='{"user":"ada"}')
    assert status == 200
    token = json.loads(body)["token"]
    client = connect(server.port, Authorization=f"Bearer {token}")
    assert json.loads(client.receive()[1])["user"] == "ada"
    assert server.get("/demo/token", "POST", body='{"user":"a b"}')[0] == 400
    origin = {"Origin": "https://example.com"}
    assert server.get("/demo/token", "POST", body='{"user":"ada"}', **origin)[0] == 403
    assert boot().get("/demo/token", "POST", body='{"user":"ada"}')[0] == 404
    production = boot(DEMO="1", NODE_ENV="production")
    assert production.get("/demo/token", "POST", body='{"user":"ada"}')[0] == 404


def send(client: WebSocket, **message: object) -> None:
    client.send(1, json.dumps(message).encode())


def code_of(client: WebSocket) -> int:
    """Return the code of the next frame, which has to close."""
    opcode, payload = client.receive()
    assert opcode == 8
    return int.from_bytes(payload[:2], "big")
