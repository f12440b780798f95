import { setTimeout as sleep } from 'node:timers/promises';
import { Delivery } from './delivery.ts';
import { CONNECTION_CLOSED, errorReply, isRequest, isResponse, paramsOf } from './json-rpc.ts';
import type { JsonRpcMessage, JsonRpcRequest, RequestId } from './json-rpc.ts';
import { RefusedHandshake, openLink } from './open-link.ts';
import type { ClientAuth, OpenedLink } from './open-link.ts';
import { Outbox } from './outbox.ts';
import { SessionMemory } from './session-memory.ts';
import { toError } from './socket-link.ts';
import type { SocketLink } from './socket-link.ts';
import {
  AUTHENTICATE,
  DEFAULT_HEARTBEAT_MS,
  RECEIVED_HEADER,
  SESSION_HEADER,
} from './transport.ts';
import type { McpTransport } from './transport.ts';

export interface ReconnectOptions {
  /** The longest first pause in milliseconds, default 500; it doubles with each attempt. */
  readonly delayMs?: number;
  /** The longest pause. Default 30000. Each is chosen at random between 0 and its longest. */
  readonly maxDelayMs?: number;
  /** Attempts in a row before the transport closes. Default: no limit. */
  readonly attempts?: number;
}

export interface WebSocketClientTransportOptions {
  /** Extra fields of the handshake's request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly auth?: ClientAuth;
  /** Milliseconds between two pings, default 30000; a server that answers none is gone. 0: none. */
  readonly heartbeatMs?: number;
  /** Time for a handshake in milliseconds. Default 10000. */
  readonly connectTimeoutMs?: number;
  /** Largest message in bytes. Default 64 MiB. */
  readonly maxMessage?: number;
  /** False: a lost connection closes the transport. */
  readonly reconnect?: ReconnectOptions | false;
  /** Messages that may wait while there is no connection. Default 1000. */
  readonly queue?: number;
  /** Options of the `ws` package: `agent` for a proxy, `ca`, `rejectUnauthorized` … */
  readonly socket?: Readonly<Record<string, unknown>>;
  /** Called after each reconnection: the session went on, or a new one was begun. */
  readonly onreconnect?: (how: 'resumed' | 'initialized') => void;
}

/** A connection that lived so long does not count as another attempt that failed. */
const STABLE_MS = 5000;
/** Time that a server has to answer an initialize that is repeated. */
const INITIALIZE_TIMEOUT_MS = 30_000;
/** Kept characters from which on the server is asked what it has. */
const ASK_BYTES = 1024 * 1024;
const LOST = 'the connection was lost; whether the request was carried out is not known';

/** Close codes after which coming back would change nothing: done, not allowed. */
const FINAL_CODES: ReadonlySet<number> = new Set([1000, 1003, 1008, 4401, 4403]);

/**
 * The client's side of MCP over WebSocket.
 *
 * After a lost connection it comes back: to the same session where the server offers that, so that
 * nothing is lost; otherwise it repeats the `initialize` that was sent, the subscriptions and the
 * log level, and answers what was in flight with an error.
 */
export class WebSocketClientTransport implements McpTransport {
  onmessage?: ((message: JsonRpcMessage, extra?: unknown) => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onclose?: (() => void) | undefined;
  readonly #url: URL;
  readonly #options: WebSocketClientTransportOptions;
  readonly #abort = new AbortController();
  #phase: 'new' | 'open' | 'waiting' | 'closed' = 'new';
  /** Not `sessionId`: with that, version 1 of the SDK takes the transport for one that is initialized. */
  #session: string | undefined;
  #started = false;
  #link: SocketLink | undefined;
  #paused = false;
  #openedAt = 0;
  #attempt = 0;
  /** What was handed to us while there was no connection. */
  #queue: JsonRpcMessage[] = [];
  /** What the session's server may not have. */
  #outbox = new Outbox();
  #received = 0;
  readonly #delivery = new Delivery((message) => {
    try {
      this.onmessage?.(message);
    } catch (error) {
      this.onerror?.(toError(error));
    }
  });
  readonly #inFlight = new Map<RequestId, JsonRpcRequest>();
  readonly #memory = new SessionMemory();
  /** Counts the sessions; ids of the server's requests are unique within one only. */
  #epoch = 0;
  readonly #asked = new Map<RequestId, { readonly epoch: number; readonly id: RequestId }>();
  /** Our own requests, of which the owner of the transport knows nothing. */
  readonly #own = new Map<RequestId, (answer: JsonRpcMessage) => void>();

  constructor(url: string | URL, options: WebSocketClientTransportOptions = {}) {
    this.#url = new URL(url);
    this.#options = options;
  }

  /** The session that the server offers to go on with. */
  get session(): string | undefined {
    return this.#session;
  }

  /** Connects; rejects when that fails, as only a connection that was open is opened again. */
  async start(): Promise<void> {
    if (this.#started) throw new Error('the transport was started before');
    this.#started = true;
    const opened = await this.#open();
    if (this.#abort.signal.aborted) {
      await opened.link.close(1000, '');
      throw new Error('the transport was closed');
    }
    await this.#begin(opened);
    this.#phase = 'open';
    if (!this.#paused) opened.link.resume();
  }

  /** Reads nothing more, so that the server has to wait, until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#link?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#link?.resume();
  }

  async send(message: JsonRpcMessage): Promise<void> {
    if (this.#phase === 'closed' || this.#phase === 'new') {
      throw new Error(`the transport is ${this.#phase === 'new' ? 'not started' : 'closed'}`);
    }
    const comesBack = this.#options.reconnect !== false;
    if (this.#phase === 'open' && (this.#link?.isOpen === true || !comesBack)) {
      await this.#transmit(message);
      return;
    }
    if (this.#queue.length >= (this.#options.queue ?? 1000)) {
      throw new Error('too many messages wait for the connection to come back');
    }
    this.#queue.push(message);
  }

  async close(): Promise<void> {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#abort.abort();
    await this.#link?.close(1000, '');
    this.#delivery.flush();
    this.onclose?.();
  }

  #open(): Promise<OpenedLink> {
    const { headers, auth, heartbeatMs, connectTimeoutMs, maxMessage, socket } = this.#options;
    return openLink({
      url: this.#url,
      headers: {
        ...headers,
        ...(this.#session !== undefined && {
          [SESSION_HEADER]: this.#session,
          [RECEIVED_HEADER]: String(this.#received),
        }),
      },
      auth,
      heartbeatMs: heartbeatMs ?? DEFAULT_HEARTBEAT_MS,
      timeoutMs: connectTimeoutMs ?? 10_000,
      maxMessage: maxMessage ?? 64 * 1024 * 1024,
      socket: socket ?? {},
      signal: this.#abort.signal,
      handlers: (link) => ({
        receive: (message) => {
          if (link() === this.#link) this.#receive(message);
        },
        closed: (code, reason) => {
          if (link() === this.#link) this.#lost(code, reason);
        },
        error: (error) => this.onerror?.(error),
        mark: () => this.#outbox.sent,
        confirmed: (mark) => this.#outbox.confirm(mark),
      }),
    });
  }

  /** Takes a new connection into use; the token goes first where it goes as a message. */
  async #begin({ link, session }: OpenedLink): Promise<void> {
    this.#link = link;
    this.#openedAt = performance.now();
    if (session !== this.#session || session === undefined) {
      this.#outbox = new Outbox();
      this.#received = 0;
    }
    this.#session = session;
    const { auth } = this.#options;
    if (auth?.by !== 'message') return;
    const params = { token: typeof auth.token === 'string' ? auth.token : await auth.token() };
    await link.send(JSON.stringify({ jsonrpc: '2.0', method: AUTHENTICATE, params }));
  }

  #transmit(message: JsonRpcMessage): Promise<void> {
    const outgoing = this.#note(message);
    if (outgoing === undefined) return Promise.resolve();
    const text = JSON.stringify(outgoing);
    const isKept = this.#session !== undefined;
    if (isKept) this.#outbox.add(text, isRequest(outgoing) ? outgoing.id : undefined);
    if (this.#outbox.size > ASK_BYTES) this.#link?.ping();
    const sent = this.#link?.send(text) ?? Promise.reject(new Error('the WebSocket is not open'));
    return sent.catch((error: unknown) => {
      // What is kept is sent again when the session goes on.
      if (isKept) return;
      if (isRequest(outgoing)) this.#inFlight.delete(outgoing.id);
      throw error;
    });
  }

  /** Remembers what a new session needs; undefined for an answer to a session that is gone. */
  #note(message: JsonRpcMessage): JsonRpcMessage | undefined {
    if (isResponse(message)) {
      const asked = this.#asked.get(message.id);
      this.#asked.delete(message.id);
      if (asked === undefined) return message;
      return asked.epoch === this.#epoch ? { ...message, id: asked.id } : undefined;
    }
    this.#memory.note(message);
    if (isRequest(message)) this.#inFlight.set(message.id, message);
    if (message.method === 'notifications/cancelled') {
      this.#inFlight.delete(paramsOf(message)['requestId'] as RequestId);
    }
    return message;
  }

  #receive(message: JsonRpcMessage): void {
    if (this.#session !== undefined) this.#received += 1;
    if (isResponse(message)) {
      this.#outbox.confirmRequest(message.id);
      const own = this.#own.get(message.id);
      if (own !== undefined) {
        own(message);
        return;
      }
      this.#inFlight.delete(message.id);
    }
    this.#delivery.push(this.#ofThisEpoch(message));
  }

  /** From the second session on, ids of the server's requests are made unique. */
  #ofThisEpoch(message: JsonRpcMessage): JsonRpcMessage {
    const unique = (id: RequestId): RequestId =>
      this.#epoch === 0 ? id : `${this.#epoch}/${JSON.stringify(id)}`;
    if (isRequest(message)) {
      const id = unique(message.id);
      this.#asked.set(id, { epoch: this.#epoch, id: message.id });
      return id === message.id ? message : { ...message, id };
    }
    if (message.method !== 'notifications/cancelled' || this.#epoch === 0) return message;
    const params = paramsOf(message);
    const requestId = unique(params['requestId'] as RequestId);
    return { ...message, params: { ...params, requestId } };
  }

  #lost(code: number, reason: string): void {
    if (this.#phase === 'closed') return;
    // With another token it may be let in again.
    const isOverToken = code === 4401 && typeof this.#options.auth?.token === 'function';
    const isFinal = FINAL_CODES.has(code) && !isOverToken;
    if (this.#options.reconnect === false || isFinal) {
      if (code !== 1000) this.onerror?.(new Error(`the server closed: ${code} ${reason}`.trim()));
      this.#finish();
      return;
    }
    if (performance.now() - this.#openedAt > STABLE_MS) this.#attempt = 0;
    // The server did not take a message that was too big; it would not the next time.
    if (code === 1009) this.#session = undefined;
    if (this.#session === undefined) this.#failInFlight();
    if (this.#phase === 'waiting') return;
    this.#phase = 'waiting';
    this.#comeBack().catch((error: unknown) => {
      if (!this.#abort.signal.aborted) this.onerror?.(toError(error));
      this.#finish();
    });
  }

  #finish(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#abort.abort();
    this.#delivery.flush();
    this.onclose?.();
  }

  /** Tries until there is a session again; rejects when it makes no sense to try on. */
  async #comeBack(): Promise<void> {
    const {
      delayMs = 500,
      maxDelayMs = 30_000,
      attempts = Infinity,
    } = this.#options.reconnect === false ? {} : (this.#options.reconnect ?? {});
    for (;;) {
      if (this.#attempt >= attempts) throw new Error(`no connection after ${attempts} attempts`);
      const longest = Math.min(maxDelayMs, delayMs * 2 ** Math.min(this.#attempt, 30));
      this.#attempt += 1;
      await sleep(Math.random() * longest, undefined, { signal: this.#abort.signal });
      try {
        const how = await this.#openAgain();
        this.#phase = 'open';
        this.#options.onreconnect?.(how);
        return;
      } catch (error) {
        this.#link?.terminate();
        this.#abort.signal.throwIfAborted();
        if (error instanceof RefusedHandshake && error.isFinal) throw error;
        if (error instanceof RefusedInitialize) throw error;
        this.onerror?.(toError(error));
      }
    }
  }

  async #openAgain(): Promise<'resumed' | 'initialized'> {
    const before = this.#session;
    const opened = await this.#open();
    const resumed = before !== undefined && opened.session === before;
    const missing = resumed ? this.#outbox.after(opened.received) : [];
    if (missing === undefined) {
      this.#session = undefined;
      opened.link.terminate();
      throw new Error('the session cannot go on: too much was sent that the server does not have');
    }
    await this.#begin(opened);
    if (!this.#paused) opened.link.resume();
    if (resumed) {
      for (const text of missing) void opened.link.send(text).catch(() => undefined);
    } else {
      this.#epoch += 1;
      this.#failInFlight();
      await this.#initializeAgain(opened.link);
    }
    for (const message of this.#queue.splice(0)) {
      this.#transmit(message).catch((error: unknown) => this.onerror?.(toError(error)));
    }
    if (!opened.link.isOpen) throw new Error('the connection was lost again');
    return resumed ? 'resumed' : 'initialized';
  }

  async #initializeAgain(link: SocketLink): Promise<void> {
    const { initialize, initialized, effects } = this.#memory;
    if (initialize === undefined) return;
    const answer = await this.#ask(link, initialize);
    if (answer.error !== undefined) throw new RefusedInitialize(JSON.stringify(answer.error));
    if (initialized !== undefined) this.#say(link, JSON.stringify(initialized));
    for (const request of effects) {
      this.#ask(link, request).catch((error: unknown) => this.onerror?.(toError(error)));
    }
  }

  /** Sends a request under an id of our own. */
  async #ask(link: SocketLink, request: JsonRpcRequest): Promise<JsonRpcMessage> {
    const id = `reconnect-${this.#epoch}-${JSON.stringify(request.id)}`;
    const timeout = AbortSignal.timeout(INITIALIZE_TIMEOUT_MS);
    try {
      return await new Promise<JsonRpcMessage>((resolve, reject) => {
        const fail = (): void => reject(new Error(`no answer to ${request.method}`));
        timeout.addEventListener('abort', fail);
        this.#own.set(id, resolve);
        this.#say(link, JSON.stringify({ ...request, id }), reject);
        link.closed.then(fail, fail);
      });
    } finally {
      this.#own.delete(id);
    }
  }

  /** Sends what no outbox keeps twice: it counts as a message of the session all the same. */
  #say(link: SocketLink, text: string, failed: (error: Error) => void = () => undefined): void {
    if (this.#session !== undefined) this.#outbox.add(text);
    link.send(text).catch((error: unknown) => failed(toError(error)));
  }

  #failInFlight(): void {
    for (const id of [...this.#inFlight.keys()]) {
      this.#inFlight.delete(id);
      this.#delivery.push(errorReply(id, CONNECTION_CLOSED, LOST));
    }
  }
}

class RefusedInitialize extends Error {
  override readonly name = 'RefusedInitialize';

  constructor(answer: string) {
    super(`the server refused to be initialized again: ${answer}`);
  }
}
