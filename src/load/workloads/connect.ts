import type { MessagePort } from 'node:worker_threads';
import { now } from '../measure/clock.ts';
import { Counter, add } from '../measure/counters.ts';
import type { Failure } from '../measure/errors.ts';
import { NS, Tracker } from '../measure/tracker.ts';
import type { Connection } from '../socket/connection.ts';
import { ArrivalRate } from './arrival-rate.ts';
import type { TrafficTimes, WorkerResult, WorkerStart } from './protocol.ts';
import { WorkerBase } from './worker-base.ts';

const NO_ANSWER: Failure = {
  kind: 'lost',
  detail: 'no answer',
  text: 'the handshake was not over when the drain was',
};

/**
 * A worker of the mode connect: opens connections and closes each as soon as it is open. Handshakes
 * are counted as the other modes count messages.
 *
 * In the open model handshakes are due by a schedule; those that find `connections` others under way
 * wait, and count from when they were due. At rate 0, and in the closed model, each place is taken
 * again as soon as it is free: `connections` places, times `depth` in the closed model.
 */
export class ConnectWorker extends WorkerBase {
  protected override readonly tracker: Tracker<Connection>;
  /** Numbers of the places that are free. */
  readonly #free: number[] = [];
  /** Due times of handshakes that found no place. */
  readonly #waiting: number[] = [];
  /** Due times of the handshakes under way, by the number of their place. */
  readonly #opening = new Map<number, number>();
  readonly #loop: ArrivalRate | undefined;
  #endMs = 0;

  constructor(start: WorkerStart, port: MessagePort) {
    super(start, port);
    const { plan, index, pacer } = start;
    this.tracker = new Tracker(this.counters, this.errors);
    const depth = plan.load.model === 'closed' ? plan.load.depth : 1;
    for (let i = index; i < plan.connections * depth; i += plan.workers) this.#free.unshift(i);
    if (plan.load.model === 'open' && plan.load.rate > 0) {
      this.#loop = new ArrivalRate({
        plan,
        load: plan.load,
        index,
        share: 1 / plan.workers,
        openShare: () => 1 / plan.workers,
        tracker: this.tracker,
        pacer,
        noteThread: this.noteThread,
        send: (due, count) => {
          for (let i = 0; i < count; i++) this.#waiting.push(due[i] as number);
          this.#go();
        },
      });
    }
    void (this.#loop?.ready ?? Promise.resolve()).then(() => this.connected(now()));
  }

  override opened(connection: Connection): void {
    super.opened(connection);
    this.#opening.delete(connection.index);
    const time = now();
    this.tracker.nowMs = time;
    const { startedMs, intendedMs } = connection;
    const responseMs = this.#loop === undefined ? null : time - intendedMs;
    this.tracker.countReply(this.tracker.phaseOf(intendedMs), time - startedMs, responseMs);
    connection.close();
  }

  override ended(connection: Connection): void {
    const wasOpen = connection.position >= 0;
    super.ended(connection);
    if (wasOpen) this.#free.push(connection.index);
    this.#go();
  }

  protected override notOpened({ index, intendedMs }: Connection): void {
    this.#opening.delete(index);
    add(this.tracker.phaseOf(intendedMs).counts, Counter.lost, 1);
    this.#free.push(index);
    // Later: the socket is not closed yet, and the caller's stack must not grow.
    setImmediate(() => this.#go());
  }

  protected override startTraffic(times: TrafficTimes): void {
    this.tracker.measureMs = times.measureMs;
    this.tracker.endMs = times.endMs;
    if (this.#loop !== undefined) this.#loop.start(times);
    else {
      this.#endMs = times.endMs;
      setTimeout(() => this.#go(), Math.ceil(times.startMs - now()) + 1);
    }
  }

  protected override get drained(): boolean {
    return this.#waiting.length + this.#opening.size === 0 && (this.#loop?.done ?? true);
  }

  protected override stopTraffic(interrupted: boolean): Pick<WorkerResult, 'replies'> {
    const { tracker } = this;
    this.#loop?.stop();
    this.#endMs = 0;
    for (const due of this.#waiting) add(tracker.phaseOf(due).counts, Counter.unsent, 1);
    this.#waiting.length = 0;
    for (const due of interrupted ? [] : this.#opening.values()) {
      add(tracker.phaseOf(due).counts, Counter.lost, 1);
      this.errors.add(NO_ANSWER);
    }
    return { replies: [] };
  }

  /** Takes the free places for what is due. */
  #go(): void {
    if (this.finished) return;
    while (this.#free.length > 0) {
      const time = now();
      const asap = this.#loop === undefined && time < this.#endMs;
      const dueMs = this.#waiting.shift() ?? (asap ? time : undefined);
      if (dueMs === undefined) return;
      const { counts, lateness } = this.tracker.phaseOf(dueMs);
      if (this.#loop === undefined) add(counts, Counter.intended, 1);
      else lateness.record((time - dueMs) * NS);
      add(counts, Counter.sent, 1);
      const index = this.#free.pop() as number;
      this.#opening.set(index, dueMs);
      this.dial({ index, intendedMs: dueMs, startedMs: time });
    }
  }
}
