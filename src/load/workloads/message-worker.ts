import type { MessagePort } from 'node:worker_threads';
import type { Violation } from '../../protocol/index.ts';
import { now } from '../measure/clock.ts';
import { ConnectionList } from '../socket/connection-list.ts';
import type { Connection, ConnectionHost } from '../socket/connection.ts';
import { Dialer } from '../socket/dialer.ts';
import type { Failure } from '../measure/errors.ts';
import { WorkerBase } from './worker-base.ts';
import type { Tracker, Traffic } from './tracker.ts';
import { Counter, Gauge, add } from '../measure/counters.ts';
import type { TrafficTimes, WorkerStart } from './protocol.ts';
import { createMode } from './modes.ts';
import { RampUp } from '../pacing/ramp-up.ts';
import { IdleTracker } from './idle.ts';

const NO_REPLY: Failure = {
  kind: 'lost',
  detail: 'no reply',
  text: 'no reply came before the drain was over',
};

/** A worker of the modes that open all connections first, and use them then. */
export class MessageWorker extends WorkerBase implements ConnectionHost {
  readonly #open = new ConnectionList();
  /** Replies of those that are gone. */
  readonly #replies: number[] = [];
  #tracker: Tracker;
  readonly #executor: Traffic;
  readonly #opener: RampUp;
  #connected = false;

  constructor(start: WorkerStart, port: MessagePort) {
    super(start, port);
    const { plan, index, addresses } = start;
    const indices: number[] = [];
    for (let i = index; i < plan.connections; i += plan.workers) indices.push(i);
    const mode = createMode(start, {
      counters: this.counters,
      errors: this.errors,
      open: this.#open,
      noteThread: this.noteThread,
      share: indices.length / plan.connections,
    });
    this.#tracker = mode.tracker;
    this.#executor = mode.executor;
    this.#opener = new RampUp({
      dialer: new Dialer({ target: plan.target, addresses, index, workers: plan.workers }),
      host: this,
      timeoutMs: plan.phases.connectTimeoutMs,
      indices,
      rampMs: plan.phases.rampMs,
      done: () => this.#connect(),
    });
    void this.#executor.ready.then(() => this.#opener.start());
  }

  opened(connection: Connection): void {
    this.counters.connect.record((now() - connection.startedMs) * 1e6);
    add(this.counters.gauges, Gauge.opened, 1);
    this.#open.add(connection);
    this.counters.gauges[Gauge.open] = this.#open.size;
    this.#executor.opened(connection);
    this.#opener.settled(connection);
  }

  failed(connection: Connection, failure: Failure): void {
    if (this.finished || this.#opener.retry(connection, failure)) return;
    add(this.counters.gauges, Gauge.failed, 1);
    this.errors.add(failure);
    this.#opener.settled(connection);
  }

  dropped(connection: Connection, failure: Failure): void {
    this.#open.remove(connection);
    this.counters.gauges[Gauge.open] = this.#open.size;
    if (this.finished) return;
    add(this.counters.gauges, Gauge.dropped, 1);
    this.errors.add(failure);
    const text = `the connection was gone: ${failure.text}`;
    this.#tracker.lose(connection, { kind: 'lost', detail: 'connection gone', text });
    this.#replies.push(connection.replies);
    this.#noticeEmpty();
  }

  received(_connection: Connection, bytes: number): void {
    if (this.finished) return;
    const tracker = this.#tracker;
    tracker.nowMs = now();
    tracker.settled = 0;
    add(tracker.phaseOf(tracker.nowMs).counts, Counter.bytesReceived, bytes);
  }

  consumed(connection: Connection): void {
    const { settled } = this.#tracker;
    if (settled > 0) this.#executor.answered(connection, settled);
  }

  message(connection: Connection, bytes: Buffer, from: number, to: number, opcode: number): void {
    this.#tracker.message(connection, bytes, from, to, opcode);
  }

  begin(connection: Connection, opcode: number): void {
    this.#tracker.begin(connection, opcode);
  }

  part(connection: Connection, bytes: Buffer, from: number, to: number): void {
    this.#tracker.part(connection, bytes, from, to);
  }

  end(connection: Connection): void {
    this.#tracker.end(connection);
  }

  ping(connection: Connection, payload: Buffer): void {
    add(this.counters.gauges, Gauge.heartbeats, 1);
    connection.pong(payload);
  }

  closed(connection: Connection, code: number, reason: string): void {
    connection.peerClosed(code, reason);
  }

  violated(connection: Connection, violation: Violation): void {
    connection.violated(violation);
  }

  protected override startTraffic(times: TrafficTimes): void {
    this.#tracker.measureMs = times.measureMs;
    this.#executor.start(times);
  }

  protected override get sentAll(): boolean {
    return this.#executor.done;
  }

  protected override get inFlight(): number {
    return this.#tracker.inFlight;
  }

  protected override stopTraffic(interrupted: boolean): void {
    this.#executor.stop();
    this.#opener.stop();
    for (let i = 0; i < this.#open.size && !interrupted; i++) {
      this.#tracker.lose(this.#open.at(i), NO_REPLY);
    }
    // What comes now is not part of the result, which is handed in once.
    this.#tracker = new IdleTracker(this.counters);
  }

  protected override replies(): number[] {
    for (let i = 0; i < this.#open.size; i++) this.#replies.push(this.#open.at(i).replies);
    return this.#replies;
  }

  protected override closeAll(): void {
    while (this.#open.size > 0) {
      const connection = this.#open.at(this.#open.size - 1);
      this.#open.remove(connection);
      connection.close();
    }
  }

  #connect(): void {
    this.#connected = true;
    this.post({ type: 'connected', startMs: this.#opener.startMs, endMs: now() });
    this.#noticeEmpty();
  }

  #noticeEmpty(): void {
    if (this.#connected && this.#open.size === 0) this.post({ type: 'gone' });
  }
}
