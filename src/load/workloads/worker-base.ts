import type { MessagePort } from 'node:worker_threads';
import { now } from '../measure/clock.ts';
import type { Connection } from '../socket/connection.ts';
import { ErrorTable } from '../measure/errors.ts';
import { Gauge, WorkerCounters } from '../measure/counters.ts';
import type { FromWorker, ToWorker, TrafficTimes, WorkerStart } from './protocol.ts';
import { UsageMeter } from '../measure/thread-usage.ts';
import type { Usage } from '../measure/thread-usage.ts';

/** How often the end of the traffic and of the drain is looked for, in milliseconds. */
const PERIOD_MS = 2;
/** How long after the last reply others are waited for that come twice, or unasked. */
const AFTER_MS = 30;
/** How long servers have to answer our Close frame before the connections are reset. */
const CLOSE_MS = 500;

/** The phases of one worker, as the main thread orders them; what is sent is for the heirs. */
export abstract class WorkerBase {
  protected readonly counters: WorkerCounters;
  protected readonly errors: ErrorTable;
  /** Whose sockets are not closed yet. */
  protected readonly sockets = new Set<Connection>();
  protected finished = false;
  /** Counts another thread's CPU time to this worker's. */
  protected readonly noteThread = (thread: string | null): void => this.#meter.add(thread);
  readonly #port: MessagePort;
  readonly #meter = new UsageMeter();
  #usage: Usage | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closing = false;

  constructor(start: WorkerStart, port: MessagePort) {
    this.#port = port;
    this.counters = new WorkerCounters(start.buffers);
    this.errors = new ErrorTable(this.counters.gauges);
    port.on('message', (message: ToWorker) => this.#receive(message));
  }

  opening(connection: Connection): void {
    this.sockets.add(connection);
  }

  ended(connection: Connection): void {
    this.sockets.delete(connection);
    if (this.#closing && this.sockets.size === 0) this.#end();
  }

  /** Starts the traffic. */
  protected abstract startTraffic(times: TrafficTimes): void;
  /** Whether everything that was due was sent. */
  protected abstract get sentAll(): boolean;
  /** What is sent and neither answered nor given up. */
  protected abstract get inFlight(): number;
  /** Stops the traffic; unless `interrupted`, what is outstanding is lost. */
  protected abstract stopTraffic(interrupted: boolean): void;
  /** Replies of each connection that was opened, in the measured phase. */
  protected abstract replies(): number[];
  /** Closes what is open. */
  protected abstract closeAll(): void;

  protected post(message: FromWorker): void {
    this.#port.postMessage(message);
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case 'start':
        this.#begin(message.times);
        break;
      case 'finish':
        this.#finish(message.interrupted);
        break;
      case 'close':
        this.#close();
        break;
    }
  }

  #begin(times: TrafficTimes): void {
    this.startTraffic(times);
    let measuring = false;
    let drainedMs = Infinity;
    this.#timer = setInterval(() => {
      const time = now();
      this.counters.gauges[Gauge.inFlight] = this.inFlight;
      if (!measuring && time >= times.measureMs) {
        measuring = true;
        this.#meter.start();
      }
      if (time < times.endMs) return;
      this.#usage ??= this.#meter.stop();
      if (!this.sentAll || this.inFlight > 0) drainedMs = Infinity;
      else drainedMs = Math.min(drainedMs, time);
      if (time >= Math.min(drainedMs + AFTER_MS, times.drainMs)) this.#finish(false);
    }, PERIOD_MS);
  }

  #finish(interrupted: boolean): void {
    if (this.finished) return;
    clearInterval(this.#timer);
    this.#usage ??= this.#meter.stop();
    this.stopTraffic(interrupted);
    this.finished = true;
    this.counters.gauges[Gauge.inFlight] = this.inFlight;
    this.post({
      type: 'result',
      errors: this.errors.rows(),
      replies: this.replies(),
      ...this.#usage,
    });
  }

  #close(): void {
    this.#finish(true);
    this.#closing = true;
    this.closeAll();
    if (this.sockets.size === 0) this.#end();
    setTimeout(() => {
      for (const connection of this.sockets) connection.reset();
    }, CLOSE_MS).unref();
  }

  #end(): void {
    this.#port.close();
  }
}
