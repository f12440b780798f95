import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../src/target/project/redis.ts';
import { installDebian, program, requirement } from './requirement.ts';

/** `describe` for tests that need a Redis, which is installed where that can be. */
export function redisRequirement(name: string): ReturnType<typeof requirement> {
  return requirement(name, program('redis-server', ['--version'], /^Redis server v=/), () =>
    installDebian('redis-server'),
  );
}

/** A Redis of its own that keeps nothing; `await using` ends it. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly client: Redis;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly exited: Promise<unknown>;
}

/** Starts Debian's Redis, by default on a free port, of the loopback, in a folder that goes with it. */
export async function startRedis(
  password?: string,
  at?: number,
  more: readonly string[] = [],
): Promise<RedisServer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'websocket-skill-redis-'));
  const port = at ?? (await freePort());
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder];
  options.push(...more);
  if (password !== undefined) options.push('--requirepass', password);
  const child = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  await new Promise<void>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('Ready to accept connections')) resolve();
    });
    void exited.then(() => reject(new Error(`Redis ended: ${said}`)));
  });
  const url = `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`;
  const client = new Redis(url, { maxRetriesPerRequest: 1 });
  client.on('error', () => undefined);
  return {
    port,
    url,
    client,
    kill: (signal) => void child.kill(signal),
    exited,
    async [Symbol.asyncDispose]() {
      client.disconnect();
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Keys of jobs that are not done. */
export async function jobsIn({ client }: RedisServer): Promise<string[]> {
  const keys = await client.keys('*');
  return keys.filter((key) => /:[0-9a-f]{8}-[0-9a-f-]{27}-\d+-\d+$/.test(key)).sort();
}

/** All values of all keys, as text. */
export async function everythingIn({ client }: RedisServer): Promise<string> {
  const keys = await client.keys('*');
  const values = keys.map(async (key) => {
    switch (await client.type(key)) {
      case 'hash':
        return await client.hgetall(key);
      case 'stream':
        return await client.xrange(key, '-', '+');
      case 'list':
        return await client.lrange(key, '0', '-1');
      case 'zset':
        return await client.zrange(key, '0', '-1');
      case 'set':
        return await client.smembers(key);
      default:
        return await client.get(key);
    }
  });
  return JSON.stringify([keys, await Promise.all(values)]);
}
