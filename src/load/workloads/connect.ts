import type { MessagePort } from 'node:worker_threads';
import { now } from '../measure/clock.ts';
import { Connection } from '../socket/connection.ts';
import type { ConnectionHost } from '../socket/connection.ts';
import { Dialer } from '../socket/dialer.ts';
import type { Failure } from '../measure/errors.ts';
import { WorkerBase } from './worker-base.ts';
import { Counter, Gauge, add } from '../measure/counters.ts';
import type { PhaseCounters } from '../measure/counters.ts';
import type { TrafficTimes, WorkerStart } from './protocol.ts';
import { ArrivalRate } from './arrival-rate.ts';
import { IdleTracker } from './idle.ts';

/** How often handshakes are looked after that take too long, in milliseconds. */
const PERIOD_MS = 20;
/** How long the server has to end a connection that we closed. */
const CLOSE_MS = 1000;

const NO_ANSWER: Failure = {
  kind: 'lost',
  detail: 'no answer',
  text: 'the handshake was not over when the drain was',
};

/**
 * A worker of the mode connect: opens connections and closes each once it is open. A handshake is
 * to it what a message is to the other modes.
 *
 * In the open model handshakes are due by the schedule; those that find `connections` others under
 * way wait, and keep the time at which they were due. At rate 0, and in the closed model, each place
 * is taken anew as soon as it is free: `connections` places, times `depth` in the closed model.
 */
export class ConnectWorker extends WorkerBase implements ConnectionHost {
  readonly #start: WorkerStart;
  readonly #dialer: Dialer;
  /** Knows the phases, and ignores what the server says. */
  readonly #tracker: IdleTracker;
  /** Numbers of the places that are free. */
  readonly #free: number[] = [];
  /** When those were due that found no place. */
  readonly #waiting: number[] = [];
  /** Handshakes under way, the oldest first. */
  readonly #opening = new Set<Connection>();
  /** Closed by us, and not yet ended by the server; with the time after which that is done here. */
  readonly #closing = new Map<Connection, number>();
  #loop: ArrivalRate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #endMs = 0;

  constructor(start: WorkerStart, port: MessagePort) {
    super(start, port);
    const { plan, index, addresses } = start;
    this.#start = start;
    this.#tracker = new IdleTracker(this.counters);
    this.#dialer = new Dialer({ target: plan.target, addresses, index, workers: plan.workers });
    const depth = plan.load.model === 'closed' ? plan.load.depth : 1;
    for (let i = index; i < plan.connections * depth; i += plan.workers) this.#free.unshift(i);
    this.post({ type: 'connected', startMs: now(), endMs: now() });
  }

  opened(connection: Connection): void {
    const time = now();
    const { gauges, connect } = this.counters;
    this.#opening.delete(connection);
    this.#dialer.opened(connection);
    add(gauges, Gauge.opened, 1);
    add(gauges, Gauge.open, 1);
    connect.record((time - connection.startedMs) * 1e6);
    const phase = this.#phaseOf(connection);
    add(phase.counts, Counter.received, 1);
    phase.service.record((time - connection.startedMs) * 1e6);
    if (this.#loop !== undefined) phase.response.record((time - connection.intendedMs) * 1e6);
    this.#closing.set(connection, time + CLOSE_MS);
    connection.close();
  }

  failed(connection: Connection, failure: Failure): void {
    this.#opening.delete(connection);
    if (this.finished) return;
    if (failure.kind === 'ports' && this.#dialer.canRetry(connection)) {
      this.#dial(connection.index, connection.intendedMs, connection.startedMs);
      return;
    }
    add(this.counters.gauges, Gauge.failed, 1);
    add(this.#phaseOf(connection).counts, Counter.lost, 1);
    this.errors.add(failure);
    this.#free.push(connection.index);
    // The socket is not closed yet, and the stack of whoever opened it should not grow.
    setImmediate(() => this.#go());
  }

  dropped(): void {
    // Each is closed as soon as it is open.
  }

  override ended(connection: Connection): void {
    if (this.#closing.delete(connection)) {
      add(this.counters.gauges, Gauge.open, -1);
      this.#free.push(connection.index);
    }
    super.ended(connection);
    this.#go();
  }

  received(_connection: Connection, bytes: number): void {
    add(this.#tracker.phaseOf(now()).counts, Counter.bytesReceived, bytes);
  }

  consumed(): void {
    // Nothing was asked.
  }

  message(): void {
    // A greeting, perhaps.
  }

  begin(): void {
    // As for `message`.
  }

  part(): void {
    // As for `message`.
  }

  end(): void {
    // As for `message`.
  }

  ping(): void {
    // It is closed already.
  }

  closed(): void {
    // The server ends the connection next.
  }

  violated(connection: Connection): void {
    connection.reset();
  }

  protected override startTraffic(times: TrafficTimes): void {
    const { plan, index, pacer } = this.#start;
    this.#tracker.measureMs = times.measureMs;
    this.#timer = setInterval(() => this.#expire(), PERIOD_MS);
    if (plan.load.model === 'open' && plan.load.rate > 0) {
      this.#loop = new ArrivalRate({
        plan,
        load: plan.load,
        index,
        share: 1 / plan.workers,
        tracker: this.#tracker,
        pacer,
        noteThread: this.noteThread,
        send: (due, count) => {
          for (let i = 0; i < count; i++) this.#waiting.push(due[i] as number);
          this.#go();
        },
      });
      this.#loop.start(times);
    } else {
      this.#endMs = times.endMs;
      setTimeout(() => this.#go(), Math.ceil(times.startMs - now()) + 1);
    }
  }

  protected override get sentAll(): boolean {
    return this.#waiting.length === 0 && (this.#loop?.done ?? true);
  }

  protected override get inFlight(): number {
    return this.#opening.size;
  }

  protected override stopTraffic(interrupted: boolean): void {
    clearInterval(this.#timer);
    this.#loop?.stop();
    this.#endMs = 0;
    for (const due of this.#waiting) add(this.#tracker.phaseOf(due).counts, Counter.unsent, 1);
    this.#waiting.length = 0;
    if (interrupted) return;
    for (const connection of this.#opening) {
      add(this.#phaseOf(connection).counts, Counter.lost, 1);
      this.errors.add(NO_ANSWER);
    }
  }

  protected override replies(): number[] {
    return [];
  }

  protected override closeAll(): void {
    for (const connection of this.#opening) connection.reset();
    this.#opening.clear();
  }

  #phaseOf({ intendedMs }: Connection): PhaseCounters {
    return this.#tracker.phaseOf(intendedMs);
  }

  /** Takes the free places for what is due. */
  #go(): void {
    if (this.finished) return;
    while (this.#free.length > 0) {
      const time = now();
      const asap = this.#loop === undefined && time < this.#endMs;
      const dueMs = this.#waiting.shift() ?? (asap ? time : undefined);
      if (dueMs === undefined) return;
      const phase = this.#tracker.phaseOf(dueMs);
      if (this.#loop === undefined) add(phase.counts, Counter.intended, 1);
      else phase.lateness.record((time - dueMs) * 1e6);
      add(phase.counts, Counter.sent, 1);
      this.#dial(this.#free.pop() as number, dueMs, time);
    }
  }

  #dial(index: number, intendedMs: number, startedMs: number): void {
    const connection = new Connection(this, { index, intendedMs, startedMs });
    this.#opening.add(connection);
    this.opening(connection);
    this.#dialer.dial(connection);
  }

  #expire(): void {
    const time = now();
    const { connectTimeoutMs } = this.#start.plan.phases;
    for (const connection of this.#opening) {
      if (time - connection.startedMs < connectTimeoutMs) break;
      const text = `no answer to the opening handshake within ${connectTimeoutMs} ms`;
      connection.abort({ kind: 'timeout', detail: 'handshake', text });
    }
    for (const [connection, untilMs] of this.#closing) {
      if (time < untilMs) break;
      connection.reset();
    }
  }
}
