import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect as connectTcp, createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import { freePort } from '../../src/target/project/redis.ts';
import { createCertificate } from '../support/certificates.ts';
import { startRedis } from '../support/redis.ts';
import type { RedisServer } from '../support/redis.ts';
import { openClient } from '../support/test-client.ts';
import type { TestClient } from '../support/test-client.ts';
import type { Check } from './check.ts';

/** How soon a server goes on without Redis. */
const IMPATIENT = { REDIS_TIMEOUT: '300' };

let redis: RedisServer;

/** Starts the Redis that the checks of a file share; it ends with what is returned. */
export async function openSharedRedis(): Promise<AsyncDisposable> {
  redis = await startRedis();
  return redis;
}

/** Settings of servers that share the Redis of this file, under names of their own. */
function settings(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const prefix = `t${randomBytes(8).toString('hex')}`;
  const names = { REDIS_URL: redis.url, REDIS_PREFIX: prefix };
  return { REDIS_TIMEOUT: '10000', POSITION_CHECK: '50', ...names, ...more };
}

async function connect(port: number, user: string): Promise<TestClient> {
  const client = await openClient(port, { path: `/?user=${user}` });
  await client.match({ type: 'welcome' });
  return client;
}

async function enter(port: number, user: string): Promise<TestClient> {
  const client = await connect(port, user);
  await client.request({ type: 'join', room: 'a' });
  return client;
}

function say(client: TestClient, text: string): Promise<Record<string, unknown>> {
  return client.request({ type: 'message', room: 'a', text });
}

async function readiness(port: number): Promise<{ status: string; reason?: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  expect(response.status).toBe(200);
  return (await response.json()) as { status: string; reason?: string };
}

/** Asks again and again until `isTrue`. */
async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** What answers HELLO and INFO like a Redis, and else knows nothing. */
async function speakRedis(info: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      const text = data.toString().toUpperCase();
      if (text.includes('HELLO')) socket.write('%1\r\n$5\r\nproto\r\n:3\r\n');
      else if (text.includes('INFO')) socket.write(`$${info.length}\r\n${info}\r\n`);
      else socket.write('-ERR unknown command\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await Promise.resolve();
    },
  };
}

/** A way to the shared Redis on which replies are lost from `lose` on, until `pass`. */
async function openLossyWay(): Promise<
  AsyncDisposable & {
    readonly url: string;
    readonly lose: (mark: string) => void;
    readonly pass: () => void;
  }
> {
  let lost: string | undefined;
  const sockets = new Set<Socket>();
  const server = createTcpServer((near) => {
    const far = connectTcp(redis.port, '127.0.0.1');
    let isLost = false;
    const end = (): void => {
      for (const socket of [near, far]) {
        sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [near, far]) sockets.add(socket.on('error', end).on('close', end));
    near.on('data', (data) => {
      if (lost !== undefined && data.includes(lost)) isLost = true;
      far.write(data);
    });
    far.on('data', (data) => {
      if (isLost) end();
      else near.write(data);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${port}`,
    lose: (mark) => void (lost = mark),
    pass: () => void (lost = undefined),
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await Promise.resolve();
    },
  };
}

/** What chat servers with presence, rate-limit, metrics and redis are held to, in any language. */
export const REDIS_CHECKS: Readonly<Record<string, Check>> = {
  'finds what was published without being heard': async ({ boot, soon }) => {
    const env = settings();
    await using server = await boot(env);
    const ada = await enter(server.port, 'ada');
    await say(ada, 'one');
    await ada.match({ type: 'message' });
    const key = (kind: string): string => `${env['REDIS_PREFIX'] ?? ''}:{a}:${kind}`;
    const text = '{"type":"message","room":"a","text":"unheard"}';
    await redis.client.xadd(key('stream'), '2-0', 'd', text);
    await redis.client.hset(key('meta'), 'offset', 2);
    const heard = await soon(ada.match({ type: 'message' }), 'what was not heard');
    expect(heard).toMatchObject({ text: 'unheard', offset: 2 });
    const figures = await (await fetch(`http://127.0.0.1:${server.port}/metrics`)).text();
    expect(figures).toMatch(/^ws_redis_missed_total 1$/m);
  },
  'tells who listens that entries are gone': async ({ boot, soon }) => {
    const env = settings();
    await using server = await boot(env);
    const ada = await enter(server.port, 'ada');
    await redis.client.hset(`${env['REDIS_PREFIX'] ?? ''}:{a}:meta`, 'offset', 50);
    expect(await soon(ada.closed, 'the end of a lost position')).toBe(4409);
  },
  'refuses what a full one does not take': async ({ boot, soon }) => {
    await using server = await boot(settings());
    const ada = await enter(server.port, 'ada');
    await redis.client.config('SET', 'maxmemory', '1');
    try {
      const refused = await soon(say(ada, 'too much'), 'a refusal');
      expect(refused).toMatchObject({ type: 'error', code: 'rate_limited', retryAfterMs: 2000 });
    } finally {
      await redis.client.config('SET', 'maxmemory', '0');
    }
    expect(await say(ada, 'enough')).toMatchObject({ type: 'ack', offset: 1 });
  },
  'serves its own clients while Redis is away': async ({ boot, soon }) => {
    const own = await startRedis();
    await using again = { [Symbol.asyncDispose]: () => own[Symbol.asyncDispose]() };
    await using server = await boot(settings({ ...IMPATIENT, REDIS_URL: own.url }));
    const ada = await enter(server.port, 'ada');
    await say(ada, 'before');
    own.kill('SIGKILL');
    await own.exited;
    // Its position goes with Redis; what it has said is there.
    ada.send({ type: 'message', room: 'a', text: 'alone' });
    expect(await soon(ada.closed, 'the end of a lost position')).toBe(4409);
    const { status, reason } = await readiness(server.port);
    expect([status, reason]).toEqual([
      'degraded',
      expect.stringMatching(/refused|connect call failed/i),
    ]);
    const bob = await connect(server.port, 'bob');
    const alone = await soon(bob.request({ type: 'join', room: 'a' }), 'a server alone');
    expect(alone['messages']).toMatchObject([{ text: 'alone', offset: 1 }]);
    expect(await say(bob, 'also')).toMatchObject({ type: 'ack', offset: 2 });
    await using back = await startRedis(undefined, own.port);
    // Nothing that was published meanwhile goes into Redis.
    expect(await soon(bob.closed, 'the end of what is not in Redis')).toBe(4409);
    await until(async () => (await readiness(server.port)).status === 'serving');
    const carol = await connect(server.port, 'carol');
    const joined = await carol.request({ type: 'join', room: 'a' });
    expect(joined).toMatchObject({ recovered: false, messages: [], position: { offset: 0 } });
    expect(await back.client.dbsize()).toBeGreaterThan(0);
    expect(again).toBeDefined();
  },
  'waits for a silent one, and no longer': async ({ boot, soon }) => {
    const own = await startRedis();
    await using server = await boot(settings({ ...IMPATIENT, REDIS_URL: own.url }));
    const ada = await enter(server.port, 'ada');
    own.kill('SIGSTOP');
    try {
      ada.send({ type: 'message', room: 'a', text: 'alone' });
      expect(await soon(ada.closed, 'the end of a lost position')).toBe(4409);
      expect((await readiness(server.port)).reason).toBe('no answer for 300 ms');
    } finally {
      own.kill('SIGCONT');
      await own[Symbol.asyncDispose]();
    }
  },
  'says what is wrong with it': async ({ boot, soon }) => {
    const says = async (url: string, expected: RegExp): Promise<void> => {
      await using server = await boot(settings({ ...IMPATIENT, REDIS_URL: url }));
      const isSaid = until(async () => expected.test((await readiness(server.port)).reason ?? ''));
      await soon(isSaid, String(expected));
    };
    const locked = await startRedis('hidden');
    await using end = { [Symbol.asyncDispose]: () => locked[Symbol.asyncDispose]() };
    const url = `redis://127.0.0.1:${locked.port}`;
    await says(url, /needs a password/);
    await says(url.replace('//', '//:guess@'), /password in REDIS_URL is wrong/);
    await locked.client.replicaof('127.0.0.1', String(redis.port));
    await says(locked.url, /read-only replica/);
    const web = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(web, 'listening');
    const { port } = web.address() as AddressInfo;
    await says(`redis://127.0.0.1:${port}`, /no Redis/);
    web.close();
    const newEnough = 'redis_version:7.2.4\r\nrole:master\r\nrun_id:a\r\n';
    await using cluster = await speakRedis(`${newEnough}cluster_enabled:1\r\n`);
    await says(cluster.url, /node of a Redis Cluster/);
    await using old = await speakRedis('redis_version:6.2.0\r\nrole:master\r\n');
    await says(old.url, /expected Redis 7 or newer, it is 6\.2\.0/);
    expect(end).toBeDefined();
  },
  'trusts the right certificate alone': async ({ boot, soon }) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'websocket-skill-'));
    try {
      const { certFile } = createCertificate(folder, { name: 'IP:127.0.0.1' });
      const port = await freePort();
      const files = ['--tls-cert-file', certFile, '--tls-key-file', path.join(folder, 'key.pem')];
      const tls = ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files];
      await using own = await startRedis(undefined, undefined, tls);
      const says = async (host: string, trusted: string, expected: RegExp): Promise<void> => {
        const env = { REDIS_TIMEOUT: '1000', REDIS_URL: `rediss://${host}:${port}` };
        await using server = await boot(settings({ ...env, SSL_CERT_FILE: trusted }));
        const isSaid = until(async () => {
          const { status, reason } = await readiness(server.port);
          return expected.test(`${status} ${reason ?? ''}`);
        });
        await soon(isSaid, String(expected));
      };
      await says('127.0.0.1', certFile, /^serving/);
      await says('127.0.0.1', '', /certificate/);
      await says('localhost', certFile, /certificate/);
      expect(own).toBeDefined();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  'says once that the users of a killed server have left': async ({ boot, soon }) => {
    const env = settings({ PRESENCE_GRACE: '100', PRESENCE_TTL: '1000' });
    await using one = await boot(env);
    const other = await boot(env);
    const ada = await enter(one.port, 'ada');
    await enter(other.port, 'bob');
    await ada.match({ type: 'member-joined', user: 'bob' });
    other.kill('SIGKILL');
    await other.exited;
    await soon(ada.match({ type: 'member-left', user: 'bob' }), 'the end of who was there');
    const { members } = await ada.request({ type: 'members', room: 'a' });
    expect(members).toEqual(['ada']);
  },
  'counts connections of a user together': async ({ boot }) => {
    const env = settings({ MAX_CONNECTIONS_PER_USER: '2' });
    await using one = await boot(env);
    await using other = await boot(env);
    await connect(one.port, 'ada');
    const second = await connect(other.port, 'ada');
    await expect(connect(one.port, 'ada')).rejects.toThrow('429');
    second.socket.terminate();
    await until(async () => {
      const third = await connect(one.port, 'ada').catch(() => undefined);
      return third !== undefined;
    });
  },
  'charges a user once for what is said again': async ({ boot }) => {
    await using way = await openLossyWay();
    const rate = { USER_RATE_LIMIT: '1', USER_RATE_BURST: '1000' };
    const env = settings({ ...rate, REDIS_URL: way.url });
    await using server = await boot(env);
    const key = `${env['REDIS_PREFIX'] ?? ''}:user:ada`;
    const ada = await connect(server.port, 'ada');
    const taken = async (): Promise<number> => {
      const fields = Object.entries(await redis.client.hgetall(key));
      return Number(
        fields
          .find(([name]) => name.startsWith('at '))?.[1]
          .split(' ')
          .at(-1),
      );
    };
    way.lose(key);
    for (let n = 0; n < 100; n += 1) await ada.request({ type: 'ping' });
    await until(async () => (await taken()) === 100);
    way.pass();
    await ada.request({ type: 'ping' });
    await until(async () => (await taken()) === 101);
    expect(Number(await redis.client.hget(key, 'left'))).toBeGreaterThanOrEqual(899);
  },
};
