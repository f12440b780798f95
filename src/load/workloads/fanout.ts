import type { FanoutPlan, LoadPlan } from '../plan.ts';
import { Opcode } from '../../protocol/index.ts';
import { now } from '../measure/clock.ts';
import type { Connection } from '../socket/connection.ts';
import type { FanoutTracker } from './fanout-tracker.ts';
import { Counter, add } from '../measure/counters.ts';
import type { TrafficTimes } from './protocol.ts';
import { ArrivalRate } from './arrival-rate.ts';
import { Executor } from './executor.ts';

/** How often the closed model looks for messages that all receivers got, in milliseconds. */
const PERIOD_MS = 1;

export interface FanoutExecutorOptions {
  readonly plan: LoadPlan;
  readonly fanout: FanoutPlan;
  readonly index: number;
  readonly tracker: FanoutTracker;
  readonly pacer: string;
  readonly noteThread: (thread: string | null) => void;
}

/** The mode fanout: some connections publish in turn, all receive. */
export class FanoutExecutor extends Executor {
  readonly #options: FanoutExecutorOptions;
  readonly #loop: ArrivalRate | undefined;
  readonly #publishers: Connection[] = [];
  /** Messages that are not delivered to all yet, and their publishers; in the closed model. */
  #underway: { readonly connection: Connection; readonly row: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #endMs = 0;
  #turn = 0;

  constructor(options: FanoutExecutorOptions) {
    super();
    this.#options = options;
    const { plan, fanout, index, tracker, pacer, noteThread } = options;
    const { load } = plan;
    if (load.model === 'closed') return;
    const publishers = Math.ceil((fanout.publishers - index) / plan.workers);
    this.#loop = new ArrivalRate({
      plan,
      load,
      index,
      share: Math.max(0, publishers) / fanout.publishers,
      openShare: () => this.#publishers.length / fanout.publishers,
      tracker,
      pacer,
      noteThread,
      weight: () => tracker.receivers,
      send: (due, count) => {
        for (let i = 0; i < count; i++) this.#publishNext(due[i] as number);
      },
    });
  }

  override get ready(): Promise<void> {
    return this.#loop?.ready ?? super.ready;
  }

  override get done(): boolean {
    return this.#loop?.done ?? true;
  }

  override opened(connection: Connection): void {
    const { fanout } = this.#options;
    if (fanout.join.length > 0) connection.send(Opcode.text, fanout.join);
    if (connection.index < fanout.publishers) this.#publishers.push(connection);
  }

  override start(times: TrafficTimes): void {
    this.#loop?.start(times);
    const { load } = this.#options.plan;
    if (load.model === 'open') return;
    this.#endMs = times.endMs;
    this.#timer = setInterval(() => {
      if (now() < times.startMs) return;
      if (this.#underway.length === 0) this.#fill(load.depth);
      else this.#renew();
    }, PERIOD_MS);
  }

  override stop(): void {
    this.#loop?.stop();
    clearInterval(this.#timer);
  }

  #publishNext(dueMs: number): void {
    const { tracker } = this.#options;
    for (let tried = 0; tried < this.#publishers.length; tried++) {
      const connection = this.#publishers[this.#turn++ % this.#publishers.length];
      if (connection?.isOpen !== true) continue;
      tracker.nowMs = now();
      tracker.publish(connection, dueMs);
      return;
    }
    add(tracker.phaseOf(dueMs).counts, Counter.unsent, tracker.receivers);
  }

  #fill(depth: number): void {
    for (const connection of this.#publishers) {
      for (let i = 0; i < depth; i++) this.#publish(connection);
    }
  }

  #renew(): void {
    const { published } = this.#options.tracker;
    const complete = this.#underway.filter(({ row }) => published.isComplete(row));
    if (complete.length === 0) return;
    this.#underway = this.#underway.filter((entry) => !complete.includes(entry));
    for (const { connection } of complete) this.#publish(connection);
  }

  #publish(connection: Connection): void {
    const { tracker } = this.#options;
    const time = now();
    if (!connection.isOpen || time >= this.#endMs) return;
    tracker.nowMs = time;
    add(tracker.phaseOf(time).counts, Counter.intended, tracker.receivers);
    this.#underway.push({ connection, row: tracker.publish(connection, time) });
  }
}
