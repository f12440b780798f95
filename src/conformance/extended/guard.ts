import type { Wire } from '../../transport/index.ts';

/** Milliseconds a case may take beside what its own script waits for. */
const GUARD_MS = 15_000;

/** Ends a case that its own timers did not end, by dropping its connection. */
export class Guard implements Disposable {
  /** Why the case was ended; null if it ended by itself. */
  reason: string | null = null;
  readonly #timer: NodeJS.Timeout;

  constructor(wire: Wire, scriptMs: number) {
    const limitMs = GUARD_MS + scriptMs;
    this.#timer = setTimeout(() => {
      this.reason = `the case did not come to an end within ${limitMs / 1000} seconds, the peer kept it busy`;
      wire.destroy();
    }, limitMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
