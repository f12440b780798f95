import type { MessagePort } from 'node:worker_threads';
import { now } from '../measure/clock.ts';
import { ErrorTable } from '../measure/errors.ts';
import { Gauge, WorkerCounters } from '../measure/counters.ts';
import type { FromWorker, ToWorker, TrafficTimes, WorkerResult, WorkerStart } from './protocol.ts';
import { UsageMeter } from '../measure/thread-usage.ts';
import type { Usage } from '../measure/thread-usage.ts';

/** What a worker does between the messages that it exchanges with the main thread. */
export interface WorkerDriver {
  /** The times of the traffic are known. */
  begin(times: TrafficTimes): void;
  /** Messages that still wait for a reply. */
  readonly inFlight: number;
  /** Whether everything that was due is sent and answered. */
  readonly drained: boolean;
  /** Stops sending and gives up on what is outstanding, unless the run was interrupted. */
  finish(interrupted: boolean): Omit<WorkerResult, keyof Usage | 'errors'>;
  /** Closes all connections; calls `WorkerShell.end` when none is left. */
  close(): void;
}

/** How often the end of the traffic and of the drain is looked for, in milliseconds. */
const PERIOD_MS = 2;

/** The part of a worker thread that speaks with the main thread, whatever the thread does. */
export class WorkerShell {
  readonly counters: WorkerCounters;
  readonly errors: ErrorTable;
  /** What the thread has measured is on its way: nothing counts any more. */
  finished = false;
  readonly #port: MessagePort;
  readonly #meter = new UsageMeter();
  readonly #startMs = now();
  #driver: WorkerDriver | undefined;
  #usage: Usage | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ buffers }: WorkerStart, port: MessagePort) {
    this.#port = port;
    this.counters = new WorkerCounters(buffers);
    this.errors = new ErrorTable(this.counters.gauges);
  }

  /** Counts the CPU time of another thread to this one's. */
  readonly noteThread = (thread: string | null): void => this.#meter.add(thread);

  run(driver: WorkerDriver): void {
    this.#driver = driver;
    this.#port.on('message', (message: ToWorker) => this.#receive(message));
  }

  /** Every connection of this worker was opened or failed. */
  connected(): void {
    this.#send({ type: 'connected', startMs: this.#startMs, endMs: now() });
  }

  /** No connection is left, and none will be. */
  gone(): void {
    this.#send({ type: 'gone' });
  }

  /** No socket is left: the thread may end. */
  end(): void {
    clearInterval(this.#timer);
    this.#port.close();
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
        this.#finish(true);
        this.#driver?.close();
        break;
    }
  }

  #begin(times: TrafficTimes): void {
    const driver = this.#driver as WorkerDriver;
    driver.begin(times);
    let measuring = false;
    this.#timer = setInterval(() => {
      const time = now();
      this.counters.gauges[Gauge.inFlight] = driver.inFlight;
      if (!measuring && time >= times.measureMs) {
        measuring = true;
        this.#meter.start();
      }
      if (time < times.endMs) return;
      this.#usage ??= this.#meter.stop();
      if (driver.drained || time >= times.drainMs) this.#finish(false);
    }, PERIOD_MS);
  }

  #finish(interrupted: boolean): void {
    if (this.finished) return;
    clearInterval(this.#timer);
    const driver = this.#driver as WorkerDriver;
    const result = driver.finish(interrupted);
    this.finished = true;
    this.counters.gauges[Gauge.inFlight] = driver.inFlight;
    this.#usage ??= this.#meter.stop();
    this.#send({ type: 'result', errors: this.errors.rows(), ...result, ...this.#usage });
  }

  #send(message: FromWorker): void {
    this.#port.postMessage(message);
  }
}
