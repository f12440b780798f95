import { requireSame, requireThat } from './client.ts';
import { Exchange } from './exchange.ts';
import type { Form } from './exchange.ts';
import type { ConnectOptions, Lab } from './lab.ts';
import { isObject, show } from './shape.ts';
import type { Message } from './shape.ts';
import { RowFailure, RowSkip, SUBPROTOCOLS } from './terms.ts';

export const NAME = SUBPROTOCOLS.wamp;

export const HELLO = 1;
export const WELCOME = 2;
export const ABORT = 3;
export const CHALLENGE = 4;
export const AUTHENTICATE = 5;
export const GOODBYE = 6;
export const ERROR = 8;
export const PUBLISH = 16;
export const PUBLISHED = 17;
export const SUBSCRIBE = 32;
export const SUBSCRIBED = 33;
export const UNSUBSCRIBE = 34;
export const UNSUBSCRIBED = 35;
export const EVENT = 36;
export const CALL = 48;
export const CANCEL = 49;
export const RESULT = 50;
export const REGISTER = 64;
export const REGISTERED = 65;
export const UNREGISTER = 66;
export const UNREGISTERED = 67;
export const INVOCATION = 68;
export const INTERRUPT = 69;
export const YIELD = 70;

const NAMES: Readonly<Record<number, string>> = {
  [WELCOME]: 'WELCOME',
  [ABORT]: 'ABORT',
  [GOODBYE]: 'GOODBYE',
  [PUBLISHED]: 'PUBLISHED',
  [SUBSCRIBED]: 'SUBSCRIBED',
  [UNSUBSCRIBED]: 'UNSUBSCRIBED',
  [EVENT]: 'EVENT',
  [RESULT]: 'RESULT',
  [REGISTERED]: 'REGISTERED',
  [UNREGISTERED]: 'UNREGISTERED',
  [INVOCATION]: 'INVOCATION',
  [INTERRUPT]: 'INTERRUPT',
};

/** What a request is answered with. */
const REPLIES: Readonly<Record<number, number>> = {
  [PUBLISH]: PUBLISHED,
  [SUBSCRIBE]: SUBSCRIBED,
  [UNSUBSCRIBE]: UNSUBSCRIBED,
  [CALL]: RESULT,
  [REGISTER]: REGISTERED,
  [UNREGISTER]: UNREGISTERED,
};

export const PROTOCOL_VIOLATION = 'wamp.error.protocol_violation';
export const INVALID_URI = 'wamp.error.invalid_uri';
export const NOT_AUTHORIZED = 'wamp.error.not_authorized';
export const NO_SUCH_PROCEDURE = 'wamp.error.no_such_procedure';

/** Largest id: 2^53. */
const MAX_ID = 9_007_199_254_740_992;

export type Tuple = readonly unknown[];

const LISTS: Form = { what: 'a list', fits: Array.isArray };

/** All that a client can be, with the features that rows use. */
export const ROLES = {
  publisher: {
    features: {
      publisher_exclusion: true,
      publisher_identification: true,
      subscriber_blackwhite_listing: true,
    },
  },
  subscriber: { features: { pattern_based_subscription: true, publisher_identification: true } },
  caller: {
    features: {
      call_canceling: true,
      call_timeout: true,
      caller_identification: true,
      progressive_call_results: true,
    },
  },
  callee: {
    features: {
      call_canceling: true,
      caller_identification: true,
      pattern_based_registration: true,
      progressive_call_results: true,
      shared_registration: true,
    },
  },
};

export function isId(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_ID;
}

/** One connection, and one session over it. */
export class Session extends Exchange<Tuple> {
  #lastRequest = 0;
  /** After `join`. */
  id: unknown;
  details: Message = {};

  /** The next message of a type. */
  async takeType(type: number, match: (message: Tuple) => boolean = () => true): Promise<Tuple> {
    return await this.take(
      NAMES[type] ?? String(type),
      (message) => message[0] === type && match(message),
    );
  }

  async join(realm: string): Promise<Tuple> {
    this.send([HELLO, realm, { roles: ROLES }]);
    const first = await this.take('WELCOME', () => true);
    if (first[0] === CHALLENGE) throw new RowSkip('the realm wants to know who joins');
    requireSame(first[0], WELCOME, `the type of the answer to HELLO, ${show(first)}`);
    const [, id, details] = first;
    requireThat(isId(id) && isObject(details), `got ${show(first)}, expected an id and details`);
    this.id = id;
    this.details = details;
    return first;
  }

  /** Sends a request with the next id, and gives the id. */
  start(type: number, ...rest: Tuple): number {
    this.#lastRequest += 1;
    this.send([type, this.#lastRequest, ...rest]);
    return this.#lastRequest;
  }

  /** The reply to a request, which may be ERROR. */
  async reply(type: number, id: number): Promise<Tuple> {
    const reply = REPLIES[type];
    return await this.take(
      `${NAMES[reply ?? 0] ?? 'an answer'} or ERROR to request ${id}`,
      (seen) =>
        (seen[0] === reply && seen[1] === id) ||
        (seen[0] === ERROR && seen[1] === type && seen[2] === id),
    );
  }

  /** A request that has to be answered. */
  async request(type: number, ...rest: Tuple): Promise<Tuple> {
    const reply = await this.reply(type, this.start(type, ...rest));
    if (reply[0] !== ERROR) return reply;
    if (reply[4] === NOT_AUTHORIZED) {
      throw new RowSkip(`the realm does not allow ${show([type, ...rest])}: --realm gives another`);
    }
    throw new RowFailure(`${show([type, ...rest])} was answered with ${show(reply)}`);
  }

  /** A request that has to be refused with one of the errors; all are right without. */
  async refused(errors: readonly string[], type: number, ...rest: Tuple): Promise<void> {
    const reply = await this.reply(type, this.start(type, ...rest));
    const expected = errors.length === 0 ? 'an error' : errors.join(' or ');
    requireThat(
      reply[0] === ERROR && (errors.length === 0 || errors.includes(String(reply[4]))),
      `${show([type, ...rest])} was answered with ${show(reply)}, expected ${expected}`,
    );
    requireThat(isObject(reply[3]), `got ${show(reply)}: details are ${show(reply[3])}`);
  }

  async subscribe(topic: string, options: Message = {}): Promise<unknown> {
    return (await this.request(SUBSCRIBE, options, topic))[2];
  }

  /** Publishes, and waits until the broker has done so. */
  async publish(topic: string, args: Tuple = [], options: Message = {}): Promise<unknown> {
    const reply = await this.request(PUBLISH, { ...options, acknowledge: true }, topic, args);
    return reply[2];
  }

  async register(procedure: string, options: Message = {}): Promise<unknown> {
    return (await this.request(REGISTER, options, procedure))[2];
  }

  async event(): Promise<Tuple> {
    return await this.takeType(EVENT);
  }

  async invocation(): Promise<Tuple> {
    return await this.takeType(INVOCATION);
  }

  /** Something has an answer, whatever it is. */
  async lives(): Promise<void> {
    const type = CALL;
    await this.reply(type, this.start(type, {}, 'com.example.wsk.no_such_procedure'));
  }

  /** No message of a type came before the answer to a later request. */
  async none(type: number): Promise<void> {
    await this.lives();
    const more = this.unread.find((message) => message[0] === type);
    if (more !== undefined) {
      throw new RowFailure(`got ${show(more)}, expected no ${NAMES[type] ?? type}`);
    }
  }

  /** ABORT with one of the reasons; all are right without. */
  async aborted(...reasons: readonly string[]): Promise<void> {
    requireAbort(await this.takeType(ABORT), ...reasons);
  }
}

export function requireAbort(abort: Tuple, ...reasons: readonly string[]): void {
  requireSame(abort[0], ABORT, `the type of ${show(abort)}`);
  const [, details, reason] = abort;
  requireThat(isObject(details), `got ${show(abort)}: the details are no dictionary`);
  requireThat(
    typeof reason === 'string' && (reasons.length === 0 || reasons.includes(reason)),
    `the reason of ABORT is ${show(reason)}, expected ${reasons.join(' or ') || 'a URI'}`,
  );
}

export async function open(lab: Lab, options: ConnectOptions = {}): Promise<Session> {
  const protocols = options.protocols ?? [NAME];
  return await lab.speak({ ...options, protocols }, (channel, leftMs) => {
    return new Session(channel, leftMs, LISTS);
  });
}

export function realmOf({ subject }: Lab): string {
  return subject.known.realm ?? 'realm1';
}

export async function join(lab: Lab): Promise<Session> {
  const session = await open(lab);
  await session.join(realmOf(lab));
  return session;
}

/** A name that nobody else uses. */
export function uri(lab: Lab): string {
  return `com.example.wsk.${lab.name('t').replaceAll('-', '_')}`;
}
