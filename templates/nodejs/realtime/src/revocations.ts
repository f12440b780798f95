import type { Identity } from './hooks.ts';

/** Users and tokens that are known to be revoked. */
const MAX_KNOWN = 50_000;

/** What is not valid any more: tokens of users up to a moment, and single tokens. */
export class Revocations {
  readonly max: number;
  readonly #now: () => number;
  readonly #toleranceMs: number;
  /** `user:` and `jti:` keys to milliseconds since 1970, in the order of these. */
  readonly #known = new Map<string, number>();
  /** No token that was issued up to then is accepted, as more is not known about them. */
  #floor = 0;

  /** The clock of who makes tokens may be `toleranceMs` ahead: what it made before may say it is newer. */
  constructor(max = MAX_KNOWN, now: () => number = Date.now, toleranceMs = 0) {
    this.max = max;
    this.#now = now;
    this.#toleranceMs = toleranceMs;
  }

  /** Refuses every token of `user` that was issued until now. */
  revokeUser(user: string): void {
    this.#add(`user:${user}`, Math.max(this.#now(), this.#known.get(`user:${user}`) ?? 0));
  }

  /** Refuses the token with this `jti`. */
  revokeToken(jti: string): void {
    this.#add(`jti:${jti}`, this.#now());
  }
  // #if redis

  /** What another server has revoked: a key of this map, or `before` for all up to then. */
  learn(what: string, at: number): void {
    if (what === 'before') this.#floor = Math.max(this.#floor, at);
    else if (at > (this.#known.get(what) ?? 0)) this.#add(what, at);
  }
  // #endif

  /** Whether a token is revoked; one that does not say when it was issued counts as an old one. */
  covers({ user, tokenId, issuedAt = 0 }: Identity): boolean {
    if (this.#known.size === 0 && this.#floor === 0) return false;
    const earliest = issuedAt - this.#toleranceMs;
    if (this.#floor > 0 && earliest <= this.#floor) return true;
    if (tokenId !== undefined && this.#known.has(`jti:${tokenId}`)) return true;
    const revokedAt = this.#known.get(`user:${user}`);
    return revokedAt !== undefined && earliest <= revokedAt;
  }

  /** When there is no more space, the oldest entry gives way to a rule that refuses more than it did. */
  #add(key: string, at: number): void {
    this.#known.delete(key);
    this.#known.set(key, at);
    if (this.#known.size <= this.max) return;
    const [[oldest, revokedAt] = ['', 0]] = this.#known;
    this.#known.delete(oldest);
    this.#floor = Math.max(this.#floor, revokedAt);
  }
}
