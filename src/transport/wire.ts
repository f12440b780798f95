import type { Socket } from 'node:net';

/** What one `read` brought: some bytes, the end of the stream, or nothing in time. */
export type ReadResult = Buffer | 'eof' | 'timeout';

/**
 * A byte stream with a pull face: the only place that listens to a socket.
 *
 * Nothing is read from the kernel beyond Node's own buffer (64 KiB) until `read` is called, so a
 * peer cannot make this side hold more than that. Writes report back-pressure through the promise.
 * A socket error never throws: it ends the stream and stays in `error`.
 */
export class Wire implements AsyncDisposable {
  readonly socket: Socket;
  /** Why the stream broke; undefined while it lives or when it ended in order. */
  error: NodeJS.ErrnoException | undefined;
  bytesReceived = 0;
  bytesSent = 0;
  #ended = false;
  #closed = false;
  readonly #wakeups = new Set<() => void>();
  readonly #unread: Buffer[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    // Without delay: a latency that includes Nagle's algorithm says nothing about the peer.
    socket.setNoDelay(true);
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

  /** Whether the peer has ended its side, in order or not. Unread bytes may still be there. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Waits for bytes. An ended stream gives what is left, then `eof` for ever. */
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

  /** Gives bytes back; the next `read` returns them first. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.bytesReceived -= bytes.length;
    this.#unread.unshift(bytes);
  }

  /**
   * Writes `chunks` in one go and waits until the kernel has room for more.
   *
   * Resolves to false when the stream broke, or when the peer did not take it all in `stallMs`.
   */
  async write(chunks: readonly Uint8Array[], stallMs = 30_000): Promise<boolean> {
    if (!this.socket.writable) return false;
    this.socket.cork();
    for (const chunk of chunks) {
      this.bytesSent += chunk.byteLength;
      this.socket.write(chunk);
    }
    this.socket.uncork();
    const deadline = performance.now() + stallMs;
    while (this.socket.writableNeedDrain && !this.#closed) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) return false;
      await this.#changed(leftMs);
    }
    return !this.#closed;
  }

  /** Ends this side; the peer may go on sending. */
  end(): void {
    if (this.socket.writable) this.socket.end();
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.socket.destroy();
  }

  /**
   * Throws away what still comes until the peer has ended its side, then drops the socket.
   *
   * Resolves to false when the peer did not end it in time.
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
