import type { Worker } from 'node:worker_threads';
import { startThread } from './start-thread.ts';

/** Calls back as soon as it can when something is due. */
export interface Ticker {
  /** The next call, in milliseconds on the common clock; Infinity for none. */
  schedule(dueMs: number): void;
  stop(): void;
}

/** Wakes from another thread, and leaves this one to sleep until then. */
export class Pacer implements Ticker {
  readonly #due = new Float64Array(new SharedArrayBuffer(8));
  readonly #cells = new Int32Array(new SharedArrayBuffer(8));
  readonly #thread: Worker;

  /** `noteThread` hears which thread it is. */
  constructor(entry: string, tick: () => void, noteThread?: (thread: string | null) => void) {
    this.#due[0] = Infinity;
    this.#thread = startThread(entry, 'pacer', { due: this.#due, cells: this.#cells });
    this.#thread.on('message', (message: string | null | 0) => {
      if (message !== 0) {
        noteThread?.(message);
        return;
      }
      Atomics.store(this.#cells, 1, 0);
      tick();
    });
  }

  schedule(dueMs: number): void {
    const before = this.#due[0] as number;
    this.#due[0] = dueMs;
    // It sleeps until the time it knew; only an earlier one has to wake it.
    if (dueMs < before) Atomics.notify(this.#cells, 0);
  }

  stop(): void {
    Atomics.store(this.#cells, 0, 1);
    Atomics.notify(this.#cells, 0);
  }
}

/** Looks at the clock all the time: the least lateness, for the price of a core. */
export class Spinner implements Ticker {
  #stopped = false;

  constructor(tick: () => void) {
    const spin = (): void => {
      if (this.#stopped) return;
      tick();
      setImmediate(spin);
    };
    setImmediate(spin);
  }

  schedule(): void {
    // Every turn of the event loop looks.
  }

  stop(): void {
    this.#stopped = true;
  }
}
