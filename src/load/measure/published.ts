import type { LoadPlan } from '../plan.ts';
import { takeRandom } from '../random.ts';

/** What `{{id}}` becomes: 5 digits of the run, 2 of the worker, 9 of its message. */
export const ID_DIGITS = 16;
export const TAG_DIGITS = 5;
const SEQUENCES = 1e9;

/** Bounds of how many messages of each worker are kept; powers of two. */
const LEAST_MESSAGES = 2 ** 12;
const MOST_MESSAGES = 2 ** 20;

/** The memory of `PublishedMessages`, to be passed to threads. */
export interface PublishedBuffers {
  /** Digits that distinguish this run's messages from other messages in the room. */
  readonly tag: string;
  readonly workers: number;
  readonly messages: number;
  readonly bytes: SharedArrayBuffer;
  /** Counts of all workers, as in `WorkerBuffers`. */
  readonly cells: readonly SharedArrayBuffer[];
}

const ROW_BYTES = 2 * Float64Array.BYTES_PER_ELEMENT + 3 * Int32Array.BYTES_PER_ELEMENT;

/** Memory for the messages that `plan` publishes until their last delivery is due. */
export function allocatePublished(
  plan: LoadPlan,
  cells: readonly SharedArrayBuffer[],
): PublishedBuffers {
  const { load, phases, workers } = plan;
  const needed = load.model === 'open' ? (load.rate * (phases.drainMs + 2000)) / 1000 : 0;
  let messages = LEAST_MESSAGES;
  while (messages < needed && messages < MOST_MESSAGES) messages *= 2;
  const tag = String(10_000 + (takeRandom(4).readUInt32LE() % 90_000));
  const bytes = new SharedArrayBuffer(messages * workers * ROW_BYTES);
  return { tag, workers, messages, bytes, cells };
}

/**
 * The messages that all workers published, in shared memory: each worker writes rows of its own and
 * notes in any row the deliveries to its connections.
 */
export class PublishedMessages {
  readonly tag: string;
  /** When the message was due and when it was sent, in milliseconds on the common clock. */
  readonly intended: Float64Array;
  readonly sent: Float64Array;
  readonly #sequence: Int32Array;
  readonly #expected: Int32Array;
  readonly #delivered: Int32Array;
  readonly #messages: number;
  readonly #workers: number;

  constructor({ tag, workers, messages, bytes }: PublishedBuffers) {
    const rows = workers * messages;
    const ints = 2 * rows * Float64Array.BYTES_PER_ELEMENT;
    const column = (index: number): Int32Array =>
      new Int32Array(bytes, ints + index * rows * Int32Array.BYTES_PER_ELEMENT, rows);
    this.tag = tag;
    this.#messages = messages;
    this.#workers = workers;
    this.intended = new Float64Array(bytes, 0, rows);
    this.sent = new Float64Array(bytes, rows * Float64Array.BYTES_PER_ELEMENT, rows);
    this.#sequence = column(0);
    this.#expected = column(1);
    this.#delivered = column(2);
  }

  /** Notes a message before it is sent; `sequence` counts from 1. Returns its row. */
  publish(
    worker: number,
    sequence: number,
    at: { intendedMs: number; sentMs: number; receivers: number },
  ): number {
    const row = this.#rowOf(worker, sequence);
    this.intended[row] = at.intendedMs;
    this.sent[row] = at.sentMs;
    this.#expected[row] = at.receivers;
    Atomics.store(this.#delivered, row, 0);
    Atomics.store(this.#sequence, row, sequence);
    return row;
  }

  /** The row of a message that came; -1 if it is not of this run, or too old. */
  find(worker: number, sequence: number): number {
    if (worker >= this.#workers) return -1;
    const row = this.#rowOf(worker, sequence);
    return Atomics.load(this.#sequence, row) === sequence ? row : -1;
  }

  /** Notes a delivery; returns how many are still to come, below 0 for a duplicate. */
  deliver(row: number): number {
    return (this.#expected[row] as number) - Atomics.add(this.#delivered, row, 1) - 1;
  }

  /** Whether every receiver got this message. */
  isComplete(row: number): boolean {
    return Atomics.load(this.#delivered, row) >= (this.#expected[row] as number);
  }

  /** The next sequence number. */
  static after(sequence: number): number {
    return (sequence + 1) % SEQUENCES;
  }

  #rowOf(worker: number, sequence: number): number {
    return worker * this.#messages + (sequence & (this.#messages - 1));
  }
}

/** The digits of an id. */
export function formatId(tag: string, worker: number, sequence: number): string {
  return tag + String(worker % 100).padStart(2, '0') + String(sequence).padStart(9, '0');
}
