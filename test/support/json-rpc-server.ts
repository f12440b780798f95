import { fileURLToPath } from 'node:url';
import { startServerProcess } from './server-process.ts';

const SERVER = fileURLToPath(
  new URL('../fixtures/load/scenario/json-rpc-server.mjs', import.meta.url),
);

/** What the server saw, counted by itself. */
export interface JsonRpcCounts {
  readonly connections: number;
  /** Messages. */
  readonly received: number;
  readonly sent: number;
  /** How often it made its mistake. */
  readonly faults: number;
  /** Connections with permessage-deflate. */
  readonly deflated: number;
  /** Bytes of the messages that came, and of what came on the wire for them. */
  readonly payloadBytes: number;
  readonly wireBytes: number;
  /** The header X-User of each connection, or the target of its request. */
  readonly users: readonly string[];
  readonly subprotocols: readonly string[];
}

export interface JsonRpcServer extends AsyncDisposable {
  readonly url: string;
  readonly counts: () => Promise<JsonRpcCounts>;
}

export interface JsonRpcOptions {
  /** The mistake it makes with every so many messages. */
  readonly fault?: 'none' | 'error' | 'silent' | 'close' | 'notify' | 'both' | 'babble' | 'greets';
  readonly every?: number;
  readonly deflate?: boolean;
}

/** A JSON-RPC server on `ws` in a process of its own. */
export async function startJsonRpcServer(options: JsonRpcOptions = {}): Promise<JsonRpcServer> {
  const { fault = 'none', every = 7, deflate = false } = options;
  const server = await startServerProcess([SERVER], {
    cwd: process.cwd(),
    env: { FAULT: fault, EVERY: String(every), DEFLATE: deflate ? '1' : '0' },
  });
  const origin = `127.0.0.1:${server.port}`;
  return {
    url: `ws://${origin}/`,
    counts: async () => (await fetch(`http://${origin}/counts`)).json() as Promise<JsonRpcCounts>,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
