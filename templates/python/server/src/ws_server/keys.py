"""Public keys that check tokens."""

import asyncio
import contextlib
import http.client
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

# What tokens of these keys are signed with.
ALGORITHMS = ("RS256", "ES256", "EdDSA")
# Seconds for the keys of AUTH_JWKS_URL; less than a handshake gets.
FETCH_TIMEOUT = 3
# Seconds between two fetches because of unknown keys: anybody may name such a key.
COOLDOWN = 30
# Seconds after which keys are fetched anew.
MAX_AGE = 600
# Bytes of the largest set of keys.
MAX_SET = 1_048_576
# Milliseconds after which a token that could not be checked may come again.
RETRY_AFTER = 5000


class KeysUnavailable(Exception):  # noqa: N818 -- whether a token is valid is not known yet
    """The keys of AUTH_JWKS_URL are not to be had."""

    def __init__(self, message: str, retry_after: float = RETRY_AFTER) -> None:
        """Say after how many milliseconds it is worth to try again."""
        super().__init__(message)
        self.retry_after = round(retry_after)


def algorithm_of(key: object) -> str | None:
    """Return what a public key is for (RFC 8725 section 3.1); None for keys of other kinds."""
    if isinstance(key, RSAPublicKey) and key.key_size >= 2048:
        return "RS256"
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return "ES256"
    return "EdDSA" if isinstance(key, Ed25519PublicKey) else None


def read_public_key(pem: str) -> PublicKey | None:
    """Return the key in a PEM; None if there is none, or none that tokens are signed with."""
    try:
        key = load_pem_public_key(pem.replace("\\n", "\n").encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    known = isinstance(key, PublicKey) and algorithm_of(key) is not None
    return key if known else None  # type: ignore[return-value]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


class _Plain(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _end_later(self.sock)


class _Secure(http.client.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _end_later(self.sock)


def _end_later(connection: socket.socket) -> None:
    """End what takes too long: the time of a socket starts anew with each byte."""
    timer = threading.Timer(FETCH_TIMEOUT, _end, (connection,))
    timer.daemon = True
    timer.start()


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _PlainHandler(urllib.request.HTTPHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Plain, req)


class _SecureHandler(urllib.request.HTTPSHandler):
    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Secure, req)


_OPENER = urllib.request.build_opener(_NoRedirect, _PlainHandler, _SecureHandler)


class KeySet:
    """The keys at a URL (RFC 7517), fetched when they are needed."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Fetch nothing yet."""
        self._url = url
        self._clock = clock
        self._keys: list[tuple[str | None, PublicKey]] = []
        self._fetched_at: float | None = None
        self._begun = 0
        self._fetching: asyncio.Task[None] | None = None
        # Whether a thread is at it, whose result nobody may wait for any more.
        self._is_busy = False

    async def find(self, kid: str | None, algorithm: str) -> list[PublicKey]:
        """Return the keys that may have signed a token.

        There are none only if a fetch that began after the question has brought no such key: the
        keys may have been changed since the last one. Raises KeysUnavailable.
        """
        before = self._begun
        if self._fetched_at is None or self._clock() - self._fetched_at >= MAX_AGE:
            await self._fetch()
        found = self._matching(kid, algorithm)
        if found or self._begun > before:
            return found
        wait = (self._fetched_at or 0) + COOLDOWN - self._clock()
        if wait > 0:
            why = "the key is unknown, and it is too early to fetch keys"
            raise KeysUnavailable(why, max(1000, wait * 1000))
        await self._fetch()
        return self._matching(kid, algorithm)

    def _matching(self, kid: str | None, algorithm: str) -> list[PublicKey]:
        return [
            key
            for name, key in self._keys
            if (kid is None or name == kid) and algorithm_of(key) == algorithm
        ]

    async def _fetch(self) -> None:
        """Fetch the keys; who comes meanwhile waits for the same."""
        if self._fetching is None:
            self._begun += 1
            self._fetching = asyncio.create_task(self._load())
            self._fetching.add_done_callback(self._forget)
        await asyncio.shield(self._fetching)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            # Who waits has it.
            task.exception()

    async def _load(self) -> None:
        if self._is_busy:
            raise KeysUnavailable("the fetch before has not ended")
        self._is_busy = True
        loop = asyncio.get_running_loop()
        found: asyncio.Future[bytes] = loop.create_future()
        # One of its own, that the end of the process does not wait for: nothing ends a question for
        # an address.
        threading.Thread(target=self._work, args=(loop, found), daemon=True).start()
        try:
            text = await asyncio.wait_for(found, FETCH_TIMEOUT)
            self._keys = _read_keys(json.loads(text))
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise KeysUnavailable(f"{type(error).__name__}: {error}") from error
        self._fetched_at = self._clock()

    def _work(self, loop: asyncio.AbstractEventLoop, found: asyncio.Future[bytes]) -> None:
        text, failed = b"", None
        try:
            text = _download(self._url)
        except Exception as error:  # noqa: BLE001 -- who waits has it
            failed = error
        self._is_busy = False
        # The loop may have ended meanwhile.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, found, text, failed)


def _settle(found: asyncio.Future[bytes], text: bytes, failed: Exception | None) -> None:
    if found.done():
        return
    if failed is None:
        found.set_result(text)
    else:
        found.set_exception(failed)


def _download(url: str) -> bytes:
    try:
        with _OPENER.open(url, timeout=FETCH_TIMEOUT) as response:
            text: bytes = response.read(MAX_SET + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise
    if len(text) > MAX_SET:
        raise ValueError(f"expected at most {MAX_SET} bytes of keys")
    return text


def _read_keys(value: object) -> list[tuple[str | None, PublicKey]]:
    items = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise ValueError("expected a set of keys (RFC 7517 section 5)")  # noqa: TRY004
    found = ((item.get("kid"), _read_key(item)) for item in items if isinstance(item, dict))
    return [(kid, key) for kid, key in found if key is not None]


def _read_key(item: Mapping[str, Any]) -> PublicKey | None:
    """Return the key of a member of a set; None for one that is for something else."""
    try:
        if item.get("use", "sig") != "sig" or "verify" not in item.get("key_ops", ["verify"]):
            return None
        key = jwt.PyJWK(dict(item))
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if not isinstance(key.key, PublicKey) or algorithm_of(key.key) != key.algorithm_name:
        return None
    return key.key
