import type { MessagePort } from 'node:worker_threads';
import { now } from '../measure/clock.ts';
import { Counter, Gauge, WorkerCounters, add } from '../measure/counters.ts';
import { ErrorTable } from '../measure/errors.ts';
import type { Failure } from '../measure/errors.ts';
import { UsageMeter } from '../measure/thread-usage.ts';
import type { Usage } from '../measure/thread-usage.ts';
import type { Tracker } from '../measure/tracker.ts';
import { NS } from '../measure/tracker.ts';
import type { LoadPlan } from '../plan.ts';
import { ClientConnection } from '../socket/client-connection.ts';
import { ConnectionList } from '../socket/connection-list.ts';
import type { Connection, ConnectionEvents, Place } from '../socket/connection.ts';
import { Dialer } from '../socket/dialer.ts';
import type { RequestChanges } from '../socket/dialer.ts';
import { FastConnection } from '../socket/fast-connection.ts';
import type { FromWorker, ToWorker, TrafficTimes, WorkerResult, WorkerStart } from './protocol.ts';

/** How often the end of the drain is looked for, in milliseconds. */
const PERIOD_MS = 2;
/** How long duplicate and unexpected replies are waited for after the last reply. */
const AFTER_MS = 30;

/** What is in flight at the end of the drain is lost. */
export const NO_REPLY: Failure = {
  kind: 'lost',
  detail: 'no reply',
  text: 'no reply came before the drain was over',
};

/**
 * Runs one worker through start, drain and close, and counts its connections. Subclasses decide what
 * to send.
 */
export abstract class WorkerBase implements ConnectionEvents {
  protected readonly plan: LoadPlan;
  protected readonly counters: WorkerCounters;
  protected readonly errors: ErrorTable;
  protected readonly open = new ConnectionList();
  /** The result is sent: nothing counts any more. */
  protected finished = false;
  /** Counts another thread's CPU time to this worker's. */
  protected readonly noteThread = (thread: string | null): void => this.#meter.add(thread);
  readonly #port: MessagePort;
  readonly #meter = new UsageMeter();
  readonly #dialer: Dialer;
  readonly #Connection: typeof FastConnection | typeof ClientConnection;
  /** Those that are not closed yet. */
  readonly #sockets = new Set<Connection>();
  #compressed = 0;
  #usage: Usage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  constructor({ plan, index, addresses, buffers, workload }: WorkerStart, port: MessagePort) {
    this.plan = plan;
    this.#port = port;
    this.counters = new WorkerCounters(buffers);
    this.errors = new ErrorTable(this.counters.gauges);
    const kind = workload.engine === 'fast' ? 'fast' : 'client';
    this.#Connection = kind === 'fast' ? FastConnection : ClientConnection;
    const { target, workers, phases } = plan;
    const timeoutMs = phases.connectTimeoutMs;
    this.#dialer = new Dialer({ target, addresses, index, workers, timeoutMs, kind });
    port.on('message', (message: ToWorker) => this.#receive(message));
  }

  protected abstract tracker: Tracker<Connection>;
  /** Starts the traffic. */
  protected abstract startTraffic(times: TrafficTimes): void;
  /** Whether all that was due is sent, and answered or lost. */
  protected abstract get drained(): boolean;
  /** Stops the traffic; what is in flight is lost, unless the run was `interrupted`. */
  protected abstract stopTraffic(
    interrupted: boolean,
  ): Pick<WorkerResult, 'replies' | 'scenario' | 'notes'>;
  /** A connection failed to open, which is counted. */
  protected abstract notOpened(connection: Connection, failure: Failure): void;

  /** Opens a connection, which reports to this worker. */
  protected dial(at: Place, changes?: RequestChanges): Connection {
    const connection = new this.#Connection(this, at);
    this.#dialer.dial(connection, changes);
    this.#sockets.add(connection);
    return connection;
  }

  /** Every connection of this worker was opened or failed. */
  protected connected(startMs: number): void {
    this.#post({ type: 'connected', startMs, endMs: now() });
  }

  /** No connection is left, and none will be. */
  protected gone(): void {
    this.#post({ type: 'gone' });
  }

  opened(connection: Connection): void {
    const { gauges, connect } = this.counters;
    this.#dialer.opened(connection);
    connect.record((now() - connection.startedMs) * NS);
    add(gauges, Gauge.opened, 1);
    if (connection.deflate !== undefined) this.#compressed += 1;
    this.open.add(connection);
    gauges[Gauge.open] = this.open.size;
  }

  failed(connection: Connection, failure: Failure): void {
    if (this.finished) return;
    if (failure.kind === 'ports' && this.#dialer.canRetry(connection)) {
      this.dial(connection);
      return;
    }
    add(this.counters.gauges, Gauge.failed, 1);
    this.errors.add(failure);
    this.notOpened(connection, failure);
  }

  dropped(connection: Connection, failure: Failure): void {
    this.#leave(connection);
    if (this.finished) return;
    add(this.counters.gauges, Gauge.dropped, 1);
    this.errors.add(failure);
    const text = `the connection was gone: ${failure.text}`;
    this.tracker.lose(connection, { kind: 'lost', detail: 'connection gone', text });
  }

  ended(connection: Connection): void {
    this.#sockets.delete(connection);
    this.#leave(connection);
    if (this.#closing && this.#sockets.size === 0) this.#port.close();
  }

  received(_connection: Connection, bytes: number): void {
    if (this.finished) return;
    const { tracker } = this;
    tracker.nowMs = now();
    tracker.settled = 0;
    add(tracker.phaseOf(tracker.nowMs).counts, Counter.bytesReceived, bytes);
  }

  consumed(connection: Connection): void;
  consumed(): void {}

  pinged(): void {
    add(this.counters.gauges, Gauge.heartbeats, 1);
  }

  message(connection: Connection, bytes: Buffer, from: number, to: number, opcode: number): void {
    this.tracker.message(connection, bytes, from, to, opcode);
  }

  begin(connection: Connection, opcode: number): void {
    this.tracker.begin(connection, opcode);
  }

  part(connection: Connection, bytes: Buffer, from: number, to: number): void {
    this.tracker.part(connection, bytes, from, to);
  }

  end(connection: Connection): void {
    this.tracker.end(connection);
  }

  #leave(connection: Connection): void {
    this.open.remove(connection);
    this.counters.gauges[Gauge.open] = this.open.size;
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case 'start':
        this.#start(message.times);
        break;
      case 'finish':
        this.#finish(message.interrupted);
        break;
      case 'close':
        this.#close();
        break;
    }
  }

  #start(times: TrafficTimes): void {
    this.startTraffic(times);
    this.#at(times.measureMs, () => {
      this.#meter.start();
      this.#at(times.endMs, () => this.#drain(times.drainMs));
    });
  }

  #at(ms: number, action: () => void): void {
    const missing = ms - now();
    // Timers may fire a fraction of a millisecond early.
    if (missing <= 0) action();
    else this.#timer = setTimeout(() => this.#at(ms, action), Math.ceil(missing));
  }

  #drain(untilMs: number): void {
    this.#usage ??= this.#meter.stop();
    let drainedMs = Infinity;
    this.#timer = setInterval(() => {
      const time = now();
      drainedMs = this.drained ? Math.min(drainedMs, time) : Infinity;
      if (time >= Math.min(drainedMs + AFTER_MS, untilMs)) this.#finish(false);
    }, PERIOD_MS);
  }

  #finish(interrupted: boolean): void {
    if (this.finished) return;
    clearInterval(this.#timer);
    this.#usage ??= this.#meter.stop();
    const result = this.stopTraffic(interrupted);
    this.finished = true;
    for (const connection of this.#sockets) if (connection.isOpening) connection.reset();
    const notes = [...(result.notes ?? []), ...this.#compressionNotes()];
    this.#post({ type: 'result', errors: this.errors.rows(), ...result, ...this.#usage, notes });
  }

  #close(): void {
    this.#finish(true);
    this.#closing = true;
    for (const connection of this.#sockets) connection.close();
    if (this.#sockets.size === 0) this.#port.close();
  }

  #compressionNotes(): string[] {
    if (!this.plan.target.compression) return [];
    const opened = this.counters.gauges[Gauge.opened] as number;
    if (this.#compressed === opened) return ['permessage-deflate was in force'];
    if (this.#compressed === 0) return ['the server declined permessage-deflate'];
    return [`permessage-deflate was in force on ${this.#compressed} of ${opened} connections`];
  }

  #post(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}
