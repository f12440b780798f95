import { fileURLToPath } from 'node:url';
import { startServerProcess } from '../server-process.ts';

const PROGRAM = fileURLToPath(new URL('ws-server.mjs', import.meta.url));

/** The mistakes that a server of this file can make; `every` says with which messages. */
export type WsFault =
  | 'none'
  // from handshake number `every` on
  | 'exit-at-handshake'
  | 'ignore-handshakes'
  | 'refuse-handshakes'
  // drops, or leaves alone, a connection while there is another
  | 'one-connection'
  | 'queue-connections'
  // with every so many messages, over all connections
  | 'drop'
  | 'duplicate'
  | 'reorder'
  | 'alter'
  | 'shorten'
  | 'retype'
  | 'unasked'
  | 'misdirect'
  | 'close'
  | 'reset'
  // from message number `every` on
  | 'hang'
  | 'exit'
  // JSON-RPC alone
  | 'greet'
  | 'error'
  | 'notify'
  | 'reply-and-notify'
  | 'not-json';

export interface WsServerOptions {
  readonly fault?: WsFault;
  /** Default 7. */
  readonly every?: number;
  /** Agrees to permessage-deflate. */
  readonly deflate?: boolean;
  /** Answers texts as a JSON-RPC 2.0 server with the methods `add` and `echo`. */
  readonly jsonRpc?: boolean;
}

/** What the server did, counted by itself. */
export interface WsServerCounts {
  readonly connections: number;
  /** Messages. */
  readonly received: number;
  readonly sent: number;
  /** How often it made its mistake. */
  readonly faults: number;
  /** Connections it closed or reset. */
  readonly closed: number;
  /** Connections with permessage-deflate. */
  readonly deflated: number;
  /** Bytes of the messages that came, and of what came on the wire for them. */
  readonly payloadBytes: number;
  readonly wireBytes: number;
  /** The header X-User of each connection, or the target of its request. */
  readonly users: readonly string[];
  readonly subprotocols: readonly string[];
  /** Connections by their bearer token, or by their number where they have none. */
  readonly tokens: Readonly<Record<string, TokenCount>>;
}

export interface TokenCount {
  readonly received: number;
  readonly open: boolean;
}

export interface WsServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly counts: () => Promise<WsServerCounts>;
}

/** Starts a server made with `ws` in a process of its own; `await using` ends it. */
export async function startWsServer(options: WsServerOptions = {}): Promise<WsServer> {
  const server = await startServerProcess([PROGRAM, JSON.stringify(options)], {
    cwd: process.cwd(),
  });
  const origin = `127.0.0.1:${server.port}`;
  return {
    url: `ws://${origin}/`,
    pid: server.pid,
    kill: server.kill,
    counts: async () => (await fetch(`http://${origin}/counts`)).json() as Promise<WsServerCounts>,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
