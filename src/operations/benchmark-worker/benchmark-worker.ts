import { hostname } from 'node:os';
import type { Job, Queue, QueueEvents, Worker } from 'bullmq';
import type { OperationContext } from '../../core/operation.ts';
import { executeShare } from '../../load/distributed/run-segment.ts';
import { LOCK_MS, PREFIX, QUEUE, STALLED_CHECK_MS } from '../../load/distributed/protocol.ts';
import type { Outcome, RunEvent, RunEvents } from '../../load/distributed/protocol.ts';
import { openRedis, watchRedis } from '../../load/distributed/redis.ts';
import type { RedisLink } from '../../load/distributed/redis.ts';
import type { BenchmarkWorkerInput, BenchmarkWorkerReport, ShareRow } from './schema.ts';

/**
 * Carries out shares of distributed runs until interrupted, or one with `once`.
 *
 * A share that runs when this worker is interrupted is cut short, and what it measured is handed
 * in. Throws `EnvironmentError` when Redis is not there or the job engine is not installed.
 */
export async function benchmarkWorker(
  input: BenchmarkWorkerInput,
  context: OperationContext,
): Promise<BenchmarkWorkerReport> {
  const began = context.now();
  const link = await openRedis(input.redis, context.cwd);
  const worker = new ShareWorker(input, context, link);
  try {
    await worker.work();
  } finally {
    await worker.leave();
  }
  const { name, shares, refused } = worker;
  const cut = context.signal.aborted && shares.some(({ note }) => note === 'cut short');
  return {
    operation: 'benchmark-worker',
    status: cut ? 'interrupted' : 'passed',
    success: !cut,
    name,
    redis: link.address,
    shares,
    refused,
    durationMs: context.now() - began,
  };
}

class ShareWorker {
  readonly name: string;
  readonly shares: ShareRow[] = [];
  refused = 0;
  readonly #input: BenchmarkWorkerInput;
  readonly #context: OperationContext;
  readonly #link: RedisLink;
  readonly #worker: Worker<unknown, Outcome>;
  readonly #queue: Queue;
  readonly #events: QueueEvents;
  /** By job: the run it is a share of. */
  readonly #runs = new Map<string, string>();
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
      // BullMQ makes a signal for processors that take three arguments.
      (job: Job<unknown, Outcome>, _token, signal) => this.#execute(job, signal ?? context.signal),
      {
        ...base,
        name: this.name,
        concurrency: input.concurrency,
        autorun: false,
        lockDuration: LOCK_MS,
        stalledInterval: STALLED_CHECK_MS,
        // A share that stalled is lost: nobody else can take it up in the middle of a run.
        maxStalledCount: 0,
      },
    );
    // Redis that goes away is told by `#watch`.
    const ignore = (): void => undefined;
    this.#queue.on('error', ignore);
    this.#events.on('error', ignore);
    this.#worker.on('error', ignore);
    this.#unwatch = this.#watch();
  }

  /** Resolves when interrupted, or after the one share. */
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
    this.#say(`waits for runs at ${this.#link.address}`);
    await Promise.race([stopped, running]);
    signal.removeEventListener('abort', interrupt);
  }

  /** Hands in what is running and lets go of Redis. */
  async leave(): Promise<void> {
    this.#unwatch();
    await this.#link.close([this.#worker, this.#events, this.#queue]);
  }

  async #execute(job: Job<unknown, Outcome>, signal: AbortSignal): Promise<Outcome> {
    const id = job.id ?? '';
    const outcome = await executeShare(job.data, {
      name: this.name,
      allowTargets: this.#input.allowTargets,
      clock: this.#link.clock,
      signal,
      tell: (tidings) => job.updateProgress(tidings),
      read: async () => (await this.#queue.getJob(id))?.data as unknown,
      started: (run, timeoutMs) => {
        this.#runs.set(id, run);
        return this.#started(run, timeoutMs, signal);
      },
      say: (line) => this.#say(line),
      onDone: (row) => void this.shares.push(row),
    });
    this.#runs.delete(id);
    if (outcome.kind === 'refused') this.refused += 1;
    if (this.#input.once && (outcome.kind === 'result' || outcome.kind === 'error')) {
      // Now, as the next job would be taken together with the end of this one.
      await this.#worker.pause(true);
      this.#stop();
    }
    return outcome;
  }

  /** Waits for the start of `run`; false when it is called off, or too late. */
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

  /** Returns what ends the watch on Redis. */
  #watch(): () => void {
    this.#events.on<RunEvents>('cancel', ({ run }: RunEvent) => {
      for (const [jobId, of] of this.#runs) if (of === run) this.#worker.cancelJob(jobId);
    });
    // Whoever holds no lock any more is lost to the coordinator: the load must not go on unseen.
    this.#worker.on('lockRenewalFailed', (jobIds) => {
      for (const jobId of jobIds) this.#worker.cancelJob(jobId);
    });
    return watchRedis(this.#link.client, LOCK_MS, () => {
      this.#say(`lost Redis at ${this.#link.address}, which ends what runs`);
      this.#worker.cancelAllJobs();
    });
  }

  #say(line: string): void {
    this.#context.emit({ stage: `${this.name} ${line}`, event: true });
  }
}
