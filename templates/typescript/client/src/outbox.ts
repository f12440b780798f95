import { after, ClientError, limitsOf, randomId } from './messages.ts';
import type { Ack } from './messages.ts';

export interface QueueLimits {
  readonly maxMessages?: number;
  readonly maxBytes?: number;
  readonly maxAgeMs?: number;
  /** `drop-oldest` refuses the oldest, `drop-new` and `reject` the new one. */
  readonly whenFull?: 'drop-oldest' | 'drop-new' | 'reject';
}

export interface OutboxOptions {
  /** What waits for a connection, or for the network to take it. */
  readonly queue?: QueueLimits;
  /** How long the server has to answer. */
  readonly ackTimeoutMs?: number;
  /** While more bytes wait in the socket, nothing is handed to it. */
  readonly highWaterMark?: number;
  /** The server refuses a larger message and closes the connection. */
  readonly maxMessageBytes?: number;
  /** How long the server knows a message by its id; later it is not sent again. */
  readonly resendWithinMs?: number;
}

export interface SendOptions {
  /** Default: random. The same id is published once. */
  readonly id?: string;
  readonly signal?: AbortSignal;
  readonly ackTimeoutMs?: number;
}

/** What the outbox needs of the client. */
export interface Wire {
  /** For good: nothing is taken. */
  readonly isClosed: () => boolean;
  /** Whether messages of `stream` can be sent now. */
  readonly isReady: (stream: string) => boolean;
  readonly buffered: () => number;
  readonly send: (text: string) => boolean;
}

interface Entry {
  readonly id: string;
  readonly stream: string;
  readonly text: string;
  readonly bytes: number;
  readonly ackTimeoutMs: number;
  readonly addedAt: number;
  firstSentAt: number | undefined;
  isSent: boolean;
  readonly settle: (result: Ack | ClientError) => void;
  stopTimer: () => void;
}

const LIMITS = {
  maxMessages: 1000,
  maxBytes: 1 << 20,
  maxAgeMs: 60_000,
  ackTimeoutMs: 10_000,
  highWaterMark: 1 << 16,
  maxMessageBytes: 65_536,
  resendWithinMs: 100_000,
};
const POLL_MS = 20;

/** The code for a message that finds no room. */
const WHEN_FULL = { 'drop-oldest': 'queue_full', reject: 'queue_full', 'drop-new': 'dropped' };

/** Messages from `publish` until the server has answered, in order. */
export class Outbox {
  readonly #entries = new Map<string, Entry>();
  readonly #wire: Wire;
  readonly #limits: typeof LIMITS;
  readonly #whenFull: keyof typeof WHEN_FULL;
  /** Of the entries that are not sent. */
  #count = 0;
  #bytes = 0;
  #stopPoll = (): void => undefined;

  constructor(options: OutboxOptions, wire: Wire) {
    this.#limits = limitsOf(LIMITS, { ...options, ...options.queue });
    this.#whenFull = options.queue?.whenFull ?? 'drop-oldest';
    if (!Object.hasOwn(WHEN_FULL, this.#whenFull)) throw new TypeError('whenFull');
    this.#wire = wire;
  }

  /**
   * Sends `command` with an id as soon as it can be sent; the answer of the server.
   *
   * Rejects with a `ClientError` whose code says why.
   */
  add(stream: string, command: object, options: SendOptions = {}): Promise<Ack> {
    const { id = randomId(), signal, ackTimeoutMs = this.#limits.ackTimeoutMs } = options;
    return new Promise((resolve, reject) => {
      const text = JSON.stringify({ ...command, id });
      const bytes = new TextEncoder().encode(text).length;
      const refusal = signal?.aborted ? aborted(signal) : this.#refusal(id, bytes);
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      const abort = (): void => this.#settle(entry, aborted(signal));
      const entry: Entry = {
        ...{ id, stream, text, bytes, ackTimeoutMs },
        addedAt: performance.now(),
        firstSentAt: undefined,
        isSent: false,
        settle: (result) => {
          signal?.removeEventListener('abort', abort);
          if (result instanceof ClientError) reject(result);
          else resolve(result);
        },
        stopTimer: () => undefined,
      };
      signal?.addEventListener('abort', abort);
      this.#entries.set(id, entry);
      this.#wait(entry);
      this.flush();
    });
  }

  /** Why a message cannot be taken; makes room for it where that is wanted. */
  #refusal(id: string, bytes: number): ClientError | undefined {
    const { maxMessages, maxBytes, maxMessageBytes } = this.#limits;
    if (this.#wire.isClosed()) return new ClientError('closed', 'closed');
    if (this.#entries.has(id)) return new ClientError('bad_message', `${id} is being sent`);
    if (bytes > maxMessageBytes) {
      return new ClientError('too_big', `${bytes} bytes`);
    }
    const isFull = (): boolean => this.#count >= maxMessages || this.#bytes + bytes > maxBytes;
    if (this.#whenFull === 'drop-oldest' && bytes <= maxBytes) {
      for (const entry of this.#entries.values()) {
        if (!isFull()) break;
        if (!entry.isSent) this.#settle(entry, unsent(entry, 'dropped', 'newer ones came'));
      }
    }
    if (!isFull()) return undefined;
    return new ClientError(WHEN_FULL[this.#whenFull], `${this.#count} wait`);
  }

  /** It is not sent: it expires, and after a first attempt its outcome is unknown. */
  #wait(entry: Entry): void {
    this.#count++;
    this.#bytes += entry.bytes;
    entry.stopTimer();
    entry.stopTimer = after(this.#leftMs(entry), () => this.#settle(entry, overdue(entry)));
  }

  #leftMs({ addedAt, firstSentAt }: Entry): number {
    const { maxAgeMs, resendWithinMs } = this.#limits;
    const end = firstSentAt === undefined ? addedAt + maxAgeMs : firstSentAt + resendWithinMs;
    return Math.max(0, end - performance.now());
  }

  /** Sends what can be sent. */
  flush(): void {
    this.#stopPoll();
    for (const entry of this.#entries.values()) {
      if (entry.isSent || !this.#wire.isReady(entry.stream)) continue;
      const isFull = this.#wire.buffered() >= this.#limits.highWaterMark;
      if (isFull || this.#entries.size - this.#count >= this.#limits.maxMessages) {
        // No browser says when its buffer is empty.
        this.#stopPoll = after(POLL_MS, () => this.flush());
        return;
      }
      // Timers of a page that sleeps are late.
      if (this.#leftMs(entry) === 0) this.#settle(entry, overdue(entry));
      else if (this.#wire.send(entry.text)) this.#sent(entry);
    }
  }

  #sent(entry: Entry): void {
    entry.isSent = true;
    entry.firstSentAt ??= performance.now();
    this.#count--;
    this.#bytes -= entry.bytes;
    entry.stopTimer();
    entry.stopTimer = after(entry.ackTimeoutMs, () => {
      this.#settle(entry, new ClientError('timeout', 'no answer'));
    });
  }

  /** An answer of the server; false when nothing waits for it. */
  answer(id: unknown, result: Ack | ClientError): boolean {
    const entry = this.#entries.get(id as string);
    if (!entry?.isSent) return false;
    this.#settle(entry, result);
    this.flush();
    return true;
  }

  /** The connection is gone: what has no answer is sent again, or its outcome is unknown. */
  lost(canResume: boolean): void {
    this.#stopPoll();
    if (!canResume) this.forget();
    for (const entry of this.#entries.values()) {
      if (!entry.isSent) continue;
      entry.isSent = false;
      this.#wait(entry);
    }
  }

  /** The server has lost its memory: it would not know that it has published them. */
  forget(stream?: string): void {
    for (const entry of this.#entries.values()) {
      const isMeant = stream === undefined || entry.stream === stream;
      if (isMeant && entry.firstSentAt !== undefined) this.#settle(entry, unknownOutcome());
    }
  }

  close(): void {
    this.#stopPoll();
    for (const entry of this.#entries.values()) {
      this.#settle(entry, unsent(entry, 'closed', 'closed'));
    }
  }

  #settle(entry: Entry, result: Ack | ClientError): void {
    if (!this.#entries.delete(entry.id)) return;
    if (!entry.isSent) {
      this.#count--;
      this.#bytes -= entry.bytes;
    }
    entry.stopTimer();
    entry.settle(result);
  }
}

function overdue(entry: Entry): ClientError {
  return unsent(entry, 'expired', 'not sent in time');
}

/** The error for what is not sent any more; it may have been sent before. */
function unsent({ firstSentAt }: Entry, code: string, message: string): ClientError {
  return firstSentAt === undefined ? new ClientError(code, message) : unknownOutcome();
}

function unknownOutcome(): ClientError {
  return new ClientError('unknown_outcome', 'connection lost');
}

function aborted(signal?: AbortSignal): ClientError {
  return new ClientError('aborted', 'aborted', { cause: signal?.reason });
}
