/** A JSON object that came from the server. */
export type Message = Readonly<Record<string, unknown>>;

/** A rule for a value, with the words for it. */
export class Rule {
  readonly what: string;
  readonly holds: (value: unknown) => boolean;

  constructor(what: string, holds: (value: unknown) => boolean) {
    this.what = what;
    this.holds = holds;
  }
}

/** What a message has to hold: values, rules, or `undefined` for a key that must be absent. */
export type Shape = Readonly<Record<string, unknown>>;

export const TEXT = new Rule('a text', (value) => typeof value === 'string' && value !== '');
export const COUNT = new Rule('an integer from 0', isCount);
export const POSITIVE = new Rule('an integer from 1', (value) => isCount(value) && value > 0);
export const LIST = new Rule('a list', (value) => Array.isArray(value));
/** ISO 8601 in UTC. */
export const TIME = new Rule(
  'a time of ISO 8601',
  (value) =>
    typeof value === 'string' &&
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(value) &&
    !Number.isNaN(Date.parse(value)),
);
export interface Position {
  readonly offset: number;
  readonly epoch: string;
}
export const POSITION = new Rule('a position { offset, epoch }', (value) => {
  if (!isObject(value)) return false;
  const { offset, epoch, ...rest } = value;
  return isCount(offset) && TEXT.holds(epoch) && Object.keys(rest).length === 0;
});

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isObject(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** In what a message differs from a shape, in words; undefined if it has it. */
export function difference(message: unknown, shape: Shape): string | undefined {
  if (!isObject(message)) return `it is ${show(message)}, expected an object`;
  for (const [key, expected] of Object.entries(shape)) {
    const value = message[key];
    if (expected instanceof Rule) {
      if (!expected.holds(value)) return `"${key}" is ${show(value)}, expected ${expected.what}`;
    } else if (!same(value, expected)) {
      return `"${key}" is ${show(value)}, expected ${show(expected)}`;
    }
  }
  return undefined;
}

/** Whether two JSON values are equal; the order of keys does not matter. */
export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, index) => same(item, other[index]));
  }
  if (!isObject(one) || !isObject(other)) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  return keys.every((key) => Object.hasOwn(other, key) && same(one[key], other[key]));
}

/** Characters of a value that a detail shows. */
const SHOWN = 160;

/** A JSON Web Token. */
const TOKEN = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;

/** A value for a person, without tokens. */
export function show(value: unknown): string {
  if (value === undefined) return 'absent';
  const text = JSON.stringify(value).replace(TOKEN, '***');
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
}
