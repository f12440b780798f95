import type { Worker } from 'node:worker_threads';
import type { WorkerCounters } from '../measure/counters.ts';
import type { FromWorker, ToWorker, WorkerResult, WorkerStart } from '../workloads/protocol.ts';
import { startThread } from '../pacing/timers.ts';

/** How long a thread may take to end before it is terminated. */
const END_MS = 3000;

export interface HandleOptions extends Omit<WorkerStart, 'buffers'> {
  readonly counters: WorkerCounters;
  /** The worker's entry: a URL, or its source text. */
  readonly entry: string;
  /** Called when any property of the handle changed. */
  readonly changed: () => void;
}

/** One worker thread, seen from the main thread. */
export class WorkerHandle {
  readonly name: string;
  readonly counters: WorkerCounters;
  /** Set once every connection of the worker was opened or failed. */
  connected: { readonly startMs: number; readonly endMs: number } | undefined;
  /** It has no open connection left. */
  gone = false;
  result: WorkerResult | undefined;
  /** Why the thread ended before it had a result. */
  crash: string | undefined;
  readonly #thread: Worker;
  readonly #ended: Promise<void>;

  constructor({ entry, changed, counters, ...start }: HandleOptions) {
    this.counters = counters;
    this.name = `worker ${start.index + 1}`;
    const workerData: WorkerStart = { ...start, buffers: counters.buffers };
    this.#thread = startThread(entry, this.name, workerData);
    this.#thread.on('message', (message: FromWorker) => {
      this.#receive(message);
      changed();
    });
    this.#thread.on('error', (error) => {
      this.crash ??= error instanceof Error ? error.message : String(error);
      changed();
    });
    this.#ended = new Promise((resolve) => {
      this.#thread.on('exit', (code) => {
        if (this.result === undefined) this.crash ??= `the thread ended with code ${code}`;
        changed();
        resolve();
      });
    });
  }

  /** It has sent its result or crashed. */
  get settled(): boolean {
    return this.result !== undefined || this.crash !== undefined;
  }

  send(message: ToWorker): void {
    this.#thread.postMessage(message);
  }

  /** Closes its connections and waits until the thread is no more. */
  async end(): Promise<void> {
    this.send({ type: 'close' });
    const timer = setTimeout(() => void this.#thread.terminate(), END_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #receive(message: FromWorker): void {
    switch (message.type) {
      case 'connected':
        this.connected = message;
        break;
      case 'gone':
        this.gone = true;
        break;
      case 'result':
        this.result = message;
        break;
    }
  }
}
