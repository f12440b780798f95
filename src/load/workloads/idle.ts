import { Tracker } from './tracker.ts';
import type { Traffic } from './tracker.ts';

/** The mode idle: nothing is sent but pongs, and what the server says is counted as bytes alone. */
export class IdleTracker extends Tracker {
  override readonly inFlight = 0;

  override message(): void {
    // Nothing was asked, so nothing is wrong.
  }

  override begin(): void {
    // As for `message`.
  }

  override part(): void {
    // As for `message`.
  }

  override end(): void {
    // As for `message`.
  }

  override lose(): void {
    // Nothing is outstanding.
  }
}

/** The traffic of the mode idle. */
export class IdleExecutor implements Traffic {
  readonly ready = Promise.resolve();
  readonly done = true;

  opened(): void {
    // Nothing is to be said to it.
  }

  start(): void {
    // The connections are open; that is all.
  }

  answered(): void {
    // Nothing was sent.
  }

  stop(): void {
    // Nothing was started.
  }
}
