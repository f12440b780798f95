import { createRandom } from '../random.ts';

/** When messages are due; `next` moves on with each `advance`. */
export interface Schedule {
  /** Milliseconds on the common clock. */
  readonly next: number;
  advance(): void;
}

export interface ScheduleOptions {
  /** Messages per second of this worker. */
  readonly rate: number;
  readonly arrivals: 'constant' | 'poisson';
  readonly seed: number;
  /** Number of this worker, and of workers: they take turns and do not send at the same time. */
  readonly index: number;
  readonly workers: number;
  /** When the first period begins. */
  readonly startMs: number;
}

/** One schedule for a worker: its connections take the messages in turn, and so are staggered. */
export function createSchedule(options: ScheduleOptions): Schedule {
  return options.arrivals === 'constant' ? new Constant(options) : new Poisson(options);
}

class Constant implements Schedule {
  next: number;
  #count = 0;
  readonly #startMs: number;
  readonly #periodMs: number;
  readonly #phase: number;

  constructor({ rate, index, workers, startMs }: ScheduleOptions) {
    this.#startMs = startMs;
    this.#periodMs = 1000 / rate;
    this.#phase = index / workers;
    this.next = startMs + this.#phase * this.#periodMs;
  }

  advance(): void {
    this.#count++;
    // Counted from the start: a sum of periods would drift.
    this.next = this.#startMs + (this.#count + this.#phase) * this.#periodMs;
  }
}

class Poisson implements Schedule {
  next: number;
  readonly #random: () => number;
  readonly #periodMs: number;

  constructor({ rate, index, seed, startMs }: ScheduleOptions) {
    this.#random = createRandom(seed + index * 0x10001);
    this.#periodMs = 1000 / rate;
    this.next = startMs;
    this.advance();
  }

  advance(): void {
    this.next -= Math.log(1 - this.#random()) * this.#periodMs;
  }
}
