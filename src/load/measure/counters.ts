import { Histogram } from './histogram.ts';

/** Counters of messages, one set for the warm-up and one for the measured phase. */
export const Counter = {
  intended: 0,
  sent: 1,
  received: 2,
  lost: 3,
  unsent: 4,
  duplicated: 5,
  outOfOrder: 6,
  wrong: 7,
  bytesSent: 8,
  bytesReceived: 9,
  /** Replies that came within the measured phase. */
  inWindow: 10,
} as const;

/** Figures of the whole run, mostly of connections. */
export const Gauge = {
  /** Open now. */
  open: 0,
  opened: 1,
  failed: 2,
  dropped: 3,
  errors: 4,
  /** Pings of the server that were answered. */
  heartbeats: 5,
} as const;

const CELLS = 16;

/** The memory of one worker's counters, to be passed to its thread. */
export interface WorkerBuffers {
  readonly cells: SharedArrayBuffer;
  readonly histograms: readonly SharedArrayBuffer[];
}

/** Counts and histograms of the warm-up or of the measured phase. */
export interface PhaseCounters {
  readonly counts: Float64Array;
  readonly response: Histogram;
  readonly service: Histogram;
  readonly lateness: Histogram;
  readonly lastDelivery: Histogram;
}

const HISTOGRAMS_PER_PHASE = 4;

/**
 * What one worker measures. Its thread alone writes, with plain stores; the main thread reads at any
 * time, and a figure read while it is written is at most one message behind.
 */
export class WorkerCounters {
  readonly buffers: WorkerBuffers;
  readonly gauges: Float64Array;
  readonly connect: Histogram;
  readonly warmup: PhaseCounters;
  readonly measure: PhaseCounters;

  constructor(buffers: WorkerBuffers = allocate()) {
    this.buffers = buffers;
    const [connect, ...histograms] = buffers.histograms.map((buffer) => new Histogram(buffer));
    this.gauges = new Float64Array(buffers.cells, 0, CELLS);
    this.connect = connect as Histogram;
    this.warmup = phase(buffers.cells, 1, histograms);
    this.measure = phase(buffers.cells, 2, histograms.slice(HISTOGRAMS_PER_PHASE));
  }
}

function allocate(): WorkerBuffers {
  return {
    cells: new SharedArrayBuffer(3 * CELLS * Float64Array.BYTES_PER_ELEMENT),
    histograms: Array.from(
      { length: 1 + 2 * HISTOGRAMS_PER_PHASE },
      () => new SharedArrayBuffer(Histogram.BYTES),
    ),
  };
}

function phase(
  cells: SharedArrayBuffer,
  row: number,
  histograms: readonly Histogram[],
): PhaseCounters {
  const [response, service, lateness, lastDelivery] = histograms as readonly [
    Histogram,
    Histogram,
    Histogram,
    Histogram,
  ];
  const offset = row * CELLS * Float64Array.BYTES_PER_ELEMENT;
  const counts = new Float64Array(cells, offset, CELLS);
  return { counts, response, service, lateness, lastDelivery };
}

/** The counters of all workers together. */
export class AllCounters {
  readonly #cells: readonly Float64Array[];

  constructor(buffers: readonly SharedArrayBuffer[]) {
    this.#cells = buffers.map((buffer) => new Float64Array(buffer));
  }

  gauge(index: number): number {
    return this.#sum(index);
  }

  /** Of both phases together. */
  count(index: number): number {
    return this.#sum(CELLS + index) + this.measured(index);
  }

  /** Of the measured phase. */
  measured(index: number): number {
    return this.#sum(2 * CELLS + index);
  }

  #sum(cell: number): number {
    return this.#cells.reduce((sum, cells) => sum + (cells[cell] as number), 0);
  }
}

/** Adds `amount` to one counter; for tsc, an element of a typed array may be undefined. */
export function add(counts: Float64Array, index: number, amount: number): void {
  counts[index] = (counts[index] as number) + amount;
}
