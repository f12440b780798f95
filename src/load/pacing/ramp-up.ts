import { now } from '../measure/clock.ts';
import { Connection } from '../socket/connection.ts';
import type { ConnectionHost } from '../socket/connection.ts';
import type { Dialer } from '../socket/dialer.ts';
import type { Failure } from '../measure/errors.ts';

/** Handshakes under way in one worker: more only fill the queue of the server. */
const MOST_OPENING = 256;
/** How often time-outs and the ramp are looked after, in milliseconds. */
const PERIOD_MS = 5;

export interface RampUpOptions {
  readonly dialer: Dialer;
  readonly host: ConnectionHost;
  readonly timeoutMs: number;
  /** The numbers of the connections, in the order in which they are opened. */
  readonly indices: readonly number[];
  /** Over how long they are to start. */
  readonly rampMs: number;
  /** Every connection was opened or failed. */
  readonly done: () => void;
}

/** Opens the connections of one worker, along the ramp or as fast as the server takes them. */
export class RampUp {
  readonly #options: RampUpOptions;
  /** Those whose handshake is under way, the oldest first. */
  readonly #opening = new Set<Connection>();
  #timer: NodeJS.Timeout | undefined;
  /** When the first started, in milliseconds on the common clock. */
  startMs = 0;
  #started = 0;
  #stopped = false;

  constructor(options: RampUpOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#stopped) return;
    this.startMs = now();
    this.#timer = setInterval(() => {
      this.#expire();
      this.#go();
    }, PERIOD_MS);
    this.#go();
  }

  /** Notes that `connection` opened or failed for good. */
  settled(connection: Connection): void {
    this.#opening.delete(connection);
    if (connection.isOpen) this.#options.dialer.opened(connection);
    this.#go();
  }

  /** Whether a connection that failed is tried again, as its port was taken. */
  retry(connection: Connection, failure: Failure): boolean {
    if (failure.kind !== 'ports' || this.#stopped) return false;
    if (!this.#options.dialer.canRetry(connection)) return false;
    this.#opening.delete(connection);
    this.#open(connection.index, connection.intendedMs, connection.startedMs);
    return true;
  }

  /** Starts no more, and drops those that are under way. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const connection of this.#opening) connection.reset();
    this.#opening.clear();
  }

  #go(): void {
    if (this.#stopped) return;
    const { indices, done } = this.#options;
    const time = now();
    while (
      this.#started < indices.length &&
      this.#opening.size < MOST_OPENING &&
      this.#dueMs(this.#started) <= time
    ) {
      const index = indices[this.#started] as number;
      const intendedMs = this.#dueMs(this.#started);
      this.#started++;
      this.#open(index, intendedMs, time);
    }
    if (this.#started < indices.length || this.#opening.size > 0) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    done();
  }

  #dueMs(position: number): number {
    const { indices, rampMs } = this.#options;
    return this.startMs + (rampMs * position) / indices.length;
  }

  #open(index: number, intendedMs: number, startedMs: number): void {
    const connection = new Connection(this.#options.host, { index, intendedMs, startedMs });
    this.#opening.add(connection);
    this.#options.host.opening(connection);
    this.#options.dialer.dial(connection);
  }

  #expire(): void {
    const { timeoutMs } = this.#options;
    const time = now();
    for (const connection of this.#opening) {
      if (time - connection.startedMs < timeoutMs) break;
      const text = `no answer to the opening handshake within ${timeoutMs} ms`;
      connection.abort({ kind: 'timeout', detail: 'handshake', text });
    }
  }
}
