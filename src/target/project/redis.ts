import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Supervised } from './supervisor.ts';

/** A Redis that servers share while they are tested. */
export interface SharedRedis extends AsyncDisposable {
  /** May hold a password. */
  readonly url: string;
}

/**
 * That of REDIS_URL, whose other users do not notice as all names get a prefix of their own; otherwise one
 * of its own, on the loopback, that keeps nothing, for as long as it is not disposed of. Undefined where
 * there is neither: no `redis-server` on the PATH, or one that does not start.
 */
export async function openRedis(): Promise<SharedRedis | undefined> {
  const { REDIS_URL } = process.env;
  if (REDIS_URL !== undefined && REDIS_URL !== '') {
    return { url: REDIS_URL, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const folder = await mkdtemp(join(tmpdir(), 'websocket-skill-redis-'));
  const port = await freePort();
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  const command = ['redis-server', ...options, '--save', '', '--appendonly', 'no'];
  const server = new Supervised({ command, cwd: folder, env: process.env });
  const dispose = async (): Promise<void> => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  server.process.stderr?.resume();
  if (await isListening(server)) {
    return { url: `redis://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose };
  }
  await dispose();
  return undefined;
}

/** A port of the loopback for a program that takes no port 0: the system gave it and took it back. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Whether Redis says that it takes connections, rather than ends. */
async function isListening({ process: { stdout } }: Supervised): Promise<boolean> {
  if (stdout === null) return false;
  const lines = createInterface({ input: stdout, crlfDelay: Infinity });
  return await new Promise((resolve) => {
    lines.on('line', (line) => {
      if (line.includes('Ready to accept connections')) resolve(true);
    });
    lines.on('close', () => resolve(false));
  });
}
