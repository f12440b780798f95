import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createClient, ErrorReply } from '@redis/client';
import type { Config } from './config.ts';
import { log } from './log.ts';

/** The store takes nothing now; nothing was done. */
export class StoreFull extends Error {
  /** Milliseconds after which it may. */
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** Redis cannot be asked now, for a reason that a newer connection may not have. */
export class RedisDown extends Error {}

/** A Lua script. Each may be run again when it is not known whether it was: it does nothing more then. */
export interface Script {
  readonly text: string;
  readonly sha: string;
}

/** Where the scripts are; this file is in `dist/src/`. */
const LUA = new URL('../../lua/', import.meta.url);

/** The script in `lua/<name>.lua`, with what it includes. */
export function script(name: string): Script {
  const read = (file: string): string => readFileSync(new URL(file, LUA), 'utf8');
  const text = read(`${name}.lua`).replace(/^-- include (.*)\n/m, (_, file: string) => read(file));
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

export type Reply = string | number | null | readonly Reply[];

/** Gets what is published on a channel. */
export type OnMessage = (message: string) => void;

/** Of what makes them: to compare it with the type of any client takes a compiler seconds. */
type Client = ReturnType<typeof newClient>;

/** The oldest version: with sharded pub/sub and flags of scripts. */
const OLDEST = 7;
/** Milliseconds between attempts to connect: the first, and the longest. */
const RETRY_MS = { first: 50, most: 2000 } as const;
/** Connections that one command is tried on. */
const MAX_ATTEMPTS = 5;
/** Milliseconds after which a client tries again what a full Redis has refused. */
const FULL_RETRY_MS = 2000;
/** Errors of a server that is not (any more) the one to ask; another connection may lead to that. */
const WRONG_SERVER =
  /^(?:READONLY|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|NOAUTH|NOPERM|MOVED|CLUSTERDOWN)\b/;

const PROBE = script('probe');
// #if chat || pubsub || auth
/** Milliseconds after which the clock of Redis is looked at again. */
const CLOCK_MS = 60_000;
// #endif

/**
 * The connection to Redis: made anew whenever it is lost, and given up when nothing is answered for
 * REDIS_TIMEOUT. Commands and what is published come over one connection (RESP3): what was published before
 * a reply comes before it.
 */
export class RedisLink {
  readonly prefix: string;
  // #if metrics
  /** What has happened since the start: connections made, failed commands by why, and what `RedisStore` counts. */
  readonly figures = {
    connects: 0,
    errors: new Map<string, { count: number }>(),
    missed: 0,
    lost: 0,
  };
  // #endif
  readonly #config: Config;
  readonly #up: (() => Promise<void>)[] = [];
  readonly #waiting = new Set<() => void>();
  #client: Client | undefined;
  /** Identifies the process of Redis: another one may have lost what was written last. */
  #runId = '';
  #downSince = performance.now();
  #reason = 'not connected yet';
  #said = '';
  #isClosed = false;
  /** Commands without a reply, and when there was one or the first of them was sent. */
  #inFlight = 0;
  #progressAt = 0;
  #watching: NodeJS.Timeout | undefined;
  // #if chat || pubsub || auth
  /** What `performance.now()` said when the clock of Redis was looked at, and milliseconds from that to its time. */
  #clock: { readonly at: number; readonly offset: number } | undefined;
  // #endif
  /** The end of the connection. */
  #onLost: () => void = () => undefined;

  constructor(config: Config) {
    this.#config = config;
    this.prefix = config.REDIS_PREFIX;
  }

  /** Why Redis is not used at the moment; undefined if it is. */
  get trouble(): string | undefined {
    return this.#client === undefined ? this.#reason : undefined;
  }

  // #if chat || pubsub || auth
  /** Milliseconds since 1970 by the clock of Redis, so that all servers have one; by their own before they know it. */
  get now(): number {
    return this.#clock === undefined ? Date.now() : this.#clock.offset + performance.now();
  }

  // #endif
  /** Commands and subscriptions of `action` come first on each new connection. */
  onUp(action: () => Promise<void>): void {
    this.#up.push(action);
  }

  /** Connects; returns when that has worked, or has not within REDIS_TIMEOUT. */
  async start(): Promise<void> {
    this.#downSince = performance.now();
    void this.#keep();
    const every = Math.max(20, this.#config.REDIS_TIMEOUT / 4);
    this.#watching = setInterval(() => {
      this.#watch();
    }, every).unref();
    await this.#whenUp().catch(() => undefined);
  }

  /** Ends the connection once what is under way is done, or a second has passed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#watching);
    const deadline = performance.now() + 1000;
    while (this.#inFlight > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#drop(this.#client, 'closed');
    this.#wake();
  }

  /**
   * Runs a script, over several connections if need be. The id of the process of Redis is its first argument.
   *
   * @throws {RedisDown} not within REDIS_TIMEOUT
   * @throws {StoreFull} no memory; nothing was done
   */
  async run(
    { text, sha }: Script,
    keys: readonly string[],
    args: readonly (string | number)[] = [],
  ): Promise<Reply> {
    return await this.#try(MAX_ATTEMPTS, async (client) => {
      const rest = [String(keys.length), ...keys, this.#runId, ...args.map(String)];
      return await this.#send(client, ['EVALSHA', sha, ...rest]).catch((error: unknown) => {
        if (!(error instanceof ErrorReply) || !error.message.startsWith('NOSCRIPT')) throw error;
        return this.#send(client, ['EVAL', text, ...rest]);
      });
    });
  }

  /** One command outside of a script; only one that may be run twice. Throws as `run` does. */
  async command(...parts: readonly string[]): Promise<Reply> {
    return await this.#try(MAX_ATTEMPTS, (client) => this.#send(client, parts));
  }

  /** Passes on what is published on a sharded channel, as long as this connection lasts. */
  async subscribe(channel: string, onMessage: OnMessage): Promise<void> {
    await this.#try(1, (client) => this.#counted(client.sSubscribe(channel, onMessage)));
  }

  async unsubscribe(channel: string, onMessage: OnMessage): Promise<void> {
    await this.#client?.sUnsubscribe(channel, onMessage).catch(() => undefined);
  }

  /** Does it on one connection after the other. */
  async #try<T>(attempts: number, action: (client: Client) => Promise<T>): Promise<T> {
    try {
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const client = this.#client ?? (await this.#whenUp());
        try {
          return await action(client);
        } catch (error) {
          this.#judge(client, error);
        }
      }
      throw new RedisDown(this.#reason);
    } catch (error) {
      // #if metrics
      const { errors } = this.figures;
      const why =
        error instanceof RedisDown ? 'down' : error instanceof StoreFull ? 'full' : 'refused';
      errors.set(why, { count: (errors.get(why)?.count ?? 0) + 1 });
      // #endif
      throw error;
    }
  }

  /** Rethrows what is no reason to try again. */
  #judge(client: Client, error: unknown): void {
    if (!(error instanceof ErrorReply)) {
      this.#drop(client, reasonOf(error));
      return;
    }
    if (error.message.startsWith('OOM')) throw new StoreFull('the store is full', FULL_RETRY_MS);
    if (!WRONG_SERVER.test(error.message)) throw error;
    this.#drop(client, reasonOf(error));
  }

  async #send(client: Client, parts: readonly string[]): Promise<Reply> {
    return await this.#counted(client.sendCommand<Reply>([...parts]));
  }

  async #counted<T>(sent: Promise<T>): Promise<T> {
    if (this.#inFlight === 0) this.#progressAt = performance.now();
    this.#inFlight += 1;
    try {
      return await sent;
    } finally {
      this.#inFlight -= 1;
      this.#progressAt = performance.now();
    }
  }

  /** Gives a connection up that does not answer. */
  #watch(): void {
    const client = this.#client;
    if (client === undefined) return;
    const { REDIS_TIMEOUT } = this.#config;
    const now = performance.now();
    const restMs = now - this.#progressAt;
    if (this.#inFlight > 0 && restMs >= REDIS_TIMEOUT) {
      this.#drop(client, noAnswer(REDIS_TIMEOUT), this.#progressAt);
      return;
    }
    let isDue = this.#inFlight === 0 && restMs >= REDIS_TIMEOUT / 2;
    // #if chat || pubsub || auth
    isDue ||= now - (this.#clock?.at ?? now) >= CLOCK_MS;
    // #endif
    if (isDue) void this.#try(1, () => this.#probe(client)).catch(() => undefined);
  }

  /** Finds out whether scripts can be run and write, and what time it is there. */
  async #probe(client: Client): Promise<void> {
    // #if chat || pubsub || auth
    const before = performance.now();
    const key = `${this.prefix}:probe`;
    const [seconds, micros] = (await this.#send(client, [
      'EVAL',
      PROBE.text,
      '1',
      key,
    ])) as string[];
    const at = performance.now();
    const time = Number(seconds) * 1000 + Number(micros) / 1000;
    this.#clock = { at, offset: time - (before + at) / 2 };
    // #else
    //~ await this.#send(client, ['EVAL', PROBE.text, '1', `${this.prefix}:probe`]);
    // #endif
  }

  /** Connects again and again, until `close`. */
  async #keep(): Promise<void> {
    let wait: number = RETRY_MS.first;
    for (;;) {
      try {
        const lost = await this.#connect();
        wait = RETRY_MS.first;
        await lost.promise;
      } catch (error) {
        this.#reason = reasonOf(error);
      }
      if (this.#isClosed) return;
      if (this.#reason !== this.#said) {
        this.#said = this.#reason;
        const redis = printableUrl(this.#config.REDIS_URL);
        log('error', 'redis-unavailable', { redis, reason: this.#reason });
      }
      await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random() / 2)));
      wait = Math.min(RETRY_MS.most, wait * 2);
    }
  }

  /** Resolves once there is a connection that works; `promise` to its end. */
  async #connect(): Promise<{ readonly promise: Promise<void> }> {
    const { REDIS_URL, REDIS_TIMEOUT } = this.#config;
    const client = newClient(this.#config);
    const lost = new Promise<void>((resolve) => {
      this.#onLost = resolve;
    });
    let timer: NodeJS.Timeout | undefined;
    const failed = new Promise<never>((_, reject) => {
      client.on('error', (error: unknown) => {
        reject(error instanceof Error ? error : new Error(String(error)));
        this.#drop(client, reasonOf(error));
      });
      timer = setTimeout(() => {
        reject(new Error(noAnswer(REDIS_TIMEOUT)));
      }, REDIS_TIMEOUT);
    });
    failed.catch(() => undefined);
    try {
      const info = await Promise.race([failed, greet(client)]);
      await Promise.race([failed, this.#probe(client)]);
      if (this.#isClosed) throw new Error('closed');
      this.#runId = info.get('run_id') ?? '';
      this.#client = client;
      this.#inFlight = 0;
      this.#progressAt = performance.now();
      this.#said = '';
      // #if metrics
      this.figures.connects += 1;
      // #endif
      const version = info.get('redis_version');
      log('info', 'redis-connected', { redis: printableUrl(REDIS_URL), version });
    } catch (error) {
      destroy(client);
      throw error;
    } finally {
      clearTimeout(timer);
    }
    // What is kept up over all connections comes before what waits for this one.
    for (const action of this.#up) settle(action());
    this.#wake();
    return { promise: lost };
  }

  /** Ends a connection that is of no use since `since`; what it has not answered is rejected. */
  #drop(client: Client | undefined, reason: string, since = performance.now()): void {
    if (client === undefined || client !== this.#client) return;
    this.#client = undefined;
    this.#reason = reason;
    this.#downSince = since;
    destroy(client);
    this.#onLost();
  }

  async #whenUp(): Promise<Client> {
    const left = this.#downSince + this.#config.REDIS_TIMEOUT - performance.now();
    if (left > 0 && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          this.#waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, left).unref();
        this.#waiting.add(done);
      });
    }
    if (this.#client === undefined) throw new RedisDown(this.#reason);
    return this.#client;
  }

  #wake(): void {
    for (const done of this.#waiting) done();
  }
}

/** What happens beside must not end the process. */
export function settle(promise: Promise<unknown>): void {
  promise.catch(report);
}

export function report(error: unknown): void {
  // That is said when it happens.
  if (!(error instanceof RedisDown)) log('error', 'redis-failed', { message: String(error) });
}

/** Without user and password. */
export function printableUrl(url = ''): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

/** A client that does not connect on its own, neither at first nor again. */
function newClient({ REDIS_URL, REDIS_TIMEOUT }: Config) {
  return createClient({
    ...(REDIS_URL !== undefined && { url: REDIS_URL }),
    RESP: 3,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    socket: { reconnectStrategy: false, connectTimeout: REDIS_TIMEOUT },
  });
}

/** Connects, and finds out whether it is a kind of Redis that can be used; what it says of itself. */
async function greet(client: Client): Promise<ReadonlyMap<string, string>> {
  await client.connect();
  const text = await client.sendCommand<string>(['INFO']);
  const lines = [...text.matchAll(/^(\w+):(.*?)\r?$/gm)];
  const info = new Map(lines.map(([, name = '', value = '']) => [name, value] as const));
  const version = info.get('redis_version') ?? 'without a version';
  if (!(Number.parseInt(version, 10) >= OLDEST)) {
    throw new Error(`expected Redis ${String(OLDEST)} or newer, it is ${version}`);
  }
  if (info.get('role') !== 'master') {
    throw new Error('it is a read-only replica: REDIS_URL has to name the primary');
  }
  if (info.get('cluster_enabled') === '1') {
    throw new Error('it is a node of a Redis Cluster: expected a Redis that has all keys');
  }
  return info;
}

/** Never holds a password: what the client and Redis say names none. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (message.startsWith('NOAUTH')) return 'it needs a password: put it into REDIS_URL';
  if (message.startsWith('WRONGPASS')) return 'the user or the password in REDIS_URL is wrong';
  if (message.startsWith('READONLY')) {
    return 'it is a read-only replica: REDIS_URL has to name the primary';
  }
  if (/^(?:ERR|NOPROTO) unknown command .?HELLO|NOPROTO/i.test(message)) {
    return `expected Redis ${String(OLDEST)} or newer, it is older`;
  }
  if (/RESP type/i.test(message)) return 'what answers is no Redis';
  return message === '' ? 'the connection was lost' : message;
}

function noAnswer(milliseconds: number): string {
  return `no answer for ${String(milliseconds)} ms`;
}

function destroy(client: Client): void {
  try {
    client.destroy();
  } catch {
    // It has ended already.
  }
}
