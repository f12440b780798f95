import { randomUUID } from 'node:crypto';
import type { Queue, QueueEvents, QueueEventsProducer, Worker } from 'bullmq';
import { EnvironmentError } from '../../core/errors.ts';
import { VERSION } from '../../core/version.ts';
import { mergeResults } from '../aggregate.ts';
import type { LoadPlan } from '../plan.ts';
import type { LoadControl, LoadResult } from '../result.ts';
import { collect } from './collect.ts';
import { LiveSeconds } from './live-seconds.ts';
import { LOCK_MS, Outcome, PREFIX, QUEUE, STALLED_CHECK_MS } from './protocol.ts';
import type { Invitation, Order, RunEvent } from './protocol.ts';
import { openRedis, settles, watchRedis } from './redis.ts';
import type { RedisLink } from './redis.ts';
import { Shares } from './segments.ts';
import type { Share } from './segments.ts';
import { splitPlan } from './split-plan.ts';
import { hostAndPort } from '../../transport/address.ts';

export interface DistributedOptions {
  /** `redis://` or `rediss://` URL. */
  readonly redis: string;
  /** How many remote workers share the load. */
  readonly workers: number;
  /** For how long to wait until they are all there. */
  readonly timeoutMs: number;
  /** Run by the workers in place of the plan's messages; plain data. */
  readonly scenario?: unknown;
  /** Folder in which BullMQ may be installed; the current one if absent. */
  readonly cwd?: string;
}

/** Between the start and the first traffic: for the news to arrive and connections to open. */
const START_MS = 1000;
const MS_PER_CONNECTION = 0.2;
/** What a share may take beyond its phases. */
const LATE_MS = 30_000;
/** For the shares to end once they are called off. */
const CANCEL_MS = 10_000;
/** Redis may be away for a little longer than a worker may, as the workers give up first. */
const REDIS_LOST_MS = LOCK_MS + 1000;

/**
 * Runs `plan` on remote workers (`websocket-skill benchmark-worker`) that listen at the same Redis,
 * and merges what they measured. A worker that is lost on the way is named in the errors and notes.
 *
 * @throws UsageError for a plan that cannot be split
 * @throws EnvironmentError WSK_ERR_REDIS, WSK_ERR_QUEUE_MISSING; WSK_ERR_WORKERS when too few
 *   workers come, one refuses or all are lost; the workers' error when none could connect
 */
export async function runDistributed(
  plan: LoadPlan,
  options: DistributedOptions,
  control: LoadControl,
): Promise<LoadResult> {
  const plans = splitPlan(plan, options.workers);
  const link = await openRedis(options.redis, options.cwd ?? process.cwd());
  const live = new LiveSeconds(plans.length, control.onSecond);
  const run = new DistributedRun(link, new Shares(plans, live), options);
  try {
    return await Promise.race([run.carryOut(plan, control.signal), run.lost]);
  } finally {
    await run.close();
  }
}

function nothingMeasured(plan: LoadPlan): LoadResult {
  const empty = mergeResults([]);
  return {
    ...empty,
    connections: { ...empty.connections, requested: plan.connections },
    interrupted: true,
    notes: ['interrupted before all remote workers were there'],
  };
}

/** One run, from the offer of its shares until the queue is clean again. */
class DistributedRun {
  readonly shares: Shares;
  /** Rejected when Redis goes away before the start; later, its workers are lost. */
  readonly lost: Promise<never>;
  readonly #id = randomUUID();
  readonly #link: RedisLink;
  readonly #options: DistributedOptions;
  readonly #queue: Queue;
  readonly #events: QueueEvents;
  readonly #producer: QueueEventsProducer;
  /** Works on nothing: it looks for stalled jobs, which nobody does when all workers are lost. */
  readonly #watch: Worker;
  #offers = 0;
  #phase: 'gather' | 'start' | 'run' | 'cancelled' = 'gather';
  /** Of the shares, once they are started. */
  #endsInMs = 0;
  #unwatch: () => void = () => undefined;

  constructor(link: RedisLink, shares: Shares, options: DistributedOptions) {
    this.shares = shares;
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
    // Lost connections come back, or are told by the watch below.
    const ignore = (): void => undefined;
    this.#queue.on('error', ignore);
    this.#producer.on('error', ignore);
    this.#events.on('error', ignore);
    this.#watch.on('error', ignore);
    this.#listen();
    this.lost = new Promise((_resolve, reject) => {
      this.#unwatch = watchRedis(link.client, REDIS_LOST_MS, () => {
        if (this.#phase === 'gather' || this.#phase === 'start') reject(redisError(link.address));
        this.shares.endAll({ kind: 'lost', reason: `was lost with Redis at ${link.address}` });
      });
    });
  }

  async carryOut(plan: LoadPlan, signal: AbortSignal): Promise<LoadResult> {
    await this.#offer();
    if (!(await this.#gather(signal))) return nothingMeasured(plan);
    await this.#start(plan);
    await this.#finish(signal);
    return collect(this.shares.all, signal.aborted);
  }

  /** Puts the shares into the queue. */
  async #offer(): Promise<void> {
    await this.#watch.startStalledCheckTimer();
    for (const share of this.shares.all) share.jobId = this.#nextJobId(share);
    await this.#queue.addBulk(this.shares.all.map((share) => this.#jobOf(share)));
  }

  /**
   * Waits until each share has a worker; false when interrupted.
   *
   * @throws EnvironmentError WSK_ERR_WORKERS
   */
  async #gather(signal: AbortSignal): Promise<boolean> {
    const { all } = this.shares;
    const { timeoutMs, workers, redis } = this.#options;
    const complete = (): boolean => all.every(({ worker }) => worker !== undefined);
    const ended = (): Share | undefined => all.find(({ end }) => end !== undefined);
    await this.shares.until(() => complete() || ended() !== undefined, timeoutMs, signal);
    if (signal.aborted) return false;
    const end = ended()?.end;
    if (end?.kind === 'refused') throw workersError(`remote worker ${end.name} ${end.reason}`);
    if (end?.kind === 'lost') throw workersError(end.reason);
    if (complete()) return true;
    const names = all.flatMap(({ worker }) => worker?.name ?? []);
    const came = names.length === 0 ? '' : ` (${names.join(', ')})`;
    throw workersError(
      `${names.length} of ${workers} remote workers came within ${timeoutMs / 1000} s${came}`,
      `start more with: websocket-skill benchmark-worker --redis ${redisForHint(redis, this.#link)}`,
    );
  }

  /** Hands out the orders and tells when traffic begins. */
  async #start(plan: LoadPlan): Promise<void> {
    this.#phase = 'start';
    const { rampMs, warmupMs, durationMs, drainMs, connectTimeoutMs } = plan.phases;
    const leadMs = START_MS + rampMs + warmupMs + plan.connections * MS_PER_CONNECTION;
    const startAt = Date.now() + this.#link.clock.offsetMs + leadMs;
    for (const share of this.shares.running) {
      const order: Order = { plan: share.plan, scenario: this.#options.scenario ?? null, startAt };
      const job = await this.#queue.getJob(share.jobId);
      // A job that is gone is that of a worker that was lost since it was ready.
      await job?.updateData({ ...this.#invitation(share), order }).catch(() => undefined);
    }
    await this.#publish('start');
    this.#phase = 'run';
    this.#endsInMs = leadMs + durationMs + drainMs + connectTimeoutMs + LATE_MS;
  }

  /** Waits for all shares; calls them off when `signal` is aborted. */
  async #finish(signal: AbortSignal): Promise<void> {
    const done = (): boolean => this.shares.running.length === 0;
    if (!signal.aborted && (await this.shares.until(done, this.#endsInMs, signal))) return;
    await this.#cancel();
    const reason = signal.aborted
      ? 'did not answer when the run was interrupted'
      : 'did not end in time';
    this.shares.endAll({ kind: 'lost', reason });
  }

  /** Leaves nothing of this run in Redis, also when it failed half-way. */
  async close(): Promise<void> {
    this.#unwatch();
    if (this.#link.client.status === 'ready') {
      if (this.shares.running.length > 0) await this.#cancel();
      const jobs = this.shares.all.map(({ jobId }) => this.#queue.remove(jobId));
      await settles(Promise.allSettled(jobs), CANCEL_MS);
    }
    await this.#link.close([this.#watch, this.#events, this.#producer, this.#queue]);
  }

  #listen(): void {
    this.#events.on('progress', ({ jobId, data }) => this.shares.hear(jobId, data));
    this.#events.on('completed', ({ jobId, returnvalue }) => {
      const share = this.shares.find(jobId);
      const left = Outcome.safeParse(returnvalue).data?.kind === 'dismissed';
      if (left && share !== undefined && this.#phase === 'gather') this.#offerAgain(share);
      else this.shares.complete(jobId, returnvalue);
    });
    this.#events.on('failed', ({ jobId, failedReason }) => this.#lose(jobId, failedReason));
    this.#events.on('stalled', ({ jobId }) => this.#lose(jobId, 'was lost'));
  }

  #lose(jobId: string, reason: string): void {
    const share = this.shares.find(jobId);
    if (share === undefined) return;
    void this.#queue.remove(jobId).catch(() => undefined);
    if (this.#phase === 'gather') this.#offerAgain(share);
    else this.shares.end(jobId, { kind: 'lost', reason });
  }

  /** Before the start nothing is lost yet: somebody else may take the share. */
  #offerAgain(share: Share): void {
    this.shares.renew(share, this.#nextJobId(share));
    const { name, data, opts } = this.#jobOf(share);
    void this.#queue.add(name, data, opts).catch(() => undefined);
  }

  /** Calls off what runs or waits to run, and waits for the results so far. */
  async #cancel(): Promise<void> {
    this.#phase = 'cancelled';
    if (this.#link.client.status !== 'ready') return;
    // What no worker has taken yet has nobody to answer.
    const open = this.shares.running.filter(({ worker }) => worker === undefined);
    await settles(Promise.all(open.map(({ jobId }) => this.#queue.remove(jobId))), CANCEL_MS);
    await settles(this.#publish('cancel'), CANCEL_MS);
    const taken = this.shares.running.filter(({ worker }) => worker !== undefined);
    await this.shares.until(() => taken.every(({ end }) => end !== undefined), CANCEL_MS);
  }

  async #publish(eventName: 'start' | 'cancel'): Promise<void> {
    const event: RunEvent = { run: this.#id };
    await this.#producer.publishEvent({ eventName, ...event });
  }

  #nextJobId({ index }: Share): string {
    this.#offers += 1;
    return `${this.#id}-${index}-${this.#offers}`;
  }

  #jobOf(share: Share) {
    return {
      name: 'share',
      data: this.#invitation(share),
      opts: { jobId: share.jobId, attempts: 1, removeOnComplete: true, removeOnFail: true },
    };
  }

  #invitation({ index, plan }: Share): Invitation {
    return {
      version: VERSION,
      run: this.#id,
      index,
      of: this.shares.all.length,
      host: hostAndPort(new URL(plan.target.url)),
      waitMs: this.#options.timeoutMs,
    };
  }
}

function redisError(address: string): EnvironmentError {
  const message = `Redis at ${address} went away before the start`;
  return new EnvironmentError('WSK_ERR_REDIS', message, { cause: new Error(message) });
}

function workersError(message: string, hint?: string): EnvironmentError {
  const cause = new Error(message);
  return new EnvironmentError('WSK_ERR_WORKERS', message, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** As a command line to copy, without the password that only its owner may fill in. */
function redisForHint(url: string, { address }: RedisLink): string {
  return new URL(url).password === '' ? address : `${address} (with its password)`;
}
