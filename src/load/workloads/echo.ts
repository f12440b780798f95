import { now } from '../measure/clock.ts';
import type { ConnectionList } from '../socket/connection-list.ts';
import type { Connection } from '../socket/connection.ts';
import type { EchoTracker } from './echo-tracker.ts';
import { Counter, add } from '../measure/counters.ts';
import type { TrafficTimes } from './protocol.ts';
import { ArrivalRate } from './arrival-rate.ts';
import type { ArrivalRateOptions } from './arrival-rate.ts';
import { Executor } from './executor.ts';

export interface ArrivalRateExecutorOptions extends Omit<
  ArrivalRateOptions,
  'send' | 'weight' | 'openShare'
> {
  readonly tracker: EchoTracker;
  readonly open: ConnectionList;
}

/** Shortest sleep of the pacer: replies wake the thread more often, and due messages go with them. */
const LEAST_MS = 0.7;

/** Arrival-rate executor: connections send in turn when messages are due, replies or not. */
export class ArrivalRateExecutor extends Executor {
  readonly #tracker: EchoTracker;
  readonly #open: ConnectionList;
  readonly #loop: ArrivalRate;
  /** Position of the connection that sends next. */
  #turn = 0;

  constructor(options: ArrivalRateExecutorOptions) {
    super();
    this.#tracker = options.tracker;
    this.#open = options.open;
    this.#loop = new ArrivalRate({
      ...options,
      leastMs: LEAST_MS,
      openShare: () => options.open.size / options.plan.connections,
      send: (due, count, timeMs) => this.#send(due, count, timeMs),
    });
  }

  override get ready(): Promise<void> {
    return this.#loop.ready;
  }

  override get done(): boolean {
    return this.#loop.done;
  }

  override start(times: TrafficTimes): void {
    this.#loop.start(times);
  }

  /** A reply woke this thread, so due messages need not wait for the pacer. */
  override answered(): void {
    this.#loop.nudge(this.#tracker.nowMs);
  }

  override stop(): void {
    this.#loop.stop();
  }

  /** Gives each connection its messages in one write. */
  #send(due: Float64Array, count: number, timeMs: number): void {
    const tracker = this.#tracker;
    const connections = this.#open.size;
    if (connections === 0) {
      for (let i = 0; i < count; i++) {
        add(tracker.phaseOf(due[i] as number).counts, Counter.unsent, 1);
      }
      return;
    }
    const first = this.#turn % connections;
    const senders = Math.min(count, connections);
    for (let i = 0; i < senders; i++) {
      const own = Math.ceil((count - i) / connections);
      // The time that a write takes is not the server's.
      tracker.nowMs = i === 0 ? timeMs : now();
      tracker.send(this.#open.at((first + i) % connections), own, due, i, connections);
    }
    this.#turn = (first + count) % connections;
  }
}

/** Constant-concurrency executor: keeps `depth` messages in flight on each connection. */
export class ConcurrencyExecutor extends Executor {
  readonly #tracker: EchoTracker;
  readonly #open: ConnectionList;
  readonly #depth: number;
  readonly #due = new Float64Array(1);
  /** Connections that may send again, in the order of their replies. */
  readonly #ready: Connection[] = [];
  #timer: NodeJS.Timeout | undefined;
  #endMs = 0;

  constructor(options: { tracker: EchoTracker; open: ConnectionList; depth: number }) {
    super();
    this.#tracker = options.tracker;
    this.#open = options.open;
    this.#depth = options.depth;
  }

  override start(times: TrafficTimes): void {
    const missing = times.startMs - now();
    // Timers may fire a fraction of a millisecond early.
    if (missing > 0) {
      this.#timer = setTimeout(() => this.start(times), Math.ceil(missing));
      return;
    }
    this.#endMs = times.endMs;
    this.#tracker.nowMs = now();
    for (let i = 0; i < this.#open.size; i++) this.#send(this.#open.at(i), this.#depth);
  }

  override answered(connection: Connection, count: number): void {
    if (connection.credit === 0) {
      if (this.#ready.length === 0) setImmediate(this.#flush);
      this.#ready.push(connection);
    }
    connection.credit += count;
  }

  /**
   * Sends once for each turn of the event loop, after all input was read: a server on the same
   * machine is then not woken for each message.
   */
  readonly #flush = (): void => {
    const ready = this.#ready;
    const tracker = this.#tracker;
    for (const connection of ready) {
      const count = connection.credit;
      connection.credit = 0;
      tracker.nowMs = now();
      if (connection.isOpen && tracker.nowMs < this.#endMs) this.#send(connection, count);
    }
    ready.length = 0;
  };

  override stop(): void {
    clearTimeout(this.#timer);
    this.#endMs = 0;
  }

  #send(connection: Connection, count: number): void {
    this.#due[0] = this.#tracker.nowMs;
    add(this.#tracker.phaseOf(this.#tracker.nowMs).counts, Counter.intended, count);
    this.#tracker.send(connection, count, this.#due);
  }
}
