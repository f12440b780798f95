import { now } from '../../measure/clock.ts';
import type { Pace } from './pacing.ts';
import type { VuTracker } from './tracker.ts';

/** How late a pass is. */
interface PassTiming {
  /** How much later than due the pass began. */
  readonly lateMs: number;
  /** The generator's own part of that; null without a schedule. */
  readonly delayMs: number | null;
}

const UNSCHEDULED: PassTiming = { lateMs: 0, delayMs: null };

/** The passes of one virtual user: when the next is due, how late it begins, what stays unsent. */
export class PassSchedule {
  readonly #tracker: VuTracker;
  readonly #until: (dueMs: number) => Promise<void>;
  /** Messages of one pass. */
  readonly #messages: number;
  #timing = UNSCHEDULED;
  /** Whether a pass was due that has not begun. */
  #isDue = false;
  /** When the present pass was due, and its messages that are not sent yet. */
  #due = { dueMs: 0, left: 0 };

  /** `until` resolves when it is time, and rejects when the run ends before. */
  constructor(o: {
    tracker: VuTracker;
    until: (dueMs: number) => Promise<void>;
    messages: number;
  }) {
    this.#tracker = o.tracker;
    this.#until = o.until;
    this.#messages = o.messages;
  }

  get timing(): PassTiming {
    return this.#timing;
  }

  get isDue(): boolean {
    return this.#isDue;
  }

  /** The pass that was due has begun. */
  begun(): void {
    this.#isDue = false;
  }

  /** One message of the pass is sent. */
  sent(): void {
    this.#due.left -= 1;
  }

  /** The next steps belong to no schedule. */
  leaveSchedule(): void {
    this.#timing = UNSCHEDULED;
  }

  /** Counts passes that were due while there was no connection as unsent. */
  skip(pace: Pace): void {
    const nowMs = now();
    while (pace.next < nowMs) this.#leaveOut(pace);
  }

  #leaveOut(pace: Pace): void {
    this.#tracker.unsent(pace.next, this.#messages);
    pace.advance();
  }

  /** Counts messages that the present pass has not sent as unsent. */
  end(): void {
    const { dueMs, left } = this.#due;
    if (left > 0) this.#tracker.unsent(dueMs, left);
    this.#due = { dueMs, left: 0 };
  }

  /** Waits until the next pass is due; a late one begins at once and keeps its due time. */
  async wait(pace: Pace | undefined, readyMs: number): Promise<void> {
    if (pace === undefined) return;
    const tracker = this.#tracker;
    // Passes that an overloaded server delayed in the warm-up must not fill the measured phase.
    while (pace.next < tracker.measureMs && tracker.isMeasured(now())) this.#leaveOut(pace);
    this.end();
    const dueMs = pace.next;
    if (dueMs > now()) await this.#until(dueMs);
    pace.advance();
    // It was due in time, so it is sent although the traffic may just have ended.
    this.#isDue = true;
    this.#due = { dueMs, left: this.#messages };
    const startMs = now();
    this.#timing = {
      lateMs: startMs - dueMs,
      delayMs: Math.max(0, startMs - Math.max(dueMs, readyMs)),
    };
  }
}
