import type { LoadPlan, OpenLoad } from '../plan.ts';
import { now } from '../measure/clock.ts';
import type { Tracker } from '../measure/tracker.ts';
import type { Connection } from '../socket/connection.ts';
import { Counter, add } from '../measure/counters.ts';
import type { TrafficTimes } from './protocol.ts';
import { createSchedule } from '../pacing/schedule.ts';
import type { Schedule } from '../pacing/schedule.ts';
import { MillisecondTimer, Spinner } from '../pacing/timers.ts';
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
  /** Messages that one due time stands for; 1 if absent. */
  readonly weight?: () => number;
  /** Sends `count` messages, whose due times are at the start of `due`, at `timeMs`. */
  readonly send: (due: Float64Array, count: number, timeMs: number) => void;
}

/** Open model: hands over messages when they are due, whatever the server does. */
export class ArrivalRate {
  readonly #options: ArrivalRateOptions;
  readonly #timer: Timer;
  readonly #due = new Float64Array(MOST_DUE);
  #schedule: Schedule | undefined;
  #endMs = 0;
  #nudged = false;
  #nudgeMs = NUDGE_MS;

  constructor(options: ArrivalRateOptions) {
    this.#options = options;
    const tick = (): void => this.#tick();
    this.#timer = options.plan.precise ? new Spinner(tick) : new MillisecondTimer(tick);
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
    this.#nudgeMs = Math.max(NUDGE_MS, (NUDGE_MESSAGES * 1000) / rate);
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
