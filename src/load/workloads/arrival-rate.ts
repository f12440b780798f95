import type { LoadPlan, OpenLoad } from '../plan.ts';
import { now } from '../measure/clock.ts';
import type { Tracker } from '../measure/tracker.ts';
import type { Connection } from '../socket/connection.ts';
import { Counter, add } from '../measure/counters.ts';
import type { TrafficTimes } from './protocol.ts';
import { createSchedule } from '../pacing/schedule.ts';
import type { Schedule } from '../pacing/schedule.ts';
import { MillisecondTimer, Pacer, isCoarse, Spinner, leastSleepMs } from '../pacing/timers.ts';
import type { Timer } from '../pacing/timers.ts';

/** Most messages that are handed over at a time; the next turn takes the others. */
const MOST_DUE = 16 * 1024;
/** Messages that are due, and how late the first is, when they do not wait for the timer any more. */
const NUDGE_MESSAGES = 8;
const NUDGE_MS = 0.5;

export interface ArrivalRateOptions {
  readonly plan: LoadPlan;
  readonly load: OpenLoad;
  /** Number of this worker, and its part of the rate, 0 to 1. */
  readonly index: number;
  readonly share: number;
  /** The part that is left for the connections that are open, where the rate is per connection. */
  readonly openShare: () => number;
  readonly tracker: Tracker<Connection>;
  readonly pacer: string;
  /** Shortest sleep of the pacer; depends on the rate if absent. */
  readonly leastMs?: number;
  /** Called with the pacer's thread, for its CPU time. */
  readonly noteThread: (thread: string | null) => void;
  /** Messages that one due time stands for; 1 if absent. */
  readonly weight?: () => number;
  /** Sends `count` messages, whose due times are at the start of `due`, at `timeMs`. */
  readonly send: (due: Float64Array, count: number, timeMs: number) => void;
}

/** Open model: hands over messages when they are due, whatever the server does. */
export class ArrivalRate {
  readonly #options: ArrivalRateOptions;
  readonly #timer: Timer;
  /** Whether messages wait up to a millisecond for each other. */
  readonly #coarse: boolean;
  readonly #due = new Float64Array(MOST_DUE);
  #schedule: Schedule | undefined;
  #endMs = 0;
  #nudged = false;
  #nudgeMs = 0;

  constructor(options: ArrivalRateOptions) {
    this.#options = options;
    const tick = (): void => this.#tick();
    const rate = options.load.rate * options.share;
    this.#coarse = isCoarse(rate, options.plan.precise);
    if (options.plan.precise) this.#timer = new Spinner(tick);
    else if (this.#coarse) this.#timer = new MillisecondTimer(tick);
    else {
      this.#timer = new Pacer(options.pacer, tick, {
        leastMs: options.leastMs ?? leastSleepMs(rate),
        noteThread: options.noteThread,
      });
    }
  }

  get ready(): Promise<void> {
    return this.#timer.ready;
  }

  /** Everything was handed over. */
  get done(): boolean {
    return this.#schedule === undefined;
  }

  start({ startMs, endMs }: TrafficTimes): void {
    const { plan, load, index, share, openShare } = this.#options;
    const { arrivals, seed } = load;
    const { workers } = plan;
    const rate = load.rate * (load.perConnection === true ? openShare() : share);
    if (rate === 0) return;
    if (this.#coarse) this.#nudgeMs = Math.max(NUDGE_MS, (NUDGE_MESSAGES * 1000) / rate);
    this.#endMs = endMs;
    this.#schedule = createSchedule({ rate, arrivals, seed, index, workers, startMs });
    this.#tick();
  }

  /**
   * This thread is awake: sends what has been due for a while at the end of this turn of the event
   * loop. Fewer messages at a time would cost more CPU time for each.
   */
  nudge(timeMs: number): void {
    const schedule = this.#schedule;
    if (this.#nudged || schedule === undefined || schedule.next > timeMs - this.#nudgeMs) return;
    this.#nudged = true;
    setImmediate(() => {
      this.#nudged = false;
      this.#tick();
    });
  }

  stop(): void {
    this.#schedule = undefined;
    this.#timer.stop();
  }

  #tick(): void {
    const schedule = this.#schedule;
    if (schedule === undefined) return;
    const time = now();
    const count = this.#collect(schedule, Math.min(time, this.#endMs));
    if (count > 0) this.#options.send(this.#due, count, time);
    if (schedule.next < this.#endMs) {
      this.#timer.schedule(schedule.next);
    } else {
      // The pacer thread stays: its CPU time can only be read while it exists.
      this.#schedule = undefined;
      this.#timer.schedule(Infinity);
    }
  }

  #collect(schedule: Schedule, latest: number): number {
    const { tracker, weight } = this.#options;
    const messages = weight?.() ?? 1;
    let count = 0;
    while (schedule.next <= latest && schedule.next < this.#endMs && count < MOST_DUE) {
      this.#due[count++] = schedule.next;
      add(tracker.phaseOf(schedule.next).counts, Counter.intended, messages);
      schedule.advance();
    }
    return count;
  }
}
