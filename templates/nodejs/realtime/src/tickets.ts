import { randomBytes } from 'node:crypto';
import type { Identity } from './hooks.ts';

/** Tickets that wait to be used: of one user, and of all. */
export const MAX_PER_USER = 32;
const MAX_TICKETS = 10_000;

/**
 * Tickets that stand for a token in a URL, as browsers send no headers of their own with a handshake. Each is
 * good once and for a short time, so that it does no harm in a log.
 */
export class Tickets {
  readonly ttlMs: number;
  readonly #now: () => number;
  /** In the order in which they expire. */
  readonly #waiting = new Map<string, { readonly identity: Identity; readonly end: number }>();
  readonly #byUser = new Map<string, number>();

  constructor(ttlMs: number, now: () => number = () => performance.now()) {
    this.ttlMs = ttlMs;
    this.#now = now;
  }

  /** A new ticket; undefined if too many wait to be used. */
  issue(identity: Identity): string | undefined {
    this.#dropExpired();
    const own = this.#byUser.get(identity.user) ?? 0;
    if (own >= MAX_PER_USER || this.#waiting.size >= MAX_TICKETS) return undefined;
    const ticket = randomBytes(32).toString('base64url');
    this.#waiting.set(ticket, { identity, end: this.#now() + this.ttlMs });
    this.#byUser.set(identity.user, own + 1);
    return ticket;
  }

  /** Who got `ticket`, which is used up by that; undefined if it is not good. */
  redeem(ticket: string): Identity | undefined {
    this.#dropExpired();
    const identity = this.#waiting.get(ticket)?.identity;
    this.#drop(ticket);
    return identity;
  }

  #dropExpired(): void {
    const now = this.#now();
    for (const [ticket, { end }] of this.#waiting) {
      if (end > now) break;
      this.#drop(ticket);
    }
  }

  #drop(ticket: string): void {
    const user = this.#waiting.get(ticket)?.identity.user;
    if (user === undefined) return;
    this.#waiting.delete(ticket);
    const rest = (this.#byUser.get(user) ?? 0) - 1;
    if (rest > 0) this.#byUser.set(user, rest);
    else this.#byUser.delete(user);
  }
}
