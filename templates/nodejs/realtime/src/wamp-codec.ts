import { faultOfJson } from './json.ts';

/** Codes of the messages. */
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

export type Dict = Readonly<Record<string, unknown>>;
export type List = readonly unknown[];
export type Message = readonly [code: number, ...rest: unknown[]];
/** Arguments and keyword arguments, as far as there are any. */
export type Payload = readonly [args?: List, kwargs?: Dict];

/** The peer broke the protocol: its session ends with ABORT. */
export class Violation extends Error {}

/** A request that is answered with ERROR. */
export class Refusal extends Error {
  readonly uri: string;

  constructor(uri: string, message: string) {
    super(message);
    this.uri = uri;
  }
}

/**
 * What a client may send, and of what its messages consist: `i` id, `u` URI, `s` string, `d` dictionary, `c` code of
 * a message; `+` arguments and keyword arguments, which may be left out.
 */
const FORMS: Readonly<Record<number, string>> = {
  [HELLO]: 'ud',
  [ABORT]: 'du',
  [AUTHENTICATE]: 'sd',
  [GOODBYE]: 'du',
  [ERROR]: 'cidu+',
  [PUBLISH]: 'idu+',
  [SUBSCRIBE]: 'idu',
  [UNSUBSCRIBE]: 'ii',
  [CALL]: 'idu+',
  [CANCEL]: 'id',
  [REGISTER]: 'idu',
  [UNREGISTER]: 'ii',
  [YIELD]: 'id+',
};

const NAMES: Readonly<Record<number, string>> = {
  [HELLO]: 'hello',
  [WELCOME]: 'welcome',
  [ABORT]: 'abort',
  [CHALLENGE]: 'challenge',
  [AUTHENTICATE]: 'authenticate',
  [GOODBYE]: 'goodbye',
  [ERROR]: 'error',
  [PUBLISH]: 'publish',
  [PUBLISHED]: 'published',
  [SUBSCRIBE]: 'subscribe',
  [SUBSCRIBED]: 'subscribed',
  [UNSUBSCRIBE]: 'unsubscribe',
  [UNSUBSCRIBED]: 'unsubscribed',
  [EVENT]: 'event',
  [CALL]: 'call',
  [CANCEL]: 'cancel',
  [RESULT]: 'result',
  [REGISTER]: 'register',
  [REGISTERED]: 'registered',
  [UNREGISTER]: 'unregister',
  [UNREGISTERED]: 'unregistered',
  [INVOCATION]: 'invocation',
  [INTERRUPT]: 'interrupt',
  [YIELD]: 'yield',
};

/** The largest id, 2^53. */
export const MAX_ID = 2 ** 53;

export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_ID;
}

export function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The name of a message, in lower case: for metrics. */
export function nameOf(code: number): string {
  return NAMES[code] ?? 'other';
}

/** @throws {Violation} unless `text` is a message that a client may send. */
export function decode(text: string): Message {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Violation('expected JSON');
  }
  if (!Array.isArray(value)) throw new Violation('expected an array');
  const [code, ...rest] = value as unknown[];
  const form = Number.isInteger(code) ? FORMS[code as number] : undefined;
  if (form === undefined) throw new Violation('expected the code of a message for a router');
  const name = nameOf(code as number);
  const isOpen = form.endsWith('+');
  const length = isOpen ? form.length - 1 : form.length;
  if (rest.length < length || rest.length > length + (isOpen ? 2 : 0)) {
    throw new Violation(`${name}: ${String(value.length)} elements`);
  }
  for (const [index, item] of rest.entries()) {
    const fault = faultOf(item, index < length ? form[index] : index === length ? 'l' : 'd');
    if (fault !== undefined) throw new Violation(`${name}[${String(index + 1)}]: ${fault}`);
  }
  return value as unknown as Message;
}

function faultOf(item: unknown, kind: string | undefined): string | undefined {
  switch (kind) {
    case 'i':
      return isId(item) ? undefined : 'expected an id, 1 to 2^53';
    case 'c':
      return Number.isInteger(item) ? undefined : 'expected a code';
    case 'd':
      return isDict(item) ? faultOfJson(item) : 'expected a dictionary';
    case 'l':
      return Array.isArray(item) ? faultOfJson(item) : 'expected a list';
    default:
      return typeof item === 'string' ? undefined : 'expected a string';
  }
}

/** What a message ends with: nothing if there are no arguments. */
export function payloadOf(args: unknown, kwargs: unknown): Payload {
  if (kwargs !== undefined) return [args as List, kwargs as Dict];
  return args === undefined ? [] : [args as List];
}
