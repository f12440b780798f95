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

/** The opening handshake of a channel. */
export interface Handshake {
  readonly requestHead: RequestHead;
  readonly responseHead: ResponseHead;
  /** The result of every rule about the peer's head. */
  readonly rules: readonly RuleResult[];
  /** The subprotocol in use. */
  readonly protocol: string | null;
  /** Sec-WebSocket-Extensions of the response; empty for none. */
  readonly extensions: string;
}

export interface ChannelOptions {
  readonly wire: Wire;
  readonly connection: Connection;
  readonly handshake: Handshake;
  /** The agreed permessage-deflate. */
  readonly deflate?: NegotiatedDeflate | undefined;
  /** Called with all input, before the connection processes it. */
  readonly observe?: ((bytes: Buffer) => void) | undefined;
  /** Bytes of unread events above which nothing more is read from the peer. Default 16 MiB. */
  readonly unreadBytes?: number;
}

const DEFAULT_UNREAD_BYTES = 16 * 1024 * 1024;

/** Unread events above which nothing more is read, whatever their size. */
const MAX_UNREAD_EVENTS = 10_000;

/** Length of one wait of the pump; any value works. */
const PUMP_WAIT_MS = 60_000;

/** Time for the closing handshake when a channel is disposed of. */
const DISPOSE_TIMEOUT_MS = 250;

/** Bytes to write piece by piece; an async iterable may wait between pieces. */
export type RawChunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * A protocol `Connection` on a `Wire`: reads, answers pings and closes by itself.
 *
 * Take events with `next`. While unread events exceed a limit, nothing more is read: the peer gets
 * back-pressure, and its pings wait. Every `send` resolves to false once the stream is broken. The
 * owner ends a channel by `close`, `terminate` or `await using`.
 */
export class Channel implements AsyncDisposable {
  readonly wire: Wire;
  readonly connection: Connection;
  readonly handshake: Handshake;
  /** The agreed permessage-deflate; undefined for none. */
  readonly deflate: NegotiatedDeflate | undefined;
  readonly #observe: ((bytes: Buffer) => void) | undefined;
  readonly #unreadLimit: number;
  #events: ConnectionEvent[] = [];
  #unreadBytes = 0;
  #wakeNext: (() => void) | undefined;
  #wakePump: (() => void) | undefined;
  /** The end of the queue of writers; output waits while raw bytes are written. */
  #writing: Promise<unknown> = Promise.resolve();
  #queuedFlush: Promise<boolean> | undefined;
  #finished = false;
  #terminated = false;
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

  /** Whether the stream has ended and every event has been taken. */
  get finished(): boolean {
    return this.#finished && this.#events.length === 0;
  }

  /** The next event; undefined if none comes in time or the stream has ended. */
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
   * Writes bytes, legal or not, without the connection, one chunk after the other.
   *
   * Output of the connection waits until the last chunk is written, so that no pong gets inside a
   * frame. Resolves to false when the stream breaks, or when the peer closes or reads nothing for
   * `stallMs`.
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

  /** Writes the output of the connection, and ends this side when the connection requires it. */
  flush(): Promise<boolean> {
    // A flush in the queue will also write what was added since.
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
   * Resolves to the close event, or to undefined if the peer did not finish in time. Unread events
   * are dropped.
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
    this.#terminated = true;
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
      while (this.#overfull() && !this.#terminated && !this.wire.ended) {
        await new Promise<void>((resolve) => (this.#wakePump = resolve));
      }
    }
    this.connection.receiveEof();
    this.#finished = true;
    this.#drain();
  }

  /** Takes the connection's events and writes its output. */
  #drain(): void {
    for (const event of this.connection.events()) {
      this.#events.push(event);
      this.#unreadBytes += sizeOf(event);
    }
    // Not awaited: reading continues while the peer is slow to read.
    void this.flush();
    this.#wakeNext?.();
  }

  /** The peer may close at any time, so sending after that is no misuse. */
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
