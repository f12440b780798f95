/** When the passes of one client are due, one after the other, over all its connections. */
export class Pace {
  /** Milliseconds on the common clock. */
  next: number;
  readonly #period: () => number;

  /** `period` gives the time to the pass after; `firstMs` is when the first is due. */
  constructor(firstMs: number, period: () => number) {
    this.next = firstMs;
    this.#period = period;
  }

  advance(): void {
    this.next += this.#period();
  }
}
