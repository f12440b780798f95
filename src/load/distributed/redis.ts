import { once } from 'node:events';
import type { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { EnvironmentError } from '../../core/errors.ts';
import { loadQueuePackages } from './queue-packages.ts';
import type { QueuePackages } from './queue-packages.ts';

/** Time limit of the first connection. */
const CONNECT_MS = 5000;
const RECONNECT_MS = 500;
/** Requests for the time; the fastest round trip is the most exact. */
const CLOCK_SAMPLES = 9;

/** Time limits for closing while Redis is connected, and while it is not. */
const CLOSE_MS = 10_000;
const CUT_MS = 1500;

/** A part of BullMQ that holds connections. */
interface QueuePart extends Pick<Queue, 'disconnect'> {
  /** By force, a worker waits for no job. */
  readonly close: (force?: boolean) => Promise<unknown>;
}

/** The difference between the clocks of this machine and of Redis. */
export interface ClockOffset {
  /** Redis time minus `Date.now()`, in milliseconds. */
  readonly offsetMs: number;
  /** Largest error of the offset: half a round trip. */
  readonly errorMs: number;
}

/** An open connection to Redis, and the packages to use on it. */
export interface RedisLink {
  readonly packages: QueuePackages;
  /** Reconnects by itself. */
  readonly client: Redis;
  readonly clock: ClockOffset;
  /** Without user and password. */
  readonly address: string;
  /** Events after this id are new. */
  readonly lastEventId: string;
  /** Closes `parts` and the client; disconnects those that do not close in time. */
  readonly close: (parts: readonly QueuePart[]) => Promise<void>;
}

/** `url` without user and password. */
export function printableRedisUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

/**
 * Connects to the Redis at `url` and compares clocks; see loadQueuePackages for `cwd`.
 *
 * @throws EnvironmentError WSK_ERR_REDIS within seconds when Redis cannot be reached or refuses,
 *   WSK_ERR_QUEUE_MISSING when BullMQ or ioredis is not installed
 */
export async function openRedis(url: string, cwd: string): Promise<RedisLink> {
  const packages = loadQueuePackages(cwd);
  const address = printableRedisUrl(url);
  let connected = false;
  const client = new packages.Redis(url, {
    lazyConnect: true,
    connectTimeout: CONNECT_MS,
    // BullMQ requires that commands wait while Redis is disconnected.
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
      // Let the current attempt to reconnect fail, which rejects waiting commands: `disconnect`
      // between two attempts would leave them pending for ever.
      if (!isThere) {
        connected = false;
        await settles(once(client, 'end'), CUT_MS);
      }
      // A worker that waits for Redis renews the locks of its jobs for ever, and the process does not end.
      await closeAll(parts, isThere ? CLOSE_MS : CUT_MS, !isThere);
      connected = false;
      client.disconnect();
    };
    return { packages, client, clock, address, lastEventId, close };
  } catch (error) {
    client.disconnect();
    // An error of ioredis may hold the command with the password: keep only its text.
    const { message } = lastError ?? (error as Error);
    throw new EnvironmentError('WSK_ERR_REDIS', `Redis at ${address}: ${message}`, {
      cause: new Error(message),
      hint: 'check that it runs and that the address is right; redis-server starts one on port 6379',
    });
  }
}

async function closeAll(
  parts: readonly QueuePart[],
  timeoutMs: number,
  force: boolean,
): Promise<void> {
  const closed = Promise.allSettled(parts.map((part) => part.close(force)));
  if (await settles(closed, timeoutMs)) return;
  for (const part of parts) void part.disconnect().catch(() => undefined);
}

/** Whether `promise` settles within `ms`: commands wait while Redis is disconnected. */
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

/**
 * Calls `lost` when Redis is disconnected for `afterMs`, or is back and keeps nothing of this run any more: it
 * was started anew. Returns a function that ends the watch.
 */
export function watchRedis(
  client: Redis,
  afterMs: number,
  lost: () => void,
  isKept: () => Promise<boolean> = () => Promise.resolve(true),
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onClose = (): void => {
    timer ??= setTimeout(lost, afterMs);
  };
  const onReady = (): void => {
    clearTimeout(timer);
    timer = undefined;
    // An error is another loss of the connection, which is watched.
    void isKept().then(
      (kept) => {
        if (!kept) lost();
      },
      () => undefined,
    );
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
