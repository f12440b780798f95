import type { Duplex } from 'node:stream';
import { PARSE_ERROR, errorReply, parseMessage } from './json-rpc.ts';
import type { JsonRpcMessage } from './json-rpc.ts';

/** What is used of a socket of the `ws` package, which most servers of Node.js hand out. */
export interface WebSocketLike {
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: string, done?: (error?: Error | null) => void): void;
  ping(): void;
  pong(): void;
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): unknown;
  on(event: 'pong', listener: () => void): unknown;
  on(event: 'close', listener: (code: number, reason: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface LinkHandlers {
  /** A message, and the text it came in. */
  receive(message: JsonRpcMessage, text: string): void;
  /** Called once, when nothing more is received or sent. */
  closed(code: number, reason: string): void;
  error(error: Error): void;
  /** Called when a ping is sent; its result is passed to `confirmed` when the pong has come. */
  mark?(): number;
  /** The peer has read all that was sent up to the mark. */
  confirmed?(mark: number): void;
}

export interface LinkOptions {
  /** Whether a message that is none is answered, as servers do, or only reported. */
  readonly answersErrors: boolean;
  /** Milliseconds between two pings; a peer from which nothing comes in between is gone. 0: none. */
  readonly heartbeatMs: number;
  /** The connection below the WebSocket, where it is known: what is sent in one turn goes out in one write. */
  readonly connection?: Pick<Duplex, 'cork' | 'uncork'> | undefined;
}

const OPEN = 1;
const CLOSED = 3;
/** Time that a peer has to answer a close frame. */
const CLOSE_TIMEOUT_MS = 2000;

/** JSON-RPC messages over one WebSocket: text frames only, checked, with a heartbeat. */
export class SocketLink {
  /** Resolves when the socket is closed. */
  readonly closed: Promise<void>;
  readonly #socket: WebSocketLike;
  readonly #handlers: LinkHandlers;
  readonly #answersErrors: boolean;
  readonly #connection: LinkOptions['connection'];
  #corked = false;
  #heartbeat: NodeJS.Timeout | undefined;
  #alive = true;
  /** What the peer has read when the pong comes that is waited for. */
  #marked: number | undefined;
  #paused = false;
  /** Set from our close frame on: what the peer still sends is not taken. */
  #ending = false;

  constructor(socket: WebSocketLike, handlers: LinkHandlers, options: LinkOptions) {
    this.#socket = socket;
    this.#handlers = handlers;
    this.#answersErrors = options.answersErrors;
    this.#connection = options.connection;
    socket.on('message', (data, isBinary) => {
      this.#alive = true;
      if (!this.#ending) this.#take(data, isBinary);
    });
    socket.on('pong', () => {
      this.#alive = true;
      const marked = this.#marked;
      this.#marked = undefined;
      if (marked !== undefined) handlers.confirmed?.(marked);
    });
    socket.on('error', (error) => handlers.error(error));
    this.closed = new Promise((resolve) => {
      const end = (code: number, reason: string): void => {
        clearInterval(this.#heartbeat);
        resolve();
        handlers.closed(code, reason);
      };
      if (socket.readyState === CLOSED) queueMicrotask(() => end(1006, ''));
      else socket.on('close', (code, reason) => end(code, reason.toString()));
    });
    if (options.heartbeatMs === 0) return;
    this.#heartbeat = setInterval(() => {
      if (socket.readyState !== OPEN) return;
      if (this.#paused) {
        // Nothing is read meanwhile, not even an answer; but nothing can be sent to a peer that has gone.
        socket.pong();
        return;
      }
      if (!this.#alive) {
        handlers.error(new Error(`the peer was silent for ${options.heartbeatMs} ms`));
        socket.terminate();
        return;
      }
      this.#alive = false;
      this.ping();
    }, options.heartbeatMs);
    this.#heartbeat.unref();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === OPEN && !this.#ending;
  }

  /** Bytes that wait to be sent. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Resolves when the text is handed to the system; rejects when the socket is not open. */
  send(text: string): Promise<void> {
    if (!this.isOpen) return Promise.reject(new Error('the WebSocket is not open'));
    this.#cork();
    return new Promise((resolve, reject) => {
      this.#socket.send(text, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
    });
  }

  /** Sends a text of which nobody has to know when it is sent; drops it when the socket is not open. */
  post(text: string): void {
    if (!this.isOpen) return;
    this.#cork();
    this.#socket.send(text);
  }

  /** Asks whether the peer is there and what it has read, unless that is being asked. */
  ping(): void {
    if (!this.isOpen || this.#marked !== undefined) return;
    this.#marked = this.#handlers.mark?.() ?? 0;
    this.#socket.ping();
  }

  /** Reads nothing more, so that the peer has to wait. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#alive = true;
    this.#socket.resume();
  }

  /** Resolves when the socket is closed: at the latest after the time a peer has to answer. */
  async close(code: number, reason: string): Promise<void> {
    this.#ending = true;
    if (this.#socket.readyState !== CLOSED) {
      this.resume();
      this.#socket.close(code, reason);
    }
    const timer = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT_MS);
    await this.closed;
    clearTimeout(timer);
  }

  /** Drops the socket. */
  terminate(): void {
    this.#socket.terminate();
  }

  #cork(): void {
    if (this.#corked || this.#connection === undefined) return;
    this.#corked = true;
    this.#connection.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#connection?.uncork();
    });
  }

  #take(data: Buffer, isBinary: boolean): void {
    if (isBinary) {
      this.#handlers.error(new Error('the peer sent a binary message'));
      void this.close(1003, 'MCP messages are text');
      return;
    }
    const text = data.toString();
    const parsed = parseMessage(text);
    if (parsed.message !== undefined) {
      this.#handlers.receive(parsed.message, text);
      return;
    }
    const { code, reason, id, asks } = parsed;
    this.#handlers.error(
      new Error(code === PARSE_ERROR ? 'the peer sent what is not JSON' : 'the peer sent no RPC'),
    );
    if (!this.#answersErrors) return;
    const reply = JSON.stringify(errorReply(asks ? id : null, code, reason));
    this.send(reply).catch((error: unknown) => this.#handlers.error(toError(error)));
  }
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
