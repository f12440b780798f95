import { Refusal } from './wamp-codec.ts';
import type { Dict } from './wamp-codec.ts';
import { isReserved, isUri } from './wamp-uris.ts';
import type { Match } from './wamp-uris.ts';

/** Bytes of the longest URI. */
const MAX_URI_BYTES = 255;
/** Components of the longest wildcard pattern: each call and event looks into those of all patterns. */
const MAX_COMPONENTS = 16;

export interface Limits {
  /** Of one session. */
  readonly subscriptions: number;
  readonly registrations: number;
  readonly calls: number;
  /** Subscriptions and registrations of all sessions. */
  readonly total: number;
}

/** Space for what sessions make the router hold. */
export class Room {
  readonly limits: Limits;
  #taken = 0;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  /** Takes space for one more of what a session has `count` of. */
  take(what: 'subscriptions' | 'registrations', count: number): void {
    const limit = this.limits[what];
    if (count >= limit || this.#taken >= this.limits.total) {
      const reason = count >= limit ? `at most ${String(limit)} of a session` : 'try later';
      throw new Refusal(`error.too_many_${what}`, reason);
    }
    this.#taken += 1;
  }

  give(): void {
    this.#taken -= 1;
  }

  /** Checks a URI that a session names; only to subscribe and to call it may be one of the router. */
  checkUri(uri: string, match?: Match, isOpen = match !== undefined): void {
    if (Buffer.byteLength(uri) > MAX_URI_BYTES) {
      throw new Refusal('wamp.error.invalid_uri', `at most ${String(MAX_URI_BYTES)} bytes`);
    }
    if (!isUri(uri, match)) throw new Refusal('wamp.error.invalid_uri', 'not a URI');
    if (match === 'wildcard' && uri.split('.').length > MAX_COMPONENTS) {
      const reason = `at most ${String(MAX_COMPONENTS)} components in a pattern`;
      throw new Refusal('wamp.error.invalid_uri', reason);
    }
    if (!isOpen && isReserved(uri)) {
      throw new Refusal('wamp.error.invalid_uri', 'wamp. is reserved');
    }
  }
}

const MATCHES: readonly unknown[] = ['exact', 'prefix', 'wildcard'];

export function matchOf(options: Dict): Match {
  return choiceOf(options, 'match', MATCHES, 'exact') as Match;
}

/** An option that is one of a few words. */
export function choiceOf(
  options: Dict,
  name: string,
  choices: readonly unknown[],
  otherwise: string,
): string {
  const value = options[name] ?? otherwise;
  if (!choices.includes(value)) {
    throw new Refusal('wamp.error.invalid_argument', `${name}: one of ${choices.join(', ')}`);
  }
  return value as string;
}

/** An option that is true or false. */
export function flagOf(options: Dict, name: string): boolean | undefined {
  const value = options[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'boolean') {
    throw new Refusal('wamp.error.invalid_argument', `${name}: true or false`);
  }
  return value;
}
