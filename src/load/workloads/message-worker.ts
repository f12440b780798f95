import type { MessagePort } from 'node:worker_threads';
import { Tracker } from '../measure/tracker.ts';
import type { Failure } from '../measure/errors.ts';
import { MOST_OPENING, RampUp } from '../pacing/ramp-up.ts';
import type { Connection } from '../socket/connection.ts';
import type { Executor } from './executor.ts';
import { createMode } from './modes.ts';
import type { TrafficTimes, WorkerResult, WorkerStart } from './protocol.ts';
import { NO_REPLY, WorkerBase } from './worker-base.ts';

/** A worker of the modes that open all connections first and send over them then. */
export class MessageWorker extends WorkerBase {
  protected override tracker: Tracker<Connection>;
  readonly #executor: Executor;
  readonly #rampUp: RampUp;
  /** Replies of connections that are gone. */
  readonly #replies: number[] = [];
  #connected = false;

  constructor(start: WorkerStart, port: MessagePort) {
    super(start, port);
    const { plan, index } = start;
    const count = Math.max(0, Math.ceil((plan.connections - index) / plan.workers));
    const mode = createMode(start, {
      counters: this.counters,
      errors: this.errors,
      open: this.open,
      noteThread: this.noteThread,
      share: count / plan.connections,
    });
    this.tracker = mode.tracker;
    this.#executor = mode.executor;
    this.#rampUp = new RampUp({
      count,
      rampMs: plan.phases.rampMs,
      limit: MOST_OPENING,
      begin: (position, intendedMs, startedMs) => {
        this.dial({ index: index + position * plan.workers, intendedMs, startedMs });
      },
      done: () => {
        this.#connected = true;
        this.connected(this.#rampUp.startMs);
        this.#noticeEmpty();
      },
    });
    void this.#executor.ready.then(() => this.#rampUp.start());
  }

  override opened(connection: Connection): void {
    super.opened(connection);
    this.#executor.opened(connection);
    this.#rampUp.settled();
  }

  override dropped(connection: Connection, failure: Failure): void {
    super.dropped(connection, failure);
    if (this.finished) return;
    this.#replies.push(connection.replies);
    this.#noticeEmpty();
  }

  override consumed(connection: Connection): void {
    const { settled } = this.tracker;
    if (settled > 0) this.#executor.answered(connection, settled);
  }

  protected override notOpened(): void {
    this.#rampUp.settled();
  }

  protected override startTraffic(times: TrafficTimes): void {
    this.tracker.measureMs = times.measureMs;
    this.tracker.endMs = times.endMs;
    this.#executor.start(times);
  }

  protected override get drained(): boolean {
    return this.#executor.done && this.tracker.inFlight === 0;
  }

  protected override stopTraffic(interrupted: boolean): Pick<WorkerResult, 'replies'> {
    this.#executor.stop();
    this.#rampUp.stop();
    for (let i = 0; i < this.open.size; i++) {
      if (!interrupted) this.tracker.lose(this.open.at(i), NO_REPLY);
      this.#replies.push(this.open.at(i).replies);
    }
    // Messages that come after the result must not count.
    this.tracker = new Tracker(this.counters, this.errors);
    return { replies: this.#replies };
  }

  #noticeEmpty(): void {
    if (this.#connected && this.open.size === 0) this.gone();
  }
}
