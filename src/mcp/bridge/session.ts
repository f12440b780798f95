import {
  CONNECTION_CLOSED,
  INVALID_REQUEST,
  errorReply,
  isRequest,
  isResponse,
  paramsOf,
} from '../json-rpc.ts';
import type { JsonRpcMessage, RequestId } from '../json-rpc.ts';
import { Outbox } from '../outbox.ts';
import { AUTHENTICATE } from '../transport.ts';
import type { AuditLog } from './audit-log.ts';

/** What a session's client is at the other end of: a WebSocket, or responses over HTTP. */
export interface SessionLink {
  readonly isOpen: boolean;
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  /** Sends a message of which nobody has to know when it is sent. */
  post(text: string, message?: JsonRpcMessage): void;
  /** Resolves when the message is handed to the system. */
  send(text: string, message?: JsonRpcMessage): Promise<void>;
  /** Asks what the client has read. */
  ping(): void;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): Promise<void>;
  terminate(): void;
}

/** What a session speaks to: a child of its own, or its part of a shared one. */
export interface Upstream {
  readonly isFull: boolean;
  send(session: Session, message: JsonRpcMessage, text: string): void;
  /** The client does not read: output may wait where that holds up nobody else. */
  pause(): boolean;
  resume(): void;
  /** The session has ended. */
  leave(session: Session): Promise<void>;
}

export interface SessionOptions {
  readonly id: string;
  readonly upstream: Upstream;
  readonly log: AuditLog;
  /** Which token the client gave, from 1; undefined where none is needed. */
  readonly user: number | undefined;
  /** How long a session waits for its client to come back. 0: not at all. */
  readonly graceMs: number;
  /** How long a client may read nothing that waits for it. */
  readonly stallMs: number;
  /** Time for the first message. */
  readonly firstMessageMs: number;
  readonly ended: (session: Session) => void;
}

interface Call {
  readonly method: string;
  readonly name: string | undefined;
  readonly began: number;
}

/** Bytes that wait for a client, above which its child has to wait. */
const HIGH_BYTES = 1024 * 1024;
/** The same where the child cannot wait, as others need it. */
const LIMIT_BYTES = 16 * 1024 * 1024;
/** Bytes that wait, below which nobody has to know when they are sent. */
const LOW_BYTES = 64 * 1024;
const MAX_IN_FLIGHT = 16_384;
/** Characters that are logged of a name that the client gave. */
const LOGGED_NAME = 128;
/** Kept characters from which on the client is asked what it has. */
const ASK_BYTES = 256 * 1024;

/** One client of the bridge; it outlives its socket for the grace time. */
export class Session {
  readonly id: string;
  readonly user: number | undefined;
  /** Messages of the client that were received. */
  received = 0;
  readonly #options: SessionOptions;
  readonly #outbox = new Outbox(2 * LIMIT_BYTES);
  readonly #calls = new Map<RequestId, Call>();
  readonly #began = performance.now();
  #link: SessionLink | undefined;
  #outputWaits = false;
  #inputWaits = false;
  #ended = false;
  #draining: (() => void) | undefined;
  #graceTimer: NodeJS.Timeout | undefined;
  #stallTimer: NodeJS.Timeout | undefined;
  #firstTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.id = options.id;
    this.user = options.user;
  }

  get isAttached(): boolean {
    return this.#link?.isOpen === true;
  }

  get isIdle(): boolean {
    return this.#calls.size === 0;
  }

  /** Whether the session can go on with a client that has received `count` messages. */
  canResume(count: number): boolean {
    return this.#outbox.after(count) !== undefined;
  }

  /** Takes a socket into use, instead of the one before. */
  attach(link: SessionLink, alreadyReceived: number): void {
    const { log } = this.#options;
    clearTimeout(this.#graceTimer);
    const before = this.#link;
    this.#link = link;
    this.#inputWaits = false;
    if (before !== undefined) {
      log.info('session_takeover', { session: this.id });
      void before.close(1000, 'MCP session reconnected on another connection');
    }
    for (const text of this.#outbox.after(alreadyReceived) ?? []) this.#transmit(link, text);
    this.#letOutputFlow();
    if (this.received === 0) {
      this.#firstTimer = setTimeout(
        () => this.end(1008, 'no message came in time'),
        this.#options.firstMessageMs,
      );
    }
  }

  /** A message of the client, from its present socket. */
  receive(link: SessionLink, message: JsonRpcMessage, text: string): void {
    if (link !== this.#link || message.method === AUTHENTICATE) return;
    clearTimeout(this.#firstTimer);
    this.received += 1;
    if (isRequest(message)) {
      const { id, method } = message;
      const refused = this.#refusal(id);
      if (refused !== undefined) {
        this.send(errorReply(id, ...refused));
        return;
      }
      const { name } = paramsOf(message);
      const began = performance.now();
      this.#calls.set(id, {
        ...{ method: method.slice(0, LOGGED_NAME), began },
        name: typeof name === 'string' ? name.slice(0, LOGGED_NAME) : undefined,
      });
    }
    const { upstream } = this.#options;
    upstream.send(this, message, text);
    if (message.method === 'notifications/cancelled') {
      // It need not be answered.
      this.#settle(paramsOf(message)['requestId'] as RequestId, { cancelled: true });
    }
    if (upstream.isFull && !this.#inputWaits) {
      this.#inputWaits = true;
      link.pause();
    }
  }

  /** Sends a message to the client; `text` is the message where it is known. */
  send(message: JsonRpcMessage, text = JSON.stringify(message)): void {
    if (this.#ended) return;
    if (isResponse(message)) {
      const { code } = (message.error ?? {}) as { code?: unknown };
      this.#settle(message.id, code === undefined ? {} : { error: code });
    }
    this.#outbox.add(text);
    if (this.#link !== undefined) this.#transmit(this.#link, text, message);
    else if (this.#outbox.size > HIGH_BYTES) this.#stopOutput(this.#outbox.size);
  }

  /** Reads on from the client. */
  drained(): void {
    if (!this.#inputWaits || this.#options.upstream.isFull) return;
    this.#inputWaits = false;
    this.#link?.resume();
  }

  /** Answers what is in flight with an error. */
  failCalls(reason: string): void {
    for (const id of [...this.#calls.keys()]) {
      this.send(errorReply(id, CONNECTION_CLOSED, reason));
    }
  }

  confirm(count: number): void {
    this.#outbox.confirm(count);
  }

  get sent(): number {
    return this.#outbox.sent;
  }

  /** The socket is gone: the session waits for another one, or ends. */
  detached(link: SessionLink, code: number, isFinal: boolean): void {
    if (link !== this.#link || this.#ended) return;
    this.#link = undefined;
    this.#inputWaits = false;
    clearTimeout(this.#stallTimer);
    clearTimeout(this.#firstTimer);
    const { graceMs, log } = this.#options;
    if (isFinal || graceMs === 0 || this.received === 0) {
      this.end(code, '');
      return;
    }
    log.info('session_drop', { session: this.id, code, graceMs });
    this.#graceTimer = setTimeout(() => this.end(code, 'the client did not come back'), graceMs);
  }

  /** Resolves when nothing is in flight, or when the time is over. */
  async drain(ms: number): Promise<void> {
    if (this.#calls.size === 0 || this.#ended) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#draining = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of [this.#graceTimer, this.#stallTimer, this.#firstTimer]) clearTimeout(timer);
    const { log, ended } = this.#options;
    const { id, received } = this;
    const durationMs = Math.round(performance.now() - this.#began);
    log.info('session_end', {
      ...{ session: id, code, ...(reason !== '' && { reason }) },
      ...{ received, sent: this.sent, unanswered: this.#calls.size, durationMs },
    });
    this.#calls.clear();
    this.#draining?.();
    void this.#link?.close(code === 1005 || code === 1006 ? 1000 : code, reason);
    this.#link = undefined;
    ended(this);
  }

  #refusal(id: RequestId): [code: number, reason: string] | undefined {
    if (this.#calls.has(id)) return [INVALID_REQUEST, 'a request with this id is in flight'];
    if (this.#calls.size < MAX_IN_FLIGHT) return undefined;
    return [CONNECTION_CLOSED, `more than ${MAX_IN_FLIGHT} requests are in flight`];
  }

  /** A call is not in flight any more. */
  #settle(id: RequestId, outcome: { readonly error?: unknown; readonly cancelled?: true }): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    const { method, name, began } = call;
    const { log } = this.#options;
    if (log.hasInfo) {
      const ms = Math.round((performance.now() - began) * 100) / 100;
      const { error, cancelled } = outcome;
      // What is undefined is not written.
      log.info('call', { session: this.id, user: this.user, method, name, error, cancelled, ms });
    }
    if (this.#calls.size === 0) this.#draining?.();
  }

  #transmit(link: SessionLink, text: string, message?: JsonRpcMessage): void {
    if (link.bufferedBytes + text.length < LOW_BYTES) {
      link.post(text, message);
    } else {
      const done = (): void => {
        if (link !== this.#link || !this.#outputWaits) return;
        if (link.bufferedBytes < HIGH_BYTES / 2) this.#letOutputFlow();
        else this.#awaitReading();
      };
      link.send(text, message).then(done, () => undefined);
    }
    if (this.#outbox.size > ASK_BYTES) link.ping();
    if (link.bufferedBytes > HIGH_BYTES) this.#stopOutput(link.bufferedBytes);
  }

  #stopOutput(bytes: number): void {
    if (!this.#outputWaits) {
      this.#outputWaits = true;
      if (this.#link !== undefined) this.#awaitReading();
    }
    if (this.#options.upstream.pause() || bytes <= LIMIT_BYTES) return;
    this.#cut(`the client left ${bytes} bytes unread`);
  }

  #awaitReading(): void {
    clearTimeout(this.#stallTimer);
    const { stallMs } = this.#options;
    this.#stallTimer = setTimeout(() => this.#cut(`nothing was read for ${stallMs} ms`), stallMs);
  }

  /** Ends a session whose client does not read; nor would it read a close frame. */
  #cut(reason: string): void {
    const link = this.#link;
    this.end(1008, reason);
    link?.terminate();
  }

  #letOutputFlow(): void {
    clearTimeout(this.#stallTimer);
    if (!this.#outputWaits) return;
    this.#outputWaits = false;
    this.#options.upstream.resume();
  }
}
