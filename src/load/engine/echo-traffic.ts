import type { LoadPlan, OpenLoad } from '../plan.ts';
import { now } from './clock.ts';
import type { Connection } from './connection.ts';
import type { EchoLedger } from './echo-ledger.ts';
import { Count, add } from './memory.ts';
import type { TrafficTimes } from './messages.ts';
import type { ConnectionList } from './connection-list.ts';
import { createSchedule } from './schedule.ts';
import type { Schedule } from './schedule.ts';
import { Pacer, Spinner } from './ticker.ts';
import type { Ticker } from './ticker.ts';

/** What is sent and when; the ledger knows what came of it. */
export interface Traffic {
  start(times: TrafficTimes): void;
  /** A piece of input of `connection` settled so many messages. */
  answered(connection: Connection, count: number): void;
  /** Everything that was due was sent. */
  readonly done: boolean;
  /** Sends no more. */
  stop(): void;
}

/** Messages taken up in one turn; what is due beyond them comes with the next. */
const MOST_DUE = 16 * 1024;

export interface OpenTrafficOptions {
  readonly plan: LoadPlan;
  readonly load: OpenLoad;
  readonly index: number;
  /** Connections of this worker, open or not: its share of the rate. */
  readonly share: number;
  readonly ledger: EchoLedger;
  readonly open: ConnectionList;
  readonly pacer: string;
}

/** Open model: sends what is due, whether or not replies come. */
export class OpenTraffic implements Traffic {
  readonly #options: OpenTrafficOptions;
  readonly #ticker: Ticker;
  readonly #due = new Float64Array(MOST_DUE);
  #schedule: Schedule | undefined;
  #endMs = 0;
  /** Whose turn it is. */
  #turn = 0;

  constructor(options: OpenTrafficOptions) {
    this.#options = options;
    const tick = (): void => this.#tick();
    this.#ticker = options.plan.precise ? new Spinner(tick) : new Pacer(options.pacer, tick);
  }

  start({ startMs, endMs }: TrafficTimes): void {
    const { plan, load, index, share } = this.#options;
    this.#endMs = endMs;
    this.#schedule = createSchedule({
      rate: (load.rate * share) / plan.connections,
      arrivals: load.arrivals,
      seed: load.seed,
      index,
      workers: plan.workers,
      startMs,
    });
    this.#ticker.schedule(this.#schedule.next);
  }

  get done(): boolean {
    return this.#schedule === undefined;
  }

  answered(): void {
    // The schedule goes on as it is.
  }

  stop(): void {
    this.#schedule = undefined;
    this.#ticker.stop();
  }

  #tick(): void {
    const schedule = this.#schedule;
    if (schedule === undefined) return;
    const time = now();
    const count = this.#collect(schedule, time);
    if (count > 0) this.#send(count, time);
    if (schedule.next < this.#endMs) this.#ticker.schedule(schedule.next);
    else this.stop();
  }

  /** Takes up what is due. */
  #collect(schedule: Schedule, time: number): number {
    const { ledger } = this.#options;
    const latest = Math.min(time, this.#endMs);
    let count = 0;
    while (schedule.next <= latest && schedule.next < this.#endMs && count < MOST_DUE) {
      this.#due[count++] = schedule.next;
      add(ledger.phaseOf(schedule.next).counts, Count.intended, 1);
      schedule.advance();
    }
    return count;
  }

  /** Gives the messages to the connections in turn, each its own in one write. */
  #send(count: number, time: number): void {
    const { ledger, open } = this.#options;
    const connections = open.size;
    if (connections === 0) {
      for (let i = 0; i < count; i++) {
        add(ledger.phaseOf(this.#due[i] as number).counts, Count.unsent, 1);
      }
      return;
    }
    ledger.nowMs = time;
    const first = this.#turn % connections;
    const senders = Math.min(count, connections);
    for (let i = 0; i < senders; i++) {
      const own = Math.ceil((count - i) / connections);
      const connection = open.at((first + i) % connections);
      ledger.send(connection, own, this.#due, i, connections);
    }
    this.#turn = (first + count) % connections;
  }
}

/** Closed model: keeps `depth` messages in flight on each connection. */
export class ClosedTraffic implements Traffic {
  readonly #ledger: EchoLedger;
  readonly #open: ConnectionList;
  readonly #depth: number;
  readonly #due = new Float64Array(1);
  #timer: NodeJS.Timeout | undefined;
  #endMs = 0;

  constructor(options: { ledger: EchoLedger; open: ConnectionList; depth: number }) {
    this.#ledger = options.ledger;
    this.#open = options.open;
    this.#depth = options.depth;
  }

  start(times: TrafficTimes): void {
    const missing = times.startMs - now();
    // Timers may come a part of a millisecond early, which would count as warm-up.
    if (missing > 0) {
      this.#timer = setTimeout(() => this.start(times), Math.ceil(missing));
      return;
    }
    this.#endMs = times.endMs;
    this.#ledger.nowMs = now();
    for (let i = 0; i < this.#open.size; i++) this.#send(this.#open.at(i), this.#depth);
  }

  get done(): boolean {
    return true;
  }

  answered(connection: Connection, count: number): void {
    if (connection.isOpen && this.#ledger.nowMs < this.#endMs) this.#send(connection, count);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#endMs = 0;
  }

  #send(connection: Connection, count: number): void {
    this.#due[0] = this.#ledger.nowMs;
    add(this.#ledger.phaseOf(this.#ledger.nowMs).counts, Count.intended, count);
    this.#ledger.send(connection, count, this.#due);
  }
}
