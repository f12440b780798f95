/** One for all: there are several buckets per connection. */
const monotonic = (): number => performance.now();

/** Allows `perSecond` tokens a second on average and `burst` at once. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  #tokens: number;
  #updated: number;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(perSecond: number, burst: number, now = monotonic) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#now = now;
    this.#tokens = burst;
    this.#updated = now();
  }

  /** Takes `cost` tokens; false if there are too few, which takes none. */
  take(cost = 1, now = this.#now()): boolean {
    this.#refill(now);
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    // #if rate-limit && redis
    this.taken += cost;
    // #endif
    return true;
  }
  // #if rate-limit && redis

  /** What was ever taken. */
  taken = 0;

  /** Has `tokens` from now on, as others use it, too. */
  set(tokens: number): void {
    this.#tokens = tokens;
    this.#updated = this.#now();
  }

  /** Tokens that are missing. */
  get spent(): number {
    this.#refill();
    return this.#burst - this.#tokens;
  }
  // #endif

  /** Takes `cost` tokens even if there are too few: that makes a debt, of `burst` at most. */
  spend(cost: number, now = this.#now()): void {
    this.#refill(now);
    this.#tokens = Math.max(-this.#burst, this.#tokens - cost);
    // #if rate-limit && redis
    this.taken += cost;
    // #endif
  }

  // #if rate-limit
  /** Milliseconds until there is a token. */
  get wait(): number {
    this.#refill();
    return Math.max(0, ((1 - this.#tokens) / this.#perSecond) * 1000);
  }

  // #endif
  /** Milliseconds until the debt is paid; 0 without one. */
  get debt(): number {
    if (this.#tokens >= 0) return 0;
    this.#refill();
    return Math.max(0, (-this.#tokens / this.#perSecond) * 1000);
  }

  /** Whether little was taken of late. */
  isHalfFull(now = this.#now()): boolean {
    this.#refill(now);
    return this.#tokens >= this.#burst / 2;
  }

  get isFull(): boolean {
    this.#refill();
    return this.#tokens >= this.#burst;
  }

  #refill(now = this.#now()): void {
    const earned = ((now - this.#updated) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#updated = now;
  }
}
