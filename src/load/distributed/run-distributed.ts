import { randomUUID } from 'node:crypto';
import type { Queue, QueueEvents, QueueEventsProducer, Worker } from 'bullmq';
import { EnvironmentError } from '../../core/errors.ts';
import { ownCommand } from '../../core/own-command.ts';
import { VERSION } from '../../core/version.ts';
import { aggregateResults } from '../aggregate.ts';
import type { LoadPlan } from '../plan.ts';
import type { LoadControl, LoadResult } from '../result.ts';
import { collect } from './collect.ts';
import { LiveSeconds } from './live-seconds.ts';
import { LOCK_MS, Outcome, PREFIX, QUEUE, STALLED_CHECK_MS } from './protocol.ts';
import type { Offer, Start, RunEvent } from './protocol.ts';
import { openRedis, settles, watchRedis } from './redis.ts';
import type { RedisLink } from './redis.ts';
import { Segments } from './segments.ts';
import type { Segment } from './segments.ts';
import { splitPlan } from './split-plan.ts';
import { hostAndPort } from '../../transport/address.ts';

export interface DistributedOptions {
  /** `redis://` or `rediss://` URL. */
  readonly redis: string;
  /** Number of remote workers. */
  readonly workers: number;
  /** Time limit until all have joined. */
  readonly timeoutMs: number;
  /** Run by the workers instead of the plan's messages; plain data. */
  readonly scenario?: unknown;
  /** Folder in which BullMQ may be installed (default: the current one). */
  readonly cwd?: string;
}

/** Time from the start to the first traffic: the event arrives, connections open. */
const START_MS = 1000;
const MS_PER_CONNECTION = 0.2;
/** Time that a segment may take beyond its phases. */
const LATE_MS = 30_000;
/** Time for segments to end after a cancel. */
const CANCEL_MS = 10_000;
/** Longer than a worker waits for Redis, so that the workers give up first. */
const REDIS_LOST_MS = LOCK_MS + 1000;

/**
 * Runs `plan` on remote workers (`websocket-skill benchmark-worker`) that use the same Redis, and
 * merges what they measured. A worker that is lost during the run is in the errors and notes.
 *
 * @throws UsageError for a plan that cannot be split
 * @throws EnvironmentError WSK_ERR_REDIS, WSK_ERR_QUEUE_MISSING; WSK_ERR_WORKERS when too few
 *   workers join, one refuses or all are lost; the workers' error when none could connect
 */
export async function runDistributed(
  plan: LoadPlan,
  options: DistributedOptions,
  control: LoadControl,
): Promise<LoadResult> {
  const plans = splitPlan(plan, options.workers);
  const link = await openRedis(options.redis, options.cwd ?? process.cwd());
  const live = new LiveSeconds(plans.length, control.onSecond);
  const run = new DistributedRun(link, new Segments(plans, live), options);
  try {
    return await Promise.race([run.run(plan, control.signal), run.lost]);
  } finally {
    await run.close();
  }
}

function nothingMeasured(plan: LoadPlan): LoadResult {
  const empty = aggregateResults([]);
  return {
    ...empty,
    connections: { ...empty.connections, requested: plan.connections },
    interrupted: true,
    notes: ['interrupted before all remote workers had joined'],
  };
}

/** One run, from the offer of its segments until its jobs are removed. */
class DistributedRun {
  readonly segments: Segments;
  /** Rejects when Redis is lost before the start; after it, the workers count as lost. */
  readonly lost: Promise<never>;
  readonly #id = randomUUID();
  readonly #link: RedisLink;
  readonly #options: DistributedOptions;
  readonly #queue: Queue;
  readonly #events: QueueEvents;
  readonly #producer: QueueEventsProducer;
  /** Runs no jobs: it finds stalled ones, also when all workers are lost. */
  readonly #watch: Worker;
  #offers = 0;
  #phase: 'gather' | 'start' | 'run' | 'cancelled' = 'gather';
  /** Time limit of the started segments. */
  #endsInMs = 0;
  #unwatch: () => void = () => undefined;

  constructor(link: RedisLink, segments: Segments, options: DistributedOptions) {
    this.segments = segments;
    this.#link = link;
    this.#options = options;
    const { bullmq } = link.packages;
    const base = { connection: link.client, prefix: PREFIX };
    this.#queue = new bullmq.Queue(QUEUE, base);
    this.#producer = new bullmq.QueueEventsProducer(QUEUE, base);
    this.#events = new bullmq.QueueEvents(QUEUE, { ...base, lastEventId: link.lastEventId });
    this.#watch = new bullmq.Worker(QUEUE, null, {
      ...base,
      autorun: false,
      maxStalledCount: 0,
      stalledInterval: STALLED_CHECK_MS,
    });
    // Lost connections come back, or `watchRedis` reports them.
    const ignore = (): void => undefined;
    this.#queue.on('error', ignore);
    this.#producer.on('error', ignore);
    this.#events.on('error', ignore);
    this.#watch.on('error', ignore);
    this.#listen();
    this.lost = new Promise((_resolve, reject) => {
      const lose = (): void => {
        if (this.#phase === 'gather' || this.#phase === 'start') reject(redisError(link.address));
        this.segments.endAll({ kind: 'lost', reason: `was lost with Redis at ${link.address}` });
      };
      this.#unwatch = watchRedis(link.client, REDIS_LOST_MS, lose, () => this.#hasJobs());
    });
  }

  async run(plan: LoadPlan, signal: AbortSignal): Promise<LoadResult> {
    await this.#offer();
    if (!(await this.#gather(signal))) return nothingMeasured(plan);
    await this.#start(plan);
    await this.#finish(signal);
    return collect(this.segments.all, signal.aborted);
  }

  /** Puts the segments into the queue. */
  async #offer(): Promise<void> {
    await this.#watch.startStalledCheckTimer();
    for (const segment of this.segments.all) segment.jobId = this.#nextJobId(segment);
    await this.#queue.addBulk(this.segments.all.map((segment) => this.#jobOf(segment)));
  }

  /**
   * Waits until each segment has a worker; false when interrupted.
   *
   * @throws EnvironmentError WSK_ERR_WORKERS
   */
  async #gather(signal: AbortSignal): Promise<boolean> {
    const { all } = this.segments;
    const { timeoutMs, workers, redis } = this.#options;
    const complete = (): boolean => all.every(({ worker }) => worker !== undefined);
    const ended = (): Segment | undefined => all.find(({ end }) => end !== undefined);
    await this.segments.until(() => complete() || ended() !== undefined, timeoutMs, signal);
    if (signal.aborted) return false;
    const end = ended()?.end;
    if (end?.kind === 'refused') throw workersError(`remote worker ${end.name} ${end.reason}`);
    if (end?.kind === 'lost') throw workersError(end.reason);
    if (complete()) return true;
    const names = all.flatMap(({ worker }) => worker?.name ?? []);
    const joined = names.length === 0 ? '' : ` (${names.join(', ')})`;
    throw workersError(
      `${names.length} of ${workers} remote workers joined within ${timeoutMs / 1000} s${joined}`,
      `start more with: ${ownCommand('benchmark-worker')} --redis ${redisForHint(redis, this.#link)}`,
    );
  }

  /** Adds `Start` to the jobs and publishes the event. */
  async #start(plan: LoadPlan): Promise<void> {
    this.#phase = 'start';
    const { rampMs, warmupMs, durationMs, drainMs, connectTimeoutMs } = plan.phases;
    const leadMs = START_MS + rampMs + warmupMs + plan.connections * MS_PER_CONNECTION;
    const startAt = Date.now() + this.#link.clock.offsetMs + leadMs;
    for (const segment of this.segments.running) {
      const start: Start = {
        plan: segment.plan,
        scenario: this.#options.scenario ?? null,
        startAt,
      };
      const job = await this.#queue.getJob(segment.jobId);
      // A missing job belongs to a worker that was lost after it joined.
      await job?.updateData({ ...this.#offerOf(segment), start }).catch(() => undefined);
    }
    await this.#publish('start');
    this.#phase = 'run';
    this.#endsInMs = leadMs + durationMs + drainMs + connectTimeoutMs + LATE_MS;
  }

  /** Waits for all segments; cancels them when `signal` is aborted. */
  async #finish(signal: AbortSignal): Promise<void> {
    const done = (): boolean => this.segments.running.length === 0;
    if (!signal.aborted && (await this.segments.until(done, this.#endsInMs, signal))) return;
    await this.#cancel();
    const reason = signal.aborted
      ? 'did not answer when the run was interrupted'
      : 'did not end in time';
    this.segments.endAll({ kind: 'lost', reason });
  }

  /** Removes all jobs of this run from Redis, also after an error. */
  async close(): Promise<void> {
    this.#unwatch();
    if (this.#link.client.status === 'ready') {
      if (this.segments.running.length > 0) await this.#cancel();
      const jobs = this.segments.all.map(({ jobId }) => this.#queue.remove(jobId));
      await settles(Promise.allSettled(jobs), CANCEL_MS);
    }
    await this.#link.close([this.#watch, this.#events, this.#producer, this.#queue]);
  }

  /** Whether Redis has a job of this run, or needs none. */
  async #hasJobs(): Promise<boolean> {
    const jobs = this.segments.running.map(({ jobId }) => this.#queue.getJob(jobId));
    return jobs.length === 0 || (await Promise.all(jobs)).some((job) => job !== undefined);
  }

  #listen(): void {
    this.#events.on('progress', ({ jobId, data }) => this.segments.receive(jobId, data));
    this.#events.on('completed', ({ jobId, returnvalue }) => {
      const segment = this.segments.find(jobId);
      const left = Outcome.safeParse(returnvalue).data?.kind === 'dismissed';
      if (left && segment !== undefined && this.#phase === 'gather') this.#offerAgain(segment);
      else this.segments.complete(jobId, returnvalue);
    });
    this.#events.on('failed', ({ jobId, failedReason }) => this.#lose(jobId, failedReason));
    this.#events.on('stalled', ({ jobId }) => this.#lose(jobId, 'was lost'));
  }

  #lose(jobId: string, reason: string): void {
    const segment = this.segments.find(jobId);
    if (segment === undefined) return;
    void this.#queue.remove(jobId).catch(() => undefined);
    if (this.#phase === 'gather') this.#offerAgain(segment);
    else this.segments.end(jobId, { kind: 'lost', reason });
  }

  /** Before the start another worker can take the segment. */
  #offerAgain(segment: Segment): void {
    this.segments.renew(segment, this.#nextJobId(segment));
    const { name, data, opts } = this.#jobOf(segment);
    void this.#queue.add(name, data, opts).catch(() => undefined);
  }

  /** Cancels all segments and waits for the results so far. */
  async #cancel(): Promise<void> {
    this.#phase = 'cancelled';
    if (this.#link.client.status !== 'ready') return;
    // Segments without a worker do not answer.
    const open = this.segments.running.filter(({ worker }) => worker === undefined);
    await settles(Promise.all(open.map(({ jobId }) => this.#queue.remove(jobId))), CANCEL_MS);
    await settles(this.#publish('cancel'), CANCEL_MS);
    const taken = this.segments.running.filter(({ worker }) => worker !== undefined);
    await this.segments.until(() => taken.every(({ end }) => end !== undefined), CANCEL_MS);
  }

  async #publish(eventName: 'start' | 'cancel'): Promise<void> {
    const event: RunEvent = { run: this.#id };
    await this.#producer.publishEvent({ eventName, ...event });
  }

  #nextJobId({ index }: Segment): string {
    this.#offers += 1;
    return `${this.#id}-${index}-${this.#offers}`;
  }

  #jobOf(segment: Segment) {
    return {
      name: 'segment',
      data: this.#offerOf(segment),
      opts: { jobId: segment.jobId, attempts: 1, removeOnComplete: true, removeOnFail: true },
    };
  }

  #offerOf({ index, plan }: Segment): Offer {
    return {
      version: VERSION,
      run: this.#id,
      index,
      of: this.segments.all.length,
      host: hostAndPort(new URL(plan.target.url)),
      waitMs: this.#options.timeoutMs,
    };
  }
}

function redisError(address: string): EnvironmentError {
  const message = `the connection to Redis at ${address} was lost before the start`;
  return new EnvironmentError('WSK_ERR_REDIS', message, { cause: new Error(message) });
}

function workersError(message: string, hint?: string): EnvironmentError {
  const cause = new Error(message);
  return new EnvironmentError('WSK_ERR_WORKERS', message, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** For a command line to copy, without the password. */
function redisForHint(url: string, { address }: RedisLink): string {
  return new URL(url).password === '' ? address : `${address} (with its password)`;
}
