import { now } from '../measure/clock.ts';
import type { ConnectionList } from '../socket/connection-list.ts';
import type { Connection } from '../socket/connection.ts';
import type { EchoTracker } from './echo-tracker.ts';
import { Counter, add } from '../measure/counters.ts';
import type { TrafficTimes } from './protocol.ts';
import { ArrivalRate } from './arrival-rate.ts';
import type { ArrivalRateOptions } from './arrival-rate.ts';
import type { Traffic } from './tracker.ts';

export interface ArrivalRateExecutorOptions extends Omit<ArrivalRateOptions, 'send' | 'weight'> {
  readonly tracker: EchoTracker;
  readonly open: ConnectionList;
}

/** Shortest sleep of the pacer: replies wake the thread more often, and what is due goes with them. */
const LEAST_MS = 0.7;

/** Open model: the connections take the messages in turn, whether or not replies come. */
export class ArrivalRateExecutor implements Traffic {
  readonly #tracker: EchoTracker;
  readonly #open: ConnectionList;
  readonly #loop: ArrivalRate;
  /** Whose turn it is. */
  #turn = 0;

  constructor(options: ArrivalRateExecutorOptions) {
    this.#tracker = options.tracker;
    this.#open = options.open;
    this.#loop = new ArrivalRate({
      ...options,
      leastMs: LEAST_MS,
      send: (due, count, timeMs) => this.#send(due, count, timeMs),
    });
  }

  get ready(): Promise<void> {
    return this.#loop.ready;
  }

  get done(): boolean {
    return this.#loop.done;
  }

  opened(): void {
    // Its turn comes with the traffic.
  }

  start(times: TrafficTimes): void {
    this.#loop.start(times);
  }

  /** A reply woke this thread: what is due by now need not wait for the pacer. */
  answered(): void {
    this.#loop.nudge();
  }

  stop(): void {
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
      // Each write takes its time, which is not the server's.
      tracker.nowMs = i === 0 ? timeMs : now();
      tracker.send(this.#open.at((first + i) % connections), own, due, i, connections);
    }
    this.#turn = (first + count) % connections;
  }
}

/** Closed model: keeps `depth` messages in flight on each connection. */
export class ConcurrencyExecutor implements Traffic {
  readonly ready = Promise.resolve();
  readonly done = true;
  readonly #tracker: EchoTracker;
  readonly #open: ConnectionList;
  readonly #depth: number;
  readonly #due = new Float64Array(1);
  /** Connections that may send again, in the order in which their replies came. */
  readonly #ready: Connection[] = [];
  #timer: NodeJS.Timeout | undefined;
  #endMs = 0;

  constructor(options: { tracker: EchoTracker; open: ConnectionList; depth: number }) {
    this.#tracker = options.tracker;
    this.#open = options.open;
    this.#depth = options.depth;
  }

  opened(): void {
    // Its turn comes with the traffic.
  }

  start(times: TrafficTimes): void {
    const missing = times.startMs - now();
    // Timers may come a part of a millisecond early, which would count as warm-up.
    if (missing > 0) {
      this.#timer = setTimeout(() => this.start(times), Math.ceil(missing));
      return;
    }
    this.#endMs = times.endMs;
    this.#tracker.nowMs = now();
    for (let i = 0; i < this.#open.size; i++) this.#send(this.#open.at(i), this.#depth);
  }

  answered(connection: Connection, count: number): void {
    if (connection.credit === 0) {
      if (this.#ready.length === 0) setImmediate(this.#flush);
      this.#ready.push(connection);
    }
    connection.credit += count;
  }

  /**
   * Sends once for each turn of the event loop, when all that had come was read: a server on the
   * same machine is then not woken for each message.
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

  stop(): void {
    clearTimeout(this.#timer);
    this.#endMs = 0;
  }

  #send(connection: Connection, count: number): void {
    this.#due[0] = this.#tracker.nowMs;
    add(this.#tracker.phaseOf(this.#tracker.nowMs).counts, Counter.intended, count);
    this.#tracker.send(connection, count, this.#due);
  }
}
