import { hostname } from 'node:os';
import type { Job, Queue, QueueEvents, Worker } from 'bullmq';
import type { OperationContext } from '../../core/operation.ts';
import { INTERRUPTED, runSegment } from '../../load/distributed/run-segment.ts';
import { LOCK_MS, PREFIX, QUEUE, STALLED_CHECK_MS } from '../../load/distributed/protocol.ts';
import type { Outcome, RunEvent, RunEvents, SegmentRow } from '../../load/distributed/protocol.ts';
import { openRedis, settles, watchRedis } from '../../load/distributed/redis.ts';
import type { RedisLink } from '../../load/distributed/redis.ts';
import type { BenchmarkWorkerInput, BenchmarkWorkerReport } from './schema.ts';

/**
 * Runs segments of distributed runs until interrupted, or one with `once`.
 *
 * An interrupt ends a running segment early; what it measured is sent to the coordinator. Throws
 * `EnvironmentError` when Redis cannot be reached or BullMQ is not installed.
 */
export async function benchmarkWorker(
  input: BenchmarkWorkerInput,
  context: OperationContext,
): Promise<BenchmarkWorkerReport> {
  const began = context.now();
  const link = await openRedis(input.redis, context.cwd);
  const worker = new SegmentWorker(input, context, link);
  try {
    await worker.work();
  } finally {
    await worker.leave();
  }
  const { name, segments, refused } = worker;
  const cut = context.signal.aborted && segments.some(({ note }) => note === INTERRUPTED);
  return {
    operation: 'benchmark-worker',
    status: cut ? 'interrupted' : 'passed',
    success: !cut,
    name,
    redis: link.address,
    shares: segments,
    refused,
    durationMs: context.now() - began,
  };
}

/** Time for an interrupted segment to end where Redis is away, which takes no result. */
const END_MS = 3000;

class SegmentWorker {
  readonly name: string;
  readonly segments: SegmentRow[] = [];
  refused = 0;
  readonly #input: BenchmarkWorkerInput;
  readonly #context: OperationContext;
  readonly #link: RedisLink;
  readonly #worker: Worker<unknown, Outcome>;
  readonly #queue: Queue;
  readonly #events: QueueEvents;
  /** The run of each job. */
  readonly #runs = new Map<string, string>();
  readonly #segments = new Set<Promise<Outcome>>();
  #stop: () => void = () => undefined;
  readonly #unwatch: () => void;

  constructor(input: BenchmarkWorkerInput, context: OperationContext, link: RedisLink) {
    this.name = input.name ?? `${hostname()}-${process.pid}`;
    this.#input = input;
    this.#context = context;
    this.#link = link;
    const { bullmq } = link.packages;
    const base = { connection: link.client, prefix: PREFIX };
    this.#queue = new bullmq.Queue(QUEUE, { ...base, skipMetasUpdate: true });
    this.#events = new bullmq.QueueEvents(QUEUE, { ...base, lastEventId: link.lastEventId });
    this.#worker = new bullmq.Worker(
      QUEUE,
      // BullMQ passes a signal only to processors that take three arguments.
      (job: Job<unknown, Outcome>, _token, signal) => this.#execute(job, signal ?? context.signal),
      {
        ...base,
        name: this.name,
        concurrency: input.concurrency,
        autorun: false,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        // A stalled segment is lost: no other worker can continue it in the middle of a run.
        maxStalledCount: 0,
      },
    );
    // `#watch` handles a lost Redis.
    const ignore = (): void => undefined;
    this.#queue.on('error', ignore);
    this.#events.on('error', ignore);
    this.#worker.on('error', ignore);
    this.#unwatch = this.#watch();
  }

  /** Resolves when interrupted, or after the only segment with `once`. */
  async work(): Promise<void> {
    const { signal } = this.#context;
    const stopped = new Promise<void>((resolve) => {
      this.#stop = resolve;
    });
    const interrupt = (): void => {
      this.#worker.cancelAllJobs();
      this.#stop();
    };
    if (signal.aborted) return;
    signal.addEventListener('abort', interrupt, { once: true });
    await Promise.all([this.#events.waitUntilReady(), this.#worker.waitUntilReady()]);
    const running = this.#worker.run();
    this.#say(`waiting for runs at ${this.#link.address}`);
    await Promise.race([stopped, running]);
    signal.removeEventListener('abort', interrupt);
  }

  /** Waits for running segments to end, then closes Redis. */
  async leave(): Promise<void> {
    this.#unwatch();
    if (this.#link.client.status !== 'ready') {
      await settles(Promise.allSettled(this.#segments), END_MS);
    }
    await this.#link.close([this.#worker, this.#events, this.#queue]);
  }

  async #execute(job: Job<unknown, Outcome>, signal: AbortSignal): Promise<Outcome> {
    const id = job.id ?? '';
    const running = runSegment(job.data, {
      name: this.name,
      allowTargets: this.#input.allowTargets,
      clock: this.#link.clock,
      signal,
      send: (message) => job.updateProgress(message),
      read: async () => (await this.#queue.getJob(id))?.data as unknown,
      started: (run, timeoutMs) => {
        this.#runs.set(id, run);
        return this.#started(run, timeoutMs, signal);
      },
      say: (line) => this.#say(line),
      onDone: (row) => void this.segments.push(row),
    });
    this.#segments.add(running);
    const outcome = await running.finally(() => this.#segments.delete(running));
    this.#runs.delete(id);
    if (outcome.kind === 'refused') this.refused += 1;
    if (this.#input.once && (outcome.kind === 'result' || outcome.kind === 'error')) {
      // Before this job ends, as BullMQ takes the next one together with that.
      await this.#worker.pause(true);
      this.#stop();
    }
    return outcome;
  }

  /** Waits for the start of `run`; false when it is cancelled or does not come in time. */
  async #started(run: string, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return await new Promise((resolve) => {
      const settle = (began: boolean): void => {
        clearTimeout(timer);
        this.#events.off<RunEvents>('start', onStart);
        signal.removeEventListener('abort', onAbort);
        resolve(began);
      };
      const onStart = (event: RunEvent): void => {
        if (event.run === run) settle(true);
      };
      const onAbort = (): void => settle(false);
      const timer = setTimeout(onAbort, timeoutMs);
      this.#events.on<RunEvents>('start', onStart);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) settle(false);
    });
  }

  /** Returns a function that ends the watch. */
  #watch(): () => void {
    this.#events.on<RunEvents>('cancel', ({ run }: RunEvent) => {
      for (const [jobId, of] of this.#runs) if (of === run) this.#worker.cancelJob(jobId);
    });
    // The coordinator takes a worker without a lock for lost: its load must end.
    this.#worker.on('lockRenewalFailed', (jobIds) => {
      for (const jobId of jobIds) this.#worker.cancelJob(jobId);
    });
    return watchRedis(this.#link.client, LOCK_MS, () => {
      this.#say(`lost Redis at ${this.#link.address}: ending its runs`);
      this.#worker.cancelAllJobs();
    });
  }

  #say(line: string): void {
    this.#context.emit({ stage: `${this.name} ${line}`, event: true });
  }
}
