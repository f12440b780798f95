import { once } from 'node:events';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { EnvironmentError } from '../../core/errors.ts';
import { loadQueuePackages } from './queue-packages.ts';
import type { QueuePackages } from './queue-packages.ts';

/** How long Redis may take to be there at all. */
const CONNECT_MS = 5000;
const RECONNECT_MS = 500;
/** Questions for the time; the fastest answer says most. */
const CLOCK_SAMPLES = 9;

/** For what still runs to end, and for a Redis that is gone. */
const CLOSE_MS = 10_000;
const CUT_MS = 1500;

/** Something of BullMQ's that holds connections. */
type QueuePart = Pick<Queue, 'close' | 'disconnect'>;

/** This machine's clock against the one all machines can see. */
export interface ClockOffset {
  /** To be added to `Date.now()` to come to the time of Redis; milliseconds. */
  readonly offsetMs: number;
  /** By how much that can be wrong: half a round trip. */
  readonly errorMs: number;
}

/** A connection to Redis that was answered, and the job engine to be used on it. */
export interface RedisLink {
  readonly packages: QueuePackages;
  /** Reconnects by itself from now on. */
  readonly client: Redis;
  readonly clock: ClockOffset;
  /** For people: without user and password. */
  readonly address: string;
  /** Of the events from now on. */
  readonly lastEventId: string;
  /** Closes these, politely while Redis is there, and cuts off what is still open. */
  readonly close: (parts: readonly QueuePart[]) => Promise<void>;
}

/** `url` without what must not be printed. */
export function printableRedisUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

/**
 * Connects to the Redis at `url` and compares clocks; see loadQueuePackages for `cwd`.
 *
 * @throws EnvironmentError WSK_ERR_REDIS within seconds when it is not there or refuses,
 *   WSK_ERR_QUEUE_MISSING when the job engine is not installed
 */
export async function openRedis(url: string, cwd: string): Promise<RedisLink> {
  const packages = loadQueuePackages(cwd);
  const address = printableRedisUrl(url);
  let connected = false;
  const client = new packages.Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    // BullMQ wants its commands to wait for as long as Redis is away.
    maxRetriesPerRequest: null,
    retryStrategy: () => (connected ? RECONNECT_MS : null),
  });
  let lastError: Error | undefined;
  client.on('error', (error: Error) => (lastError = error));
  try {
    await withinTime(client.connect());
    const clock = await withinTime(measureClock(client));
    connected = true;
    const lastEventId = `${Math.floor(Date.now() + clock.offsetMs)}-0`;
    const close = async (parts: readonly QueuePart[]): Promise<void> => {
      const isThere = client.status === 'ready';
      // The next attempts to reconnect are the last, after which commands that wait fail: a client
      // that is told to disconnect in between would keep them for ever.
      if (!isThere) {
        connected = false;
        await settles(once(client, 'end'), CUT_MS);
      }
      await closeAll(parts, isThere ? CLOSE_MS : CUT_MS);
      connected = false;
      client.disconnect();
    };
    return { packages, client, clock, address, lastEventId, close };
  } catch (error) {
    client.disconnect();
    // An error of ioredis may hold the command and with it the password: only its text is kept.
    const { message } = lastError ?? (error as Error);
    throw new EnvironmentError('WSK_ERR_REDIS', `Redis at ${address}: ${message}`, {
      cause: new Error(message),
      hint: 'is it running, and is the address right? redis-server starts one on port 6379',
    });
  }
}

async function closeAll(parts: readonly QueuePart[], patienceMs: number): Promise<void> {
  const closed = Promise.allSettled(parts.map((part) => part.close()));
  if (await settles(closed, patienceMs)) return;
  for (const part of parts) void part.disconnect().catch(() => undefined);
}

/**
 * Whether `promise` comes to an end, good or bad, within `ms`: a command waits for as long as Redis
 * is away.
 */
export async function settles(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, ms, false);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Calls `lost` when Redis has been away for `afterMs`, until the function it returns is called. */
export function watchRedis(client: Redis, afterMs: number, lost: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onClose = (): void => {
    timer ??= setTimeout(lost, afterMs);
  };
  const onReady = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  client.on('close', onClose).on('ready', onReady);
  return () => {
    client.off('close', onClose).off('ready', onReady);
    clearTimeout(timer);
  };
}

async function withinTime<Value>(promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${CONNECT_MS / 1000} s`)), CONNECT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function measureClock(client: Redis): Promise<ClockOffset> {
  let best: ClockOffset | undefined;
  for (let sample = 0; sample < CLOCK_SAMPLES; sample++) {
    const before = performance.now();
    const [seconds, microseconds] = await client.time();
    const errorMs = (performance.now() - before) / 2;
    const offsetMs = Number(seconds) * 1000 + Number(microseconds) / 1000 - (Date.now() - errorMs);
    if (best === undefined || errorMs < best.errorMs) best = { offsetMs, errorMs };
  }
  return best ?? { offsetMs: 0, errorMs: Infinity };
}
