import type { Socket } from 'node:net';
import type { Wire } from '../../transport/index.ts';
import type { CaseConnection } from '../autobahn/connection.ts';

/** How long TCP may take to go away after what was written last is to be flushed. */
const FLUSH_MS = 1000;

/** Large messages are written in slices of this size, to see that the peer takes them. */
const SLICE_BYTES = 1024 * 1024;

/**
 * Runs a case on a socket whose handshake is done: passes bytes and the time to it until TCP is
 * gone. Resolves when the case has been told of that.
 */
export function drive(wire: Wire, connection: CaseConnection): Promise<void> {
  return new Promise((resolve) => {
    const driver = new Driver(wire.socket, connection, resolve);
    driver.start(wire.release());
  });
}

class Driver {
  readonly #socket: Socket;
  readonly #connection: CaseConnection;
  readonly #done: () => void;
  #timer: NodeJS.Timeout | undefined;
  #timerAt: number | undefined;
  #pumping = false;
  #finished = false;

  constructor(socket: Socket, connection: CaseConnection, done: () => void) {
    this.#socket = socket;
    this.#connection = connection;
    this.#done = done;
  }

  start(rest: Buffer): void {
    const socket = this.#socket;
    const connection = this.#connection;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#finish();
    });
    // No half-open connections: whoever ends its side is gone, as for Autobahn.
    socket.on('end', () => {
      socket.destroy();
      this.#finish();
    });
    connection.start(performance.now());
    this.#settle();
    if (rest.length > 0) this.#receive(rest);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    socket.resume();
    if (socket.destroyed || socket.readableEnded) this.#finish();
  }

  #receive(chunk: Buffer): void {
    // What is due is due, even if the event loop comes to it late: otherwise a race of two timers,
    // ours and the peer's, would be decided by who wakes up first.
    this.#connection.expire(performance.now());
    this.#connection.receive(chunk, performance.now());
    this.#settle();
  }

  /** Does what the connection asks for after every call. */
  #settle(): void {
    if (this.#finished) return;
    this.#write(this.#connection.drain());
    switch (this.#connection.drop) {
      case 'abort':
        this.#socket.destroy();
        return;
      case 'flush':
        this.#arm(performance.now() + FLUSH_MS);
        this.#socket.destroySoon();
        return;
      case undefined:
        this.#arm(this.#connection.nextTimerAt);
        this.#keepPumping();
    }
  }

  #write(chunks: readonly Buffer[]): void {
    if (!this.#socket.writable) return;
    const [first] = chunks;
    if (first === undefined) return;
    // One write for many small frames; a single one goes out without a copy.
    const bytes = chunks.length === 1 ? first : Buffer.concat(chunks);
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      const slice = bytes.subarray(at, at + SLICE_BYTES);
      if (bytes.length <= SLICE_BYTES) this.#socket.write(slice);
      else this.#socket.write(slice, this.#touch);
    }
  }

  /** A slice of a large message is out: a slow peer takes its time, but it is not idle. */
  readonly #touch = (): void => {
    this.#connection.touch(performance.now());
  };

  #arm(at: number | undefined): void {
    if (at === this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === undefined) return;
    const delayMs = Math.max(0, Math.ceil(at - performance.now()));
    this.#timer = setTimeout(() => {
      this.#timerAt = undefined;
      if (this.#connection.drop === 'flush') {
        this.#socket.destroy();
        return;
      }
      this.#connection.expire(performance.now());
      this.#settle();
    }, delayMs);
  }

  #keepPumping(): void {
    if (this.#pumping || !this.#connection.hasQueued) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#connection.pump(performance.now());
      this.#settle();
    });
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    clearTimeout(this.#timer);
    this.#connection.expire(performance.now());
    this.#connection.lost(performance.now());
    this.#done();
  }
}
