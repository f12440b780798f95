import type { z } from 'zod';
import { faultIn } from './messages.ts';
import { INTERRUPT, INVOCATION, payloadOf } from './wamp-codec.ts';
import type { Dict, List, Message, Payload } from './wamp-codec.ts';
import type { Dealer } from './wamp-dealer.ts';
import { Member } from './wamp-member.ts';
import type { Outlet } from './wamp-member.ts';
import { Role } from './wamp-roles.ts';
import type { Match } from './wamp-uris.ts';

/** Who calls. */
export interface Caller {
  readonly session: number;
  readonly authid: string;
  readonly authrole: string;
}

/** One call of a procedure. */
export interface Invocation<Args extends List = List> {
  /** As it was called: a pattern stands for several. */
  readonly procedure: string;
  readonly args: Args;
  readonly kwargs: Dict;
  readonly caller: Caller;
  /** Aborted when the call is canceled or takes too long, and when the caller has gone. */
  readonly signal: AbortSignal;
  /** Sends a part of the result; callers that did not ask for parts do not get it. */
  readonly progress: (...args: unknown[]) => void;
  /** Publishes an event in the realm. */
  readonly publish: (topic: string, ...args: unknown[]) => void;
}

/** A procedure of this process. */
export interface Procedure<Args extends List = List> {
  readonly realm: string;
  readonly uri: string;
  /** `exact` unless it says otherwise. */
  readonly match?: Match;
  /** What the arguments have to be. */
  readonly args: z.ZodType<Args>;
  /** Its value is the one argument of the result; return a `Result` for several or for keywords. */
  readonly run: (invocation: Invocation<Args>) => unknown;
}

/** Types the arguments that `run` gets after `args`. */
export function procedure<Args extends List>(made: Procedure<Args>): Procedure {
  return made as unknown as Procedure;
}

/** A result with several arguments or with keywords. */
export class Result {
  readonly args: List;
  readonly kwargs: Dict | undefined;

  constructor(args: List, kwargs?: Dict) {
    this.args = args;
    this.kwargs = kwargs;
  }
}

/** What a procedure throws to be answered with an error of its own. */
export class WampError extends Error {
  readonly uri: string;
  readonly args: List;
  readonly kwargs: Dict | undefined;

  constructor(uri: string, args: List = [], kwargs?: Dict) {
    super(uri);
    this.uri = uri;
    this.args = args;
    this.kwargs = kwargs;
  }
}

/** What the procedures of a realm work with. */
export interface HostParts {
  readonly dealer: Dealer;
  readonly announce: (topic: string, payload: Payload) => void;
  /** A procedure threw what is no `WampError`. */
  readonly failed: (procedure: string, error: unknown) => void;
}

/** The callee of a realm that is this process. */
export class Host implements Outlet {
  readonly #parts: HostParts;
  readonly #member: Member;
  readonly #procedures = new Map<number, Procedure>();
  readonly #running = new Map<number, AbortController>();

  /** `id` is that of its session. */
  constructor(id: number, parts: HostParts) {
    this.#parts = parts;
    const own = { authid: 'router', authrole: 'router', authmethod: 'own', authprovider: 'own' };
    this.#member = new Member(id, own, new Role([]), this);
  }

  add(made: Procedure): void {
    const { uri, match = 'exact' } = made;
    this.#procedures.set(this.#parts.dealer.register(this.#member, uri, { match }), made);
  }

  send([code, id, registration, details, args = [], kwargs = {}]: Message): void {
    if (code === INTERRUPT) this.#running.get(id as number)?.abort();
    const made = this.#procedures.get(registration as number);
    if (code !== INVOCATION || made === undefined) return;
    void this.#run(made, id as number, details as Dict, args as List, kwargs as Dict);
  }

  sendText(): void {
    // It subscribes to nothing.
  }

  leave(): void {
    // It stays.
  }

  async #run(made: Procedure, id: number, details: Dict, args: List, kwargs: Dict): Promise<void> {
    const { dealer, announce, failed } = this.#parts;
    const member = this.#member;
    const controller = new AbortController();
    this.#running.set(id, controller);
    const { procedure: name, caller, caller_authid: authid, caller_authrole: authrole } = details;
    try {
      const checked = made.args.safeParse(args);
      if (!checked.success) {
        throw new WampError('wamp.error.invalid_argument', [faultIn(checked.error)]);
      }
      const result = await made.run({
        procedure: name as string,
        args: checked.data,
        kwargs,
        caller: { session: caller, authid, authrole } as Caller,
        signal: controller.signal,
        progress: (...parts) => {
          dealer.yield(member, id, { progress: true }, [parts]);
        },
        publish: (topic, ...data) => {
          announce(topic, [data]);
        },
      });
      const payload =
        result instanceof Result
          ? payloadOf(result.args, result.kwargs)
          : payloadOf(result === undefined ? undefined : [result], undefined);
      dealer.yield(member, id, {}, payload);
    } catch (error) {
      const isOwn = error instanceof WampError;
      // What went wrong inside is for the log, and not for clients.
      if (!isOwn) failed(name as string, error);
      const { uri, args: list, kwargs: words } = isOwn ? error : RUNTIME_ERROR;
      dealer.fail(member, id, {}, uri, payloadOf(list, words));
    } finally {
      this.#running.delete(id);
    }
  }
}

const RUNTIME_ERROR = new WampError('wamp.error.runtime_error', ['internal error']);
