/** Allows `perSecond` tokens a second on average and `burst` at once. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #now: () => number;
  #tokens: number;
  #updated: number;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(perSecond: number, burst: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#now = now;
    this.#tokens = burst;
    this.#updated = now();
  }

  /** Takes `cost` tokens; false if there are too few, which takes none. */
  take(cost = 1): boolean {
    this.#refill();
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Takes `cost` tokens even if there are too few: that makes a debt, of `burst` at most. */
  spend(cost: number): void {
    this.#refill();
    this.#tokens = Math.max(-this.#burst, this.#tokens - cost);
  }

  /** Milliseconds until the debt is paid; 0 without one. */
  get debt(): number {
    if (this.#tokens >= 0) return 0;
    this.#refill();
    return Math.max(0, (-this.#tokens / this.#perSecond) * 1000);
  }

  /** Whether little was taken of late. */
  get isHalfFull(): boolean {
    this.#refill();
    return this.#tokens >= this.#burst / 2;
  }

  get isFull(): boolean {
    this.#refill();
    return this.#tokens >= this.#burst;
  }

  #refill(): void {
    const now = this.#now();
    const earned = ((now - this.#updated) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#updated = now;
  }
}
