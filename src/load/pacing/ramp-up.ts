import { now } from '../measure/clock.ts';

/** Opening handshakes under way in one worker: more only fill the queue of the server. */
export const MOST_OPENING = 256;

export interface RampUpOptions {
  /** How many are to be started, and over how long. */
  readonly count: number;
  readonly rampMs: number;
  /** How many may be under way; any number if absent. */
  readonly limit?: number;
  /** Starts one; `position` counts from 0, `dueMs` is its time on the ramp. */
  readonly begin: (position: number, dueMs: number, nowMs: number) => void;
  /** All were started and are settled. */
  readonly done: () => void;
}

/** Starts the connections or virtual users of one worker along the ramp, as fast as they settle. */
export class RampUp {
  readonly #options: RampUpOptions;
  /** When the ramp began, in milliseconds on the common clock. */
  startMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #started = 0;
  #settled = 0;
  #stopped = false;

  constructor(options: RampUpOptions) {
    this.#options = options;
  }

  start(): void {
    this.startMs = now();
    this.#go();
  }

  /** One that was started is open, or has failed for good. */
  settled(): void {
    this.#settled += 1;
    this.#go();
  }

  /** Starts no more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #go(): void {
    clearTimeout(this.#timer);
    const { count, rampMs, limit = Infinity, begin, done } = this.#options;
    const time = now();
    while (!this.#stopped && this.#started < count && this.#started - this.#settled < limit) {
      const dueMs = this.startMs + (rampMs * this.#started) / count;
      if (dueMs > time) {
        this.#timer = setTimeout(() => this.#go(), dueMs - time);
        return;
      }
      begin(this.#started++, dueMs, time);
    }
    if (this.#stopped || this.#settled < count) return;
    this.stop();
    done();
  }
}
