/** How often the event loop is looked at, in milliseconds. */
const PERIOD_MS = 25;

/** A delay in milliseconds that comes near the half second of the shortest timers. */
const LATE_MS = 250;

/** A delay in milliseconds after which a verdict that rests on a second's wait is in doubt. */
const DOUBTFUL_MS = 150;

/** How often a turn may come that late before it is worth a word: once or twice is the garbage collector. */
const TOLERATED = 3;

/** Watches how late this process gets its turn: on a busy machine timers end cases for no fault. */
export class LagWatch implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #expected = performance.now() + PERIOD_MS;
  #worstMs = 0;
  #late = 0;

  constructor() {
    this.#timer = setInterval(() => {
      const now = performance.now();
      const lateMs = now - this.#expected;
      this.#expected = now + PERIOD_MS;
      this.#worstMs = Math.max(this.#worstMs, lateMs);
      if (lateMs > LATE_MS) this.#late++;
    }, PERIOD_MS);
    this.#timer.unref();
  }

  /** Whether a peer may have been late through no fault of its own: it shares the machine. */
  get isBehind(): boolean {
    return this.#worstMs > DOUBTFUL_MS;
  }

  /** What a report should say about it; null on a machine with time to spare. */
  complaint(): string | null {
    if (this.#late <= TOLERATED) return null;
    return (
      `the tester got its turn more than ${LATE_MS} ms late ${this.#late} times, at worst by ` +
      `${Math.round(this.#worstMs)} ms: timers may have ended cases through no fault of the peer`
    );
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
