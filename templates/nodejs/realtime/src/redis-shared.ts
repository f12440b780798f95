// #if auth
import { createHash } from 'node:crypto';
// #endif
import { randomBytes } from 'node:crypto';
// #if auth
import type { Identity } from './hooks.ts';
// #endif
// #if auth
import { RedisDown, report, settle } from './redis-link.ts';
// #endif
import { script } from './redis-link.ts';
import type { RedisLink } from './redis-link.ts';
// #if auth
import type { Revocations } from './revocations.ts';
import { MAX_PER_USER, Tickets } from './tickets.ts';
// #endif
// #if rate-limit
import type { UserShare } from './users.ts';
// #endif

// #if auth

const ISSUE = script('ticket');

/** Tickets that one server gives and another may take. Redis knows none, only what one can be compared with. */
export class SharedTickets {
  readonly ttlMs: number;
  readonly #link: RedisLink;
  /** Given while Redis is out of reach: good here alone. */
  readonly #own: Tickets;

  constructor(link: RedisLink, ttlMs: number) {
    this.#link = link;
    this.ttlMs = ttlMs;
    this.#own = new Tickets(ttlMs);
  }

  /** A new ticket; undefined if too many wait to be used. */
  async issue(identity: Identity): Promise<string | undefined> {
    const ticket = randomBytes(32).toString('base64url');
    const name = nameOf(ticket);
    try {
      const keys = [this.#key('ticket', name), this.#key('tickets', identity.user)];
      const args = [this.ttlMs, MAX_PER_USER, name, JSON.stringify(identity)];
      return (await this.#link.run(ISSUE, keys, args)) === 1 ? ticket : undefined;
    } catch (error) {
      if (!(error instanceof RedisDown)) throw error;
      return this.#own.issue(identity);
    }
  }

  /** Who got `ticket`, which is used up by that; undefined if it is not good. */
  async redeem(ticket: string): Promise<Identity | undefined> {
    const own = this.#own.redeem(ticket);
    if (own !== undefined) return own;
    const name = nameOf(ticket);
    const text = await this.#link.command('GETDEL', this.#key('ticket', name)).catch(report);
    if (typeof text !== 'string') return undefined;
    const identity = JSON.parse(text) as Identity;
    settle(this.#link.command('ZREM', this.#key('tickets', identity.user), name));
    return identity;
  }

  #key(kind: string, name: string): string {
    return `${this.#link.prefix}:${kind}:${name}`;
  }
}

function nameOf(ticket: string): string {
  return createHash('sha256').update(ticket).digest('base64url');
}

const REVOKE = script('revoke');

/** Tells other servers what was revoked at one, at once and when they come later. */
export class SharedRevocations {
  readonly #link: RedisLink;
  readonly #revocations: Revocations;
  readonly #onRevoked: () => void;
  /** What Redis has not been told, and the number of its last revocation. */
  readonly #unsaid = new Map<string, number>();
  #number = 0;
  readonly #keys: readonly [all: string, channel: string];

  /** `onRevoked` is called when another server has revoked something. */
  constructor(link: RedisLink, revocations: Revocations, onRevoked: () => void) {
    this.#link = link;
    this.#revocations = revocations;
    this.#onRevoked = onRevoked;
    this.#keys = [`${link.prefix}:revoked`, `${link.prefix}:revoked:channel`];
    link.onUp(() => this.#load());
  }

  /** `what` is a key of `Revocations`. Resolves when all know it, or Redis is out of reach: then later. */
  async say(what: string): Promise<void> {
    this.#unsaid.set(what, ++this.#number);
    await this.#tell(what);
  }

  async #tell(what: string): Promise<void> {
    const number = this.#unsaid.get(what);
    try {
      await this.#link.run(REVOKE, this.#keys, [what, this.#revocations.max]);
      // Once more meanwhile is a later moment.
      if (this.#unsaid.get(what) === number) this.#unsaid.delete(what);
    } catch (error) {
      report(error);
    }
  }

  async #load(): Promise<void> {
    await this.#link.subscribe(this.#keys[1], this.#learn);
    for (const what of this.#unsaid.keys()) await this.#tell(what);
    const all = await this.#link.command('ZRANGE', this.#keys[0], '0', '-1', 'WITHSCORES');
    for (const [what, at] of all as readonly [string, number][]) this.#revocations.learn(what, at);
    this.#onRevoked();
  }

  readonly #learn = (message: string): void => {
    const [at = '', ...what] = message.split(' ');
    this.#revocations.learn(what.join(' '), Number(at));
    this.#onRevoked();
  };
}
// #endif
// #if rate-limit

const USE = script('use');

/** Milliseconds for which the connections of a user count whose server has died. */
const USER_TTL_MS = 30_000;

/** What users have and use, over all servers. */
export class SharedUse {
  readonly #link: RedisLink;
  readonly #rate: readonly [perSecond: number, burst: number];
  readonly #node = randomBytes(8).toString('hex');

  constructor(link: RedisLink, perSecond: number, burst: number) {
    this.#link = link;
    this.#rate = [perSecond, burst];
  }

  /** Says how many connections a user has here, and what it has ever taken; what there is elsewhere. */
  async say(
    { user, connections, count, saidTaken, commands }: UserShare,
    taken: number,
  ): Promise<{ readonly elsewhere: number; readonly left: number }> {
    const key = `${this.#link.prefix}:user:${user}`;
    const own = [this.#node, connections, USER_TTL_MS, count, saidTaken, taken];
    // What was taken long ago is earned again.
    const args = [...own, commands.spent, ...this.#rate];
    const [elsewhere, left] = (await this.#link.run(USE, [key], args)) as [number, string];
    return { elsewhere, left: Number(left) };
  }
}

/** Milliseconds after which a server says again what a user has. */
export const SAY_AGAIN_MS = USER_TTL_MS / 3;
// #endif
