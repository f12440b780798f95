/** When the passes of one client are due, one after the other, over all its connections. */
export class Pace {
  /** Milliseconds on the common clock. */
  next: number;
  readonly #periodMs: number;
  readonly #period: () => number;

  /** `period` gives the time to the pass after, `periodMs` on average; the first is due at `firstMs`. */
  constructor(firstMs: number, periodMs: number, period: () => number = () => periodMs) {
    this.next = firstMs;
    this.#periodMs = periodMs;
    this.#period = period;
  }

  /** Whether the next pass is due before `endMs`, and no other after it. */
  isLast(endMs: number): boolean {
    return this.next < endMs && this.next + this.#periodMs >= endMs;
  }

  advance(): void {
    this.next += this.#period();
  }
}
