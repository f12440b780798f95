import type { Socket } from 'node:net';
import { readOn } from './read-on.ts';

/** The result of a `read`: bytes, the end of the stream, or nothing in time. */
export type ReadResult = Buffer | 'eof' | 'timeout';

/**
 * A socket as a byte stream to read from.
 *
 * Until `read` is called, nothing is read from the kernel beyond Node's own buffer (64 KiB), which
 * bounds the memory that a peer can use. Writes report back-pressure through the promise. A socket
 * error never throws: it is kept in `error` and ends the stream, after what had arrived before.
 */
export class Wire implements AsyncDisposable {
  readonly socket: Socket;
  /** Why the stream broke; undefined while it is open or after a normal end. */
  error: NodeJS.ErrnoException | undefined;
  bytesReceived = 0;
  bytesSent = 0;
  #ended = false;
  #closed = false;
  /** Whether a write has failed; what the peer has sent can still be read. */
  #broken = false;
  readonly #wakeups = new Set<() => void>();
  readonly #unread: Buffer[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    // Nagle's algorithm would add to the measured latency of the peer.
    socket.setNoDelay(true);
    readOn(socket, (error) => {
      this.error ??= error;
      this.#broken = true;
      this.#wake();
    });
    socket.on('readable', this.#wake);
    socket.on('drain', this.#wake);
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('error', (error) => {
      this.error ??= error;
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#closed = true;
      this.#wake();
    });
  }

  /** Whether the peer has ended its side, normally or not. There may be unread bytes. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Waits for bytes. An ended stream returns its remaining bytes, then always `eof`. */
  async read(timeoutMs: number): Promise<ReadResult> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const chunk = this.#unread.shift() ?? (this.socket.read() as Buffer | null);
      if (chunk !== null) {
        this.bytesReceived += chunk.length;
        return chunk;
      }
      if (this.#ended) return 'eof';
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return 'timeout';
      await this.#changed(leftMs);
    }
  }

  /** Puts bytes back; the next `read` returns them first. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.bytesReceived -= bytes.length;
    this.#unread.unshift(bytes);
  }

  /**
   * Ends the use of the wire and returns the bytes that were put back: from now on the caller reads
   * the socket itself.
   */
  release(): Buffer {
    this.socket.off('readable', this.#wake).off('drain', this.#wake);
    return Buffer.concat(this.#unread.splice(0));
  }

  /**
   * Writes `chunks` at once and waits until the socket's buffer has space again.
   *
   * Resolves to false if the stream broke, or the peer did not read enough within `stallMs`.
   */
  async write(chunks: readonly Uint8Array[], stallMs = 30_000): Promise<boolean> {
    if (!this.socket.writable || !this.#takesOutput()) return false;
    this.socket.cork();
    for (const chunk of chunks) {
      this.bytesSent += chunk.byteLength;
      this.socket.write(chunk);
    }
    this.socket.uncork();
    const deadline = performance.now() + stallMs;
    while (this.socket.writableNeedDrain && this.#takesOutput()) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await this.#changed(leftMs);
    }
    return this.#takesOutput();
  }

  #takesOutput(): boolean {
    return !this.#closed && !this.#broken;
  }

  /** Ends this side; the peer may continue to send. */
  end(): void {
    if (this.socket.writable) this.socket.end();
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.socket.destroy();
  }

  /**
   * Discards input until the peer has ended its side, then drops the socket.
   *
   * Resolves to false if the peer did not end it in time.
   */
  async closed(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const bytes = await this.read(Math.max(0, deadline - performance.now()));
      if (typeof bytes === 'string') break;
    }
    const inTime = this.#ended;
    this.destroy();
    return inTime;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
    while (!this.#closed) await this.#changed(1000);
  }

  /** Resolves at the next event of the socket or after `timeoutMs`. */
  #changed(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#wakeups.delete(settle);
        resolve();
      };
      const timer = setTimeout(settle, timeoutMs);
      this.#wakeups.add(settle);
    });
  }

  readonly #wake = (): void => {
    for (const wakeup of [...this.#wakeups]) wakeup();
  };
}
