import { Worker } from 'node:worker_threads';
import { now } from '../measure/clock.ts';

/** Cells that a pacer shares with its worker; `version` grows with each change for the pacer. */
export const PacerCell = { stop: 0, posted: 1, version: 2 } as const;

/** Calls back as soon as possible after something is due. */
export interface Timer {
  readonly ready: Promise<void>;
  /** The next call, in milliseconds on the common clock; Infinity for none. */
  schedule(dueMs: number): void;
  stop(): void;
}

/**
 * Messages per second of a worker up to which a thread wakes it for each of them. Beyond, several are
 * due in a millisecond, and a wake-up for each would cost more than sending them.
 */
const MOST_PACED = 1000;

/** Whether messages at `rate`, per second of one worker, wait up to a millisecond for each other. */
export function isCoarse(rate: number, precise: boolean): boolean {
  return !precise && rate > MOST_PACED;
}

/**
 * Node's own timer, which counts whole milliseconds: the cheapest, as what is due within one is sent
 * together. A thread that wakes this one more exactly costs as much for a wake-up as ten messages.
 */
export class MillisecondTimer implements Timer {
  readonly ready = Promise.resolve();
  readonly #tick: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires; Infinity when it is not set. */
  #firesMs = Infinity;

  constructor(tick: () => void) {
    this.#tick = tick;
  }

  schedule(dueMs: number): void {
    const time = now();
    const waitMs = Math.min(Math.max(1, Math.ceil(dueMs - time)), MOST_TIMEOUT_MS);
    // One that is set for as early stays; what it finds not due is scheduled again.
    if (dueMs === Infinity || this.#firesMs <= time + waitMs) return;
    clearTimeout(this.#timer);
    this.#firesMs = time + waitMs;
    this.#timer = setTimeout(() => {
      this.#firesMs = Infinity;
      this.#tick();
    }, waitMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    // No later call sets it again.
    this.#firesMs = 0;
  }
}

/** Node takes no longer time-outs. */
const MOST_TIMEOUT_MS = 2 ** 31 - 1;

/** Wakes this thread from another one, which sleeps until then. */
export class Pacer implements Timer {
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
    // The pacer sleeps until the time it knows; only an earlier one has to wake it.
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
  /** Shortest sleep in milliseconds: messages due within it are sent together. */
  readonly leastMs?: number;
  /** Called with the pacer's thread, for its CPU time. */
  readonly noteThread?: (thread: string | null) => void;
}

const LEAST_MS = 0.2;
/** A longer sleep would be most of the latency that is measured. */
const MOST_MS = 0.8;
/** A wake-up costs about as much CPU time as sending four messages. */
const MESSAGES_PER_WAKE = 4;

/** Shortest sleep at `rate` messages per second. */
export function leastSleepMs(rate: number): number {
  return Math.min(MOST_MS, Math.max(LEAST_MS, (MESSAGES_PER_WAKE * 1000) / rate));
}

/** Reads the clock all the time: the least lateness, but it uses a core. */
export class Spinner implements Timer {
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
    // Every turn of the event loop reads the clock.
  }

  stop(): void {
    this.#stopped = true;
  }
}

/** Starts a thread; `entry` is a URL, or the source text in the bundle. */
export function startThread(entry: string, name: string, workerData: unknown): Worker {
  // The flags of this process are for its own script: --input-type, for example, stops a thread.
  const options = { name, workerData, execArgv: [] };
  return entry.startsWith('file:')
    ? new Worker(new URL(entry), options)
    : new Worker(entry, { ...options, eval: true });
}
