"""The dealer of a realm: routes calls to who registered their procedures, and answers back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .wamp_members import Member, Space, check_uri, choice_of, flag_of, match_of
from .wamp_messages import Code, Dict, Message, Payload, ViolationError, WampError
from .wamp_uris import Match, Patterns

Policy = Literal["single", "first", "last", "roundrobin", "random"]
POLICIES: tuple[Policy, ...] = ("single", "first", "last", "roundrobin", "random")
Mode = Literal["skip", "kill", "killnowait"]
MODES: tuple[Mode, ...] = ("skip", "kill", "killnowait")
# Milliseconds of the longest timeout.
MAX_TIMEOUT = 2**31 - 1


class Timer(Protocol):
    """What is going to happen."""

    def cancel(self) -> None:
        """Prevent it."""


# Does something after so many seconds.
CallLater = Callable[[float, Callable[[], None]], Timer]


@dataclass(slots=True, eq=False)
class Registration:
    """A procedure, and who answers its calls: several callees if they share it."""

    id: int
    uri: str
    match: Match
    policy: Policy
    callees: list[Member] = field(default_factory=list)
    # The place of the callee whose turn it is.
    turn: int = 0


@dataclass(slots=True, eq=False)
class Call:
    """A call under way."""

    caller: Member
    request: int
    callee: Member
    invocation: int
    wants_progress: bool
    # Milliseconds between two parts of its result; 0: any time.
    timeout: float
    # The callee has been interrupted, and its answer is what the caller gets.
    is_interrupted: bool = False
    timer: Timer | None = None


class Dealer:
    """Knows who registered what, and which calls are under way."""

    def __init__(self, space: Space, call_later: CallLater, random: Callable[[], float]) -> None:
        """Start without registrations; `random` is from 0 to below 1."""
        self._space = space
        self._call_later = call_later
        self._random = random
        self._registrations: Patterns[Registration] = Patterns()
        self._by_id: dict[int, Registration] = {}
        self._last_id = 0

    def register(self, member: Member, uri: str, options: Dict) -> int:
        """Return the id of a registration."""
        match = match_of(options)
        policy = choice_of(options, "invoke", POLICIES, "single")
        if not member.is_own:
            check_uri(uri, match, is_open=False)
            member.role.check("register", uri, match)
        registration = self._registrations.get(uri, match)
        if registration is not None:
            _check_shared(registration, member, policy)
        if not member.is_own:
            limit = self._space.limits.registrations
            self._space.take("registrations", len(member.registrations), limit)
        if registration is None:
            self._last_id += 1
            registration = Registration(self._last_id, uri, match, policy)
            self._registrations.add(uri, match, registration)
            self._by_id[registration.id] = registration
        registration.callees.append(member)
        member.registrations.add(registration)
        return registration.id

    def unregister(self, member: Member, registration_id: int) -> None:
        """End a registration of a session."""
        registration = self._by_id.get(registration_id)
        if registration is None or member not in registration.callees:
            raise WampError("wamp.error.no_such_registration", "there is none with this id")
        self._remove(member, registration)

    def call(self, caller: Member, request: int, options: Dict, uri: str, payload: Payload) -> None:
        """Send a call to a callee of its procedure."""
        if request in caller.calls:
            raise ViolationError("call: the request is under way")
        check_uri(uri, is_open=True)
        is_disclosed = flag_of(options, "disclose_me")
        caller.role.check("call", uri)
        if is_disclosed:
            caller.role.check_disclosing("call", uri)
        timeout = _timeout_of(options)
        wants_progress = flag_of(options, "receive_progress")
        registration = next(self._registrations.matching(uri), None)
        if registration is None:
            raise WampError("wamp.error.no_such_procedure", "nobody has registered it")
        limit = self._space.limits.calls
        if len(caller.calls) >= limit:
            raise WampError("error.too_many_calls", f"at most {limit} of a session at a time")
        callee = self._choose(registration)
        callee.last_invocation += 1
        invocation = callee.last_invocation
        call = Call(caller, request, callee, invocation, wants_progress, timeout)
        caller.calls[request] = call
        callee.invocations[invocation] = call
        self._start_timer(call)
        details: dict[str, object] = {}
        if is_disclosed or callee.is_own:
            details |= caller.disclosed("caller")
        if registration.match != "exact" or callee.is_own:
            details["procedure"] = uri
        if wants_progress:
            # Callees that do not announce parts of results are asked, too: many make them.
            details["receive_progress"] = True
        callee.outlet.send([Code.INVOCATION, invocation, registration.id, details, *payload])

    def answer(self, callee: Member, invocation: int, options: Dict, payload: Payload) -> None:
        """Pass on a result or a part of it; one of a call that has ended is left out."""
        call = callee.invocations.get(invocation)
        if call is None:
            return
        is_part = flag_of(options, "progress")
        if is_part and not call.wants_progress:
            return
        details = {"progress": True} if is_part else {}
        call.caller.outlet.send([Code.RESULT, call.request, details, *payload])
        if is_part:
            self._start_timer(call)
        else:
            self._end(call)

    def fail(self, callee: Member, invocation: int, error: Message) -> None:
        """Pass on an error: its details, its URI and its payload."""
        call = callee.invocations.get(invocation)
        if call is None:
            return
        self._end(call)
        call.caller.outlet.send([Code.ERROR, Code.CALL, call.request, *error])

    def cancel(self, caller: Member, request: int, options: Dict) -> None:
        """Cancel a call, unless it has ended."""
        call = caller.calls.get(request)
        if call is None:
            return
        mode = choice_of(options, "mode", MODES, "killnowait")
        if mode == "kill" and call.callee.can_cancel:
            if not call.is_interrupted:
                _interrupt(call, mode, "wamp.error.canceled")
            return
        is_killed = mode != "skip"
        self._abandon(call, "wamp.error.canceled", "canceled by the caller", is_killed=is_killed)

    def leave(self, member: Member) -> None:
        """End what a session has under way, and its registrations."""
        for call in tuple(member.invocations.values()):
            self._abandon(call, "wamp.error.canceled", "the callee has gone", is_killed=False)
        for call in tuple(member.calls.values()):
            self._end(call)
            _interrupt(call, "killnowait", "wamp.error.canceled")
        for registration in tuple(member.registrations):
            self._remove(member, registration)

    def _choose(self, registration: Registration) -> Member:
        callees = registration.callees
        if registration.policy == "last":
            return callees[-1]
        if registration.policy == "random":
            return callees[int(self._random() * len(callees))]
        if registration.policy == "roundrobin":
            index = registration.turn % len(callees)
            registration.turn = index + 1
            return callees[index]
        return callees[0]

    def _start_timer(self, call: Call) -> None:
        if call.timer is not None:
            call.timer.cancel()
        if call.timeout > 0:
            call.timer = self._call_later(call.timeout / 1000, lambda: self._expire(call))

    def _expire(self, call: Call) -> None:
        self._abandon(call, "wamp.error.timeout", "no result in time", is_killed=True)

    def _abandon(self, call: Call, uri: str, message: str, *, is_killed: bool) -> None:
        """End a call without an answer of its callee."""
        self._end(call)
        if is_killed:
            _interrupt(call, "killnowait", uri)
        call.caller.outlet.send([Code.ERROR, Code.CALL, call.request, {}, uri, [message]])

    def _end(self, call: Call) -> None:
        if call.timer is not None:
            call.timer.cancel()
        call.caller.calls.pop(call.request, None)
        call.callee.invocations.pop(call.invocation, None)

    def _remove(self, member: Member, registration: Registration) -> None:
        if not member.is_own:
            self._space.give()
        member.registrations.discard(registration)
        registration.callees.remove(member)
        if not registration.callees:
            self._registrations.remove(registration.uri, registration.match)
            del self._by_id[registration.id]


def _check_shared(registration: Registration, member: Member, policy: Policy) -> None:
    """Refuse one more callee of a procedure, unless all of them share it."""
    is_shared = policy != "single" and registration.policy != "single"
    if is_shared and registration.policy != policy:
        uri = "wamp.error.procedure_exists_with_different_invocation_policy"
        raise WampError(uri, f"it has {registration.policy}")
    if not is_shared or member in registration.callees:
        raise WampError("wamp.error.procedure_already_exists", "it is registered")


def _timeout_of(options: Dict) -> float:
    timeout = options.get("timeout")
    if timeout is None:
        return 0
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if not is_number or not 0 <= timeout <= MAX_TIMEOUT:
        raise WampError("wamp.error.invalid_argument", "timeout: milliseconds")
    return float(timeout)


def _interrupt(call: Call, mode: Mode, reason: str) -> None:
    call.is_interrupted = True
    if call.callee.can_cancel:
        details = {"mode": mode, "reason": reason}
        call.callee.outlet.send([Code.INTERRUPT, call.invocation, details])
