"""Procedures of this process, and the callee of a realm that they are."""

import asyncio
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from .typed import Fault, reader_of
from .wamp_dealer import Dealer
from .wamp_members import Member, Principal
from .wamp_messages import Code, Dict, Message, Payload, WampError, payload_of
from .wamp_roles import Role
from .wamp_uris import Match

Run = TypeVar("Run", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls."""

    session: int
    authid: str
    authrole: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a procedure."""

    # As it was called: a pattern stands for several.
    procedure: str
    caller: Caller
    # Sends a part of the result; callers that did not ask for parts do not get it.
    progress: Callable[..., None]
    # Publishes an event in the realm: its topic and its arguments.
    publish: Callable[..., None]


class Result:
    """A result with several arguments or with keywords."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Hold them."""
        self.payload = payload_of(args, kwargs)


class Procedure:
    """A function that clients can call; its first parameter is the call."""

    def __init__(self, realm: str, uri: str, match: Match, run: Callable[..., object]) -> None:
        """Read the signature of a function. Raises TypeError for a type that is none of JSON."""
        self.realm = realm
        self.uri = uri
        self.match = match
        self.run = run
        self._signature = inspect.signature(run)
        _, *others = self._signature.parameters.values()
        hints = get_type_hints(run, include_extras=True)
        self._readers = {
            one.name: (reader_of(hints.get(one.name, object)), one.kind) for one in others
        }

    def bind(
        self, call: Call, args: Sequence[object], kwargs: Mapping[str, object]
    ) -> inspect.BoundArguments:
        """Return what the function is called with. Raises WampError for what it does not take."""
        try:
            bound = self._signature.bind(call, *args, **kwargs)
        except TypeError as error:
            raise WampError("wamp.error.invalid_argument", str(error)) from None
        values = bound.arguments
        for name in values.keys() & self._readers.keys():
            read, kind = self._readers[name]
            try:
                if kind == inspect.Parameter.VAR_POSITIONAL:
                    values[name] = tuple(map(read, values[name]))
                elif kind == inspect.Parameter.VAR_KEYWORD:
                    values[name] = {key: read(value) for key, value in values[name].items()}
                else:
                    values[name] = read(values[name])
            except Fault as fault:
                path = ".".join((name, *fault.path))
                raise WampError("wamp.error.invalid_argument", f"{path}: {fault}") from None
        return bound


class Procedures:
    """Functions that clients of a realm can call."""

    def __init__(self, realm: str) -> None:
        """Belong to `realm`."""
        self._realm = realm
        self._made: list[Procedure] = []

    def __iter__(self) -> Iterator[Procedure]:
        """Yield each."""
        return iter(self._made)

    def register(
        self, uri: str, *, match: Match = "exact", realm: str | None = None
    ) -> Callable[[Run], Run]:
        """Let clients call the function that follows under a URI, or under those of a pattern.

        It gets the call, then the arguments and the keyword arguments; what its signature does not
        allow is refused. It may be asynchronous: it is cancelled when its caller cancels the call
        or has gone, and when the call takes too long.
        """

        def add(run: Run) -> Run:
            self._made.append(Procedure(realm or self._realm, uri, match, run))
            return run

        return add


class Host:
    """The callee of a realm that is this process."""

    def __init__(
        self,
        session: int,
        dealer: Dealer,
        announce: Callable[[str, Payload], object],
        failed: Callable[[str, BaseException], None],
    ) -> None:
        """Be the session `session`; `failed` is told of what is no `WampError`."""
        own = Principal("router", "router", "own", "own")
        self._member = Member(session, own, Role(), self)
        self._dealer = dealer
        self._announce = announce
        self._failed = failed
        self._procedures: dict[int, Procedure] = {}
        # What takes its time, by its invocation.
        self._running: dict[int, asyncio.Future[Any]] = {}

    def add(self, made: Procedure) -> None:
        """Register a procedure."""
        registration = self._dealer.register(self._member, made.uri, {"match": made.match})
        self._procedures[registration] = made

    def send(self, message: Message) -> None:
        """Take an INVOCATION or an INTERRUPT."""
        if message[0] == Code.INVOCATION:
            self._invoke(*message[1:])
        elif message[1] in self._running:
            self._running[message[1]].cancel()

    def send_text(self, text: str, kind: str) -> None:
        """Take no event: it subscribes to nothing."""

    def leave(self, reason: str, details: Dict) -> None:
        """Stay."""

    def _invoke(
        self,
        invocation: int,
        registration: int,
        details: Dict,
        args: list[object] | None = None,
        kwargs: Mapping[str, object] | None = None,
    ) -> None:
        made = self._procedures[registration]
        name = details["procedure"]
        call = Call(
            name,
            Caller(details["caller"], details["caller_authid"], details["caller_authrole"]),
            lambda *parts: self._answer(invocation, {"progress": True}, [parts]),
            lambda topic, *data: self._publish(topic, data),
        )
        try:
            bound = made.bind(call, args or [], kwargs or {})
            result = made.run(*bound.args, **bound.kwargs)
            if not inspect.isawaitable(result):
                self._finish(invocation, result)
                return
        except Exception as error:  # noqa: BLE001 -- a bug in one procedure must not end the server
            self._note(invocation, name, error)
            return
        task = asyncio.ensure_future(result)
        self._running[invocation] = task
        task.add_done_callback(lambda _: self._settle(invocation, name, task))

    def _settle(self, invocation: int, name: str, task: asyncio.Future[Any]) -> None:
        del self._running[invocation]
        if task.cancelled():
            self._fail(invocation, WampError("wamp.error.canceled", "canceled"))
            return
        try:
            self._finish(invocation, task.result())
        except Exception as error:  # noqa: BLE001 -- a bug in one procedure must not end the server
            self._note(invocation, name, error)

    def _finish(self, invocation: int, result: object) -> None:
        if isinstance(result, Result):
            payload = result.payload
        else:
            payload = [] if result is None else [[result]]
        self._answer(invocation, {}, payload)

    def _answer(self, invocation: int, options: Dict, payload: Payload) -> None:
        self._dealer.answer(self._member, invocation, options, payload)

    def _publish(self, topic: str, data: tuple[object, ...]) -> None:
        self._announce(topic, payload_of(data, {}))

    def _note(self, invocation: int, name: str, error: Exception) -> None:
        if not isinstance(error, WampError):
            # What went wrong inside is for the log, and not for clients.
            self._failed(name, error)
            error = WampError("wamp.error.runtime_error", "internal error")
        self._fail(invocation, error)

    def _fail(self, invocation: int, error: WampError) -> None:
        self._dealer.fail(self._member, invocation, [{}, error.uri, *error.payload])
