import type {
  Connection,
  ConnectionEvent,
  NegotiatedDeflate,
  RequestHead,
  ResponseHead,
  RuleResult,
  SendOptions,
} from '../protocol/index.ts';
import type { Wire } from './wire.ts';

/** How the opening handshake went. */
export interface Handshake {
  readonly requestHead: RequestHead;
  readonly responseHead: ResponseHead;
  /** Every rule about the peer's head, kept or broken. */
  readonly rules: readonly RuleResult[];
  /** The subprotocol in use. */
  readonly protocol: string | null;
  /** The Sec-WebSocket-Extensions of the response as it was; empty for none. */
  readonly extensions: string;
}

export interface ChannelOptions {
  readonly wire: Wire;
  readonly connection: Connection;
  readonly handshake: Handshake;
  /** What is in force of permessage-deflate. */
  readonly deflate?: NegotiatedDeflate | undefined;
  /** Sees every piece of input before the connection does. */
  readonly observe?: ((bytes: Buffer) => void) | undefined;
  /** Bytes of unread events above which nothing more is read from the peer. Default 16 MiB. */
  readonly unreadBytes?: number;
}

const DEFAULT_UNREAD_BYTES = 16 * 1024 * 1024;

/** Unread events above which nothing more is read, whatever their size. */
const MAX_UNREAD_EVENTS = 10_000;

/** How long a wait of the pump lasts before it looks again; any value does. */
const PUMP_WAIT_MS = 60_000;

/** Time that an abandoned channel gives the peer for the closing handshake. */
const DISPOSE_TIMEOUT_MS = 250;

/** Bytes to write one piece after the other; an async one may wait between its pieces. */
export type RawChunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * A protocol `Connection` on a `Wire`: reads, answers pings and closes by itself.
 *
 * Take events with `next`. As long as events lie unread beyond a bound, nothing more is read: the
 * peer feels back-pressure, and its pings wait. Every `send` resolves to false once the stream is
 * broken. Whoever holds a channel ends it, with `close`, `terminate` or `await using`.
 */
export class Channel implements AsyncDisposable {
  readonly wire: Wire;
  readonly connection: Connection;
  readonly handshake: Handshake;
  /** What is in force of permessage-deflate; undefined for nothing. */
  readonly deflate: NegotiatedDeflate | undefined;
  readonly #observe: ((bytes: Buffer) => void) | undefined;
  readonly #unreadLimit: number;
  #events: ConnectionEvent[] = [];
  #unreadBytes = 0;
  #wakeNext: (() => void) | undefined;
  #wakePump: (() => void) | undefined;
  /** The tail of the queue of writers; output waits while a raw stream is being written. */
  #writing: Promise<unknown> = Promise.resolve();
  #queuedFlush: Promise<boolean> | undefined;
  #finished = false;
  readonly #pumping: Promise<void>;

  constructor(options: ChannelOptions) {
    this.wire = options.wire;
    this.connection = options.connection;
    this.handshake = options.handshake;
    this.deflate = options.deflate;
    this.#observe = options.observe;
    this.#unreadLimit = options.unreadBytes ?? DEFAULT_UNREAD_BYTES;
    this.#pumping = this.#pump();
  }

  /** Whether the stream is over and every event has been taken. */
  get finished(): boolean {
    return this.#finished && this.#events.length === 0;
  }

  /** The next event; undefined when none came in time or none will ever come. */
  async next(timeoutMs: number): Promise<ConnectionEvent | undefined> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) {
        this.#unreadBytes -= sizeOf(event);
        this.#wakePump?.();
        return event;
      }
      const leftMs = deadline - performance.now();
      if (this.#finished || leftMs <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wakeNext = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  sendText(text: string | Uint8Array, options?: SendOptions): Promise<boolean> {
    return this.#send((connection) => connection.sendText(text, options));
  }

  sendBinary(data: Uint8Array, options?: SendOptions): Promise<boolean> {
    return this.#send((connection) => connection.sendBinary(data, options));
  }

  sendContinuation(
    data: string | Uint8Array,
    options?: { readonly fin?: boolean },
  ): Promise<boolean> {
    return this.#send((connection) => connection.sendContinuation(data, options));
  }

  sendPing(payload?: Uint8Array): Promise<boolean> {
    return this.#send((connection) => connection.sendPing(payload));
  }

  sendPong(payload?: Uint8Array): Promise<boolean> {
    return this.#send((connection) => connection.sendPong(payload));
  }

  sendClose(code?: number, reason?: string): Promise<boolean> {
    return this.#send((connection) => connection.sendClose(code, reason));
  }

  /**
   * Writes bytes past the connection, legal or not, one chunk after the other.
   *
   * What the connection itself wants to send waits until the last chunk is written, so that no pong
   * ends up inside a frame. Stops and resolves to false when the stream breaks, when the peer closes
   * or takes nothing for `stallMs`.
   */
  writeRaw(chunks: Uint8Array | RawChunks, stallMs?: number): Promise<boolean> {
    const pieces = chunks instanceof Uint8Array ? [chunks] : chunks;
    return this.#exclusively(async () => {
      for await (const piece of pieces) {
        if (this.connection.state === 'closed') return false;
        if (!(await this.wire.write([piece], stallMs))) return false;
      }
      return true;
    });
  }

  /** Writes what the connection wants to send, and ends our side when it says so. */
  flush(): Promise<boolean> {
    // One that waits for its turn will take along what was added since.
    this.#queuedFlush ??= this.#exclusively(async () => {
      this.#queuedFlush = undefined;
      const written = await this.wire.write(this.connection.output());
      if (this.connection.outputEnded) this.wire.end();
      return written;
    });
    return this.#queuedFlush;
  }

  /**
   * Closes in order: sends a close frame, waits for the peer's and for the end of the stream.
   *
   * Resolves to the close event, or to undefined when the peer did not finish in time. Events that
   * nobody has taken are thrown away.
   */
  async close(code = 1000, timeoutMs = 5000): Promise<ConnectionEvent | undefined> {
    const deadline = performance.now() + timeoutMs;
    void this.sendClose(code);
    let last: ConnectionEvent | undefined;
    while (!this.finished && performance.now() < deadline) {
      const event = await this.next(deadline - performance.now());
      if (event?.type === 'close') last = event;
    }
    this.terminate();
    await this.#pumping;
    return last;
  }

  /** Drops the stream at once. */
  terminate(): void {
    this.wire.destroy();
    this.#wakePump?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(1000, DISPOSE_TIMEOUT_MS);
  }

  async #pump(): Promise<void> {
    this.#drain();
    for (;;) {
      const received = await this.wire.read(PUMP_WAIT_MS);
      if (received === 'timeout') continue;
      if (received === 'eof') break;
      this.#observe?.(received);
      this.connection.receive(received);
      this.#drain();
      while (this.#overfull() && !this.wire.ended) {
        await new Promise<void>((resolve) => (this.#wakePump = resolve));
      }
    }
    this.connection.receiveEof();
    this.#finished = true;
    this.#drain();
  }

  /** Moves the connection's events here and has its output written. */
  #drain(): void {
    for (const event of this.connection.events()) {
      this.#events.push(event);
      this.#unreadBytes += sizeOf(event);
    }
    // Not awaited: reading goes on while the peer takes its time to read what we write.
    void this.flush();
    this.#wakeNext?.();
  }

  /** The peer may close at any time, so sending then is no mistake of the caller's. */
  #send(send: (connection: Connection) => void): Promise<boolean> {
    if (this.connection.state !== 'open') return Promise.resolve(false);
    send(this.connection);
    return this.flush();
  }

  #overfull(): boolean {
    return this.#unreadBytes > this.#unreadLimit || this.#events.length > MAX_UNREAD_EVENTS;
  }

  #exclusively<T>(write: () => Promise<T>): Promise<T> {
    const written = this.#writing.then(write);
    this.#writing = written.catch(() => undefined);
    return written;
  }
}

function sizeOf(event: ConnectionEvent): number {
  return 'data' in event ? event.data.length : 0;
}
