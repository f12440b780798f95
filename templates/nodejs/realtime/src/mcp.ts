import {
  isJSONRPCNotification,
  isJSONRPCRequest,
  parseJSONRPCMessage,
} from '@modelcontextprotocol/server';
import type {
  JSONRPCMessage,
  JSONRPCRequest,
  RequestId,
  Transport,
} from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import type { Config } from './config.ts';
import { MAX_URI, McpServers } from './mcp-servers.ts';
import type { Work } from './mcp-servers.ts';
// #if metrics
import type { Metrics } from './metrics.ts';
// #endif
import type { Conversation, Peer, Protocol, ProtocolContext } from './protocol.ts';

/** Errors of JSON-RPC 2.0, and those of this server in the range that it leaves for them. */
export const MCP_ERRORS = {
  parseError: { code: -32700, message: 'Parse error: the message is not JSON' },
  noBatches: { code: -32600, message: 'Invalid Request: MCP has no batches' },
  invalidRequest: { code: -32600, message: 'Invalid Request: not a message of JSON-RPC 2.0' },
  idInUse: { code: -32600, message: 'Invalid Request: the id is that of a request in progress' },
  tooManyCalls: { code: -32000, message: 'Too many requests in progress' },
  tooManySubscriptions: { code: -32000, message: 'Too many subscriptions' },
  tooLarge: { code: -32603, message: 'The result is larger than the server may send' },
} as const;
// #if metrics

/** What clients say: other methods are counted together, as a client could make up any number of them. */
const METHODS = new Set([
  ...['initialize', 'ping', 'server/discover', 'completion/complete', 'logging/setLevel'],
  ...['tools/list', 'tools/call', 'prompts/list', 'prompts/get', 'subscriptions/listen'],
  ...['resources/list', 'resources/templates/list', 'resources/read'],
  ...['resources/subscribe', 'resources/unsubscribe'],
  ...['notifications/initialized', 'notifications/cancelled', 'notifications/progress'],
  'notifications/roots/list_changed',
]);
// #endif

/**
 * MCP (https://modelcontextprotocol.io), a message of JSON-RPC 2.0 in each text message: with the handshake
 * of 2025-11-25 and before, and without, as since 2026-07-28.
 */
export class Mcp implements Protocol {
  readonly subprotocol = 'mcp';
  // #if auth
  readonly needsIdentity = true;
  // #endif
  readonly #context: ProtocolContext;
  readonly #servers: McpServers;

  constructor(context: ProtocolContext) {
    this.#context = context;
    const { config, definitions } = context;
    this.#servers = new McpServers(definitions, config.MAX_SUBSCRIPTIONS_PER_CLIENT);
  }

  accept(peer: Peer): Conversation {
    const transport = new McpTransport(peer, this.#context);
    // In spite of its name it serves any connection, in what the client speaks.
    serveStdio(
      ({ era }) => {
        try {
          return this.#servers.create(era, { id: peer.id, identity: peer.identity }, transport);
        } catch (error) {
          const trace = error instanceof Error ? error.stack : String(error);
          peer.log('error', 'definitions-failed', { trace });
          throw error;
        }
      },
      {
        transport,
        // The text of an error may hold what the client has sent.
        onerror: ({ name }) => {
          peer.log('warn', 'mcp-error', { name });
        },
      },
    );
    return {
      receive: (text) => transport.receive(text),
      close: () => {
        transport.end();
      },
    };
  }
}

/** A request in progress. */
interface Running {
  readonly method: string;
  readonly startedAt: number;
  /** Resources that it watches. */
  readonly watched: number;
  /** A handler of it is at work. */
  isHandled: boolean;
  /** It needs no answer; it counts until its handler has ended. */
  isCancelled: boolean;
}

type Fault = (typeof MCP_ERRORS)[keyof typeof MCP_ERRORS];

/** What the SDK calls a transport, over one connection. */
class McpTransport implements Transport, Work {
  onmessage: Transport['onmessage'];
  onerror: Transport['onerror'];
  onclose: Transport['onclose'];
  readonly sessionId: string;
  readonly #peer: Peer;
  readonly #config: Config;
  // #if metrics
  readonly #metrics: Metrics;
  // #endif
  readonly #running = new Map<RequestId, Running>();
  #hasEnded = false;

  constructor(peer: Peer, context: ProtocolContext) {
    this.sessionId = peer.id;
    this.#peer = peer;
    this.#config = context.config;
    // #if metrics
    this.#metrics = context.metrics;
    // #endif
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** Settles when a client that reads slowly has read. */
  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#hasEnded) throw new Error('the connection has ended');
    const kind = kindOf(message);
    if ('id' in message && kind !== 'request') this.#settle(message.id);
    const text = JSON.stringify(message);
    const isTooLarge = Buffer.byteLength(text) > this.#config.MAX_BUFFERED;
    if (!isTooLarge) this.#peer.send(text, kind);
    else {
      this.#peer.log('error', 'message-too-large', { kind, limit: this.#config.MAX_BUFFERED });
      if (kind === 'notification') return;
      if (kind === 'request') throw new Error('the request is larger than MAX_BUFFERED');
      this.#refuse('id' in message ? message.id : undefined, MCP_ERRORS.tooLarge);
    }
    await this.#peer.drained;
  }

  /** The SDK has nothing more to say. */
  close(): Promise<void> {
    if (!this.#hasEnded) this.#peer.close(1000, '');
    return Promise.resolve();
  }

  /** The connection has ended: what is in progress is aborted. */
  end(): void {
    this.#hasEnded = true;
    this.onclose?.();
  }

  receive(text: string): void | Promise<void> {
    const message = this.#read(text);
    if (message === undefined) return undefined;
    // #if metrics
    const kind = 'method' in message ? message.method : 'response';
    this.#peer.received(kind === 'response' || METHODS.has(kind) ? kind : 'unknown');
    // #endif
    if (isJSONRPCRequest(message)) {
      const fault = this.#begin(message);
      if (fault !== undefined) {
        // An error with the id would be taken for the answer to the request that has it.
        this.#refuse(fault === MCP_ERRORS.idInUse ? undefined : message.id, fault);
        return undefined;
      }
    } else if (isJSONRPCNotification(message) && message.method === 'notifications/cancelled') {
      this.#cancel(message.params?.['requestId'] as RequestId | undefined);
    }
    this.onmessage?.(message);
    return this.#peer.drained;
  }

  begun(id: RequestId): void {
    const running = this.#running.get(id);
    if (running !== undefined) running.isHandled = true;
  }

  ended(id: RequestId): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.isHandled = false;
    if (running.isCancelled) this.#running.delete(id);
  }

  /** The message; undefined if it is none, which was answered. */
  #read(text: string): JSONRPCMessage | undefined {
    let value: unknown;
    let fault: Fault = MCP_ERRORS.parseError;
    try {
      value = JSON.parse(text);
      fault = Array.isArray(value) ? MCP_ERRORS.noBatches : MCP_ERRORS.invalidRequest;
      return parseJSONRPCMessage(value);
    } catch {
      // #if metrics
      this.#peer.received('invalid');
      // #endif
      if (this.#peer.warn()) this.#refuse(undefined, fault);
      return undefined;
    }
  }

  /** Counts a request; says why not, if it may not be. */
  #begin({ id, method, params }: JSONRPCRequest): Fault | undefined {
    if (this.#running.has(id)) return MCP_ERRORS.idInUse;
    if (this.#running.size >= this.#config.MAX_CALLS_PER_CLIENT) return MCP_ERRORS.tooManyCalls;
    const watched = method === 'subscriptions/listen' ? watchedBy(params) : 0;
    const all = [...this.#running.values()].reduce((sum, one) => sum + one.watched, watched);
    if (watched > 0 && all > this.#config.MAX_SUBSCRIPTIONS_PER_CLIENT) {
      return MCP_ERRORS.tooManySubscriptions;
    }
    const startedAt = performance.now();
    this.#running.set(id, { method, startedAt, watched, isHandled: false, isCancelled: false });
    return undefined;
  }

  /** A request was answered. */
  #settle(id: RequestId | undefined): void {
    const running = id === undefined ? undefined : this.#running.get(id);
    if (id === undefined || running === undefined) return;
    this.#running.delete(id);
    // #if metrics
    const { method, startedAt, isCancelled } = running;
    // What waits for news is not slow.
    const isCall = method !== 'subscriptions/listen' && METHODS.has(method);
    if (isCall && !isCancelled) this.#metrics.finished(method, startedAt);
    // #endif
  }

  /** A request is not answered any more: whatever its handler does, it may do for a while. */
  #cancel(id: RequestId | undefined): void {
    const running = id === undefined ? undefined : this.#running.get(id);
    if (id === undefined || running === undefined || running.isCancelled) return;
    if (running.method === 'subscriptions/listen') {
      this.#settle(id);
      return;
    }
    // #if metrics
    if (METHODS.has(running.method)) this.#metrics.finished(running.method, running.startedAt);
    // #endif
    running.isCancelled = true;
    // Some requests have no handler here, or parameters with which it is not called.
    setImmediate(() => {
      if (!running.isHandled && this.#running.get(id) === running) this.#running.delete(id);
    });
  }

  #refuse(id: RequestId | undefined, error: Fault): void {
    this.#peer.send(JSON.stringify({ jsonrpc: '2.0', id: id ?? null, error }), 'error');
  }
}

function kindOf(message: JSONRPCMessage): 'request' | 'notification' | 'result' | 'error' {
  if ('method' in message) return 'id' in message ? 'request' : 'notification';
  return 'error' in message ? 'error' : 'result';
}

/** How many resources a client wants to hear of. */
function watchedBy(params: JSONRPCRequest['params']): number {
  const { notifications } = params ?? {};
  if (typeof notifications !== 'object' || notifications === null) return 1;
  const { resourceSubscriptions: uris } = notifications as Record<string, unknown>;
  if (!Array.isArray(uris)) return 1;
  return uris.every((uri) => String(uri).length <= MAX_URI) ? 1 + uris.length : Infinity;
}
