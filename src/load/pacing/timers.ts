import { Worker } from 'node:worker_threads';

/** What a pacer shares with its worker; `version` grows with each change that it has to see. */
export const PacerCell = { stop: 0, posted: 1, version: 2 } as const;

/** Calls back as soon as it can when something is due. */
export interface Ticker {
  readonly ready: Promise<void>;
  /** The next call, in milliseconds on the common clock; Infinity for none. */
  schedule(dueMs: number): void;
  stop(): void;
}

/** Wakes from another thread, and leaves this one to sleep until then. */
export class Pacer implements Ticker {
  readonly #due = new Float64Array(new SharedArrayBuffer(8));
  readonly #cells = new Int32Array(new SharedArrayBuffer(12));
  readonly #thread: Worker;
  /** Resolves once the thread runs. */
  readonly ready: Promise<void>;

  constructor(entry: string, tick: () => void, options: PacerOptions = {}) {
    const { leastMs = LEAST_MS, noteThread } = options;
    this.#due[0] = Infinity;
    this.#thread = startThread(entry, 'pacer', { due: this.#due, cells: this.#cells, leastMs });
    this.ready = new Promise((resolve) => {
      this.#thread.once('message', (thread: string | null) => {
        noteThread?.(thread);
        resolve();
        this.#thread.on('message', () => {
          Atomics.store(this.#cells, PacerCell.posted, 0);
          tick();
        });
      });
    });
  }

  schedule(dueMs: number): void {
    const before = this.#due[0] as number;
    this.#due[0] = dueMs;
    // It sleeps until the time it knew; only an earlier one has to wake it.
    if (dueMs < before) this.#wake();
  }

  stop(): void {
    Atomics.store(this.#cells, PacerCell.stop, 1);
    this.#wake();
  }

  #wake(): void {
    Atomics.add(this.#cells, PacerCell.version, 1);
    Atomics.notify(this.#cells, PacerCell.version);
  }
}

export interface PacerOptions {
  /** Shortest sleep in milliseconds: what is due within it leaves together. */
  readonly leastMs?: number;
  /** Hears which thread it is. */
  readonly noteThread?: (thread: string | null) => void;
}

const LEAST_MS = 0.2;
/** Beyond this, waiting for company would be most of the latency that is measured. */
const MOST_MS = 0.8;
/** Messages that are worth a wake-up together: it costs about as much CPU time as sending four. */
const COMPANY = 4;

/** How long to sleep at least at `rate` messages per second, so that a wake-up is worth its price. */
export function leastSleepMs(rate: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, (COMPANY * 1000) / rate));
}

/** Looks at the clock all the time: the least lateness, for the price of a core. */
export class Spinner implements Ticker {
  readonly ready = Promise.resolve();
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

/** Starts a thread from what `threadSources` said. */
export function startThread(entry: string, name: string, workerData: unknown): Worker {
  // The flags of this process are for its own script: --input-type, for one, stops a thread.
  const options = { name, workerData, execArgv: [] };
  return entry.startsWith('file:')
    ? new Worker(new URL(entry), options)
    : new Worker(entry, { ...options, eval: true });
}
