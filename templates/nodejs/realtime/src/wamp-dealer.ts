import { CALL, ERROR, INTERRUPT, INVOCATION, Refusal, RESULT, Violation } from './wamp-codec.ts';
import type { Dict, Payload } from './wamp-codec.ts';
import { choiceOf, flagOf, matchOf } from './wamp-limits.ts';
import type { Room } from './wamp-limits.ts';
import type { Member } from './wamp-member.ts';
import { Patterns } from './wamp-uris.ts';
import type { Match } from './wamp-uris.ts';

const POLICIES = ['single', 'first', 'last', 'roundrobin', 'random'] as const;
const MODES = ['skip', 'kill', 'killnowait'] as const;
/** Milliseconds of the longest timeout, which is what a timer can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** A procedure, and who answers its calls: several callees if they share it. */
export interface Registration {
  readonly id: number;
  readonly uri: string;
  readonly match: Match;
  readonly policy: string;
  readonly callees: Member[];
  /** The place of the callee whose turn it is. */
  turn: number;
}

/** A call under way. */
export interface Call {
  readonly caller: Member;
  readonly request: number;
  readonly callee: Member;
  readonly invocation: number;
  readonly wantsProgress: boolean;
  readonly timeout: number;
  /** The callee has been interrupted, and its answer is what the caller gets. */
  isInterrupted: boolean;
  stopTimer: (() => void) | undefined;
}

/** What the dealer has from outside. */
export interface DealerParts {
  readonly room: Room;
  /** Runs `step` later; returns what prevents it. */
  readonly after: (ms: number, step: () => void) => () => void;
  /** From 0, below 1. */
  readonly random: () => number;
}

/** Routes calls to who registered their procedures, and answers back. */
export class Dealer {
  readonly #registrations = new Patterns<Registration>();
  readonly #byId = new Map<number, Registration>();
  readonly #parts: DealerParts;
  #lastId = 0;

  constructor(parts: DealerParts) {
    this.#parts = parts;
  }

  register(member: Member, uri: string, options: Dict): number {
    const match = matchOf(options);
    const policy = choiceOf(options, 'invoke', POLICIES, 'single');
    if (!member.isOwn) {
      this.#parts.room.checkUri(uri, match, false);
      member.role.check('register', uri, match);
    }
    let registration = this.#registrations.get(uri, match);
    if (registration !== undefined) {
      const isShared = policy !== 'single' && registration.policy !== 'single';
      if (isShared && registration.policy !== policy) {
        const name = 'wamp.error.procedure_exists_with_different_invocation_policy';
        throw new Refusal(name, `it has ${registration.policy}`);
      }
      if (!isShared || registration.callees.includes(member)) {
        throw new Refusal('wamp.error.procedure_already_exists', 'it is registered');
      }
    }
    if (!member.isOwn) this.#parts.room.take('registrations', member.registrations.size);
    if (registration === undefined) {
      const id = (this.#lastId += 1);
      registration = { id, uri, match, policy, callees: [], turn: 0 };
      this.#registrations.set(uri, match, registration);
      this.#byId.set(id, registration);
    }
    registration.callees.push(member);
    member.registrations.add(registration);
    return registration.id;
  }

  unregister(member: Member, id: number): void {
    const registration = this.#byId.get(id);
    if (registration?.callees.includes(member) !== true) {
      throw new Refusal('wamp.error.no_such_registration', 'there is none with this id');
    }
    this.#remove(member, registration);
  }

  call(caller: Member, request: number, options: Dict, uri: string, payload: Payload): void {
    if (caller.calls.has(request)) throw new Violation('CALL: the request is under way');
    const { room, after } = this.#parts;
    room.checkUri(uri, 'exact');
    const wish = flagOf(options, 'disclose_me') ?? false;
    const isDisclosed = caller.role.discloses('call', uri, wish);
    const timeout = options['timeout'] ?? 0;
    if (typeof timeout !== 'number' || timeout < 0 || timeout > MAX_TIMEOUT_MS) {
      throw new Refusal('wamp.error.invalid_argument', 'timeout: milliseconds');
    }
    const wantsProgress = flagOf(options, 'receive_progress') ?? false;
    const [registration] = this.#registrations.matching(uri);
    if (registration === undefined) {
      throw new Refusal('wamp.error.no_such_procedure', 'nobody has registered it');
    }
    if (caller.calls.size >= room.limits.calls) {
      const reason = `at most ${String(room.limits.calls)} of a session at a time`;
      throw new Refusal('error.too_many_calls', reason);
    }
    const callee = this.#choose(registration);
    const invocation = (callee.lastInvocation += 1);
    const call: Call = {
      caller,
      request,
      callee,
      invocation,
      wantsProgress,
      timeout,
      isInterrupted: false,
      stopTimer: undefined,
    };
    caller.calls.set(request, call);
    callee.invocations.set(invocation, call);
    if (timeout > 0) call.stopTimer = after(timeout, () => this.#expire(call));
    // Callees that do not announce parts of results are asked, too: many make them all the same.
    const details = {
      ...((isDisclosed || callee.isOwn) && caller.disclosed('caller')),
      ...((registration.match !== 'exact' || callee.isOwn) && { procedure: uri }),
      ...(wantsProgress && { receive_progress: true }),
    };
    callee.outlet.send([INVOCATION, invocation, registration.id, details, ...payload]);
  }

  /** The result of an invocation, or a part of it; one of a call that has ended is left out. */
  yield(callee: Member, invocation: number, options: Dict, payload: Payload): void {
    const call = callee.invocations.get(invocation);
    if (call === undefined) return;
    const isPart = flagOf(options, 'progress') ?? false;
    if (isPart && !call.wantsProgress) return;
    const details = isPart ? { progress: true } : {};
    call.caller.outlet.send([RESULT, call.request, details, ...payload]);
    if (!isPart) this.#end(call);
    else if (call.stopTimer !== undefined) {
      // The time is that between two parts.
      call.stopTimer();
      call.stopTimer = this.#parts.after(call.timeout, () => this.#expire(call));
    }
  }

  /** The error of an invocation. */
  fail(callee: Member, invocation: number, details: Dict, uri: string, payload: Payload): void {
    const call = callee.invocations.get(invocation);
    if (call === undefined) return;
    this.#end(call);
    call.caller.outlet.send([ERROR, CALL, call.request, details, uri, ...payload]);
  }

  cancel(caller: Member, request: number, options: Dict): void {
    const call = caller.calls.get(request);
    if (call === undefined) return;
    const mode = choiceOf(options, 'mode', MODES, 'killnowait');
    if (mode === 'kill' && call.callee.canCancel) {
      if (!call.isInterrupted) this.#interrupt(call, mode, 'wamp.error.canceled');
      return;
    }
    this.#abandon(call, 'wamp.error.canceled', 'canceled by the caller', mode !== 'skip');
  }

  /** Ends what a session has under way. */
  leave(member: Member): void {
    for (const call of member.invocations.values()) {
      this.#abandon(call, 'wamp.error.canceled', 'the callee has gone', false);
    }
    for (const call of member.calls.values()) {
      this.#end(call);
      this.#interrupt(call, 'killnowait', 'wamp.error.canceled');
    }
    for (const registration of member.registrations) this.#remove(member, registration);
  }

  #choose(registration: Registration): Member {
    const { policy, callees } = registration;
    let index = 0;
    if (policy === 'last') index = callees.length - 1;
    if (policy === 'random') index = Math.floor(this.#parts.random() * callees.length);
    if (policy === 'roundrobin') {
      index = registration.turn % callees.length;
      registration.turn = index + 1;
    }
    return callees[index] as Member;
  }

  #expire(call: Call): void {
    this.#abandon(call, 'wamp.error.timeout', 'no result in time', true);
  }

  /** Ends a call without an answer of its callee. */
  #abandon(call: Call, uri: string, message: string, isInterrupted: boolean): void {
    this.#end(call);
    if (isInterrupted) this.#interrupt(call, 'killnowait', uri);
    call.caller.outlet.send([ERROR, CALL, call.request, {}, uri, [message]]);
  }

  #interrupt(call: Call, mode: string, reason: string): void {
    call.isInterrupted = true;
    if (!call.callee.canCancel) return;
    call.callee.outlet.send([INTERRUPT, call.invocation, { mode, reason }]);
  }

  #end(call: Call): void {
    call.stopTimer?.();
    call.caller.calls.delete(call.request);
    call.callee.invocations.delete(call.invocation);
  }

  #remove(member: Member, registration: Registration): void {
    if (!member.isOwn) this.#parts.room.give();
    member.registrations.delete(registration);
    registration.callees.splice(registration.callees.indexOf(member), 1);
    if (registration.callees.length > 0) return;
    this.#registrations.delete(registration.uri, registration.match);
    this.#byId.delete(registration.id);
  }
}
