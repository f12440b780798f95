import { fileURLToPath } from 'node:url';
import { startServerProcess } from './server-process.ts';

const SERVER = fileURLToPath(
  new URL('../fixtures/load/accounting/faulty-server.mjs', import.meta.url),
);

/** What the server did, counted by itself. */
export interface ServerCounts {
  readonly connections: number;
  /** Messages. */
  readonly received: number;
  readonly sent: number;
  /** How often it made its mistake. */
  readonly faults: number;
  /** Connections it closed or reset. */
  readonly closed: number;
}

export interface FaultyServer extends AsyncDisposable {
  readonly url: string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly counts: () => Promise<ServerCounts>;
}

/** A server in a process of its own that makes mistake `fault` with every so many messages. */
export async function startFaultyServer(fault: string, every = 7): Promise<FaultyServer> {
  const server = await startServerProcess([SERVER], {
    cwd: process.cwd(),
    env: { FAULT: fault, EVERY: String(every) },
  });
  const origin = `127.0.0.1:${server.port}`;
  return {
    url: `ws://${origin}/`,
    kill: (signal) => {
      server.kill(signal);
    },
    counts: async () => (await fetch(`http://${origin}/counts`)).json() as Promise<ServerCounts>,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
