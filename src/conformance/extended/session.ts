import { inflateRawSync } from 'node:zlib';
import { Inflater, directionOf, violation } from '../../protocol/index.ts';
import type { NegotiatedDeflate, Violation } from '../../protocol/index.ts';
import type { Wire } from '../../transport/index.ts';
import type { CaseLog } from '../wire/frame-log.ts';
import type { ExchangeScript } from '../script.ts';
import { Conn } from '../wire/connection.ts';

/** Bytes that one message of the peer may inflate to. */
const MAX_INFLATED = 1024 * 1024;

/** The tail of RFC 7692 7.2.2, and an empty final block: zlib then reaches the end of the stream. */
const FINAL_TAIL = Buffer.from('0000ffff010000ffff', 'hex');

export interface SessionOptions {
  readonly script: ExchangeScript;
  readonly wire: Wire;
  readonly role: 'client' | 'server';
  readonly log: CaseLog;
}

/** One connection of a case: its frames, and permessage-deflate once that is agreed on. */
export class Session {
  readonly conn: Conn;
  readonly #script: ExchangeScript;
  readonly #peer: 'client' | 'server';
  #inflater: Inflater | undefined;

  constructor({ script, wire, role, log }: SessionOptions) {
    this.#script = script;
    this.#peer = role === 'client' ? 'server' : 'client';
    this.conn = new Conn({
      wire,
      role,
      log,
      ownReply: script.ownReply,
      inflate: script.opening.deflate === undefined ? undefined : (pieces) => this.#inflate(pieces),
    });
  }

  /**
   * permessage-deflate is in force from here on, if it was agreed on.
   *
   * Returns what the case needs of it and does not get.
   */
  compress(deflate: NegotiatedDeflate | undefined): string | undefined {
    const terms = this.#script.opening.deflate;
    if (terms === undefined) return undefined;
    if (deflate === undefined) return 'does not speak permessage-deflate on the terms of this case';
    const own = directionOf(deflate, this.#peer === 'client' ? 'server' : 'client');
    if (terms.needs?.takeover === true && !own.takeover) {
      return 'wants the tester to forget its window, which this case has to keep';
    }
    if (own.windowBits < (terms.needs?.windowBits ?? 0)) {
      return `gives the tester a window of ${own.windowBits} bits, too small for this case`;
    }
    this.#inflater = new Inflater(directionOf(deflate, this.#peer), MAX_INFLATED);
    return undefined;
  }

  #inflate(pieces: readonly Buffer[]): Buffer | Violation {
    if (this.#inflater === undefined) {
      return violation('WSK_INVALID_DEFLATE', { reason: 'permessage-deflate is not in force' });
    }
    const { windowBits } = this.#script;
    const tooWide = windowBits === undefined ? undefined : findWideWindow(pieces, windowBits);
    const inflated = tooWide ?? this.#inflater.inflate(pieces);
    // A bomb that comes back is not a violation of the peer; nothing of it is kept.
    return !Buffer.isBuffer(inflated) && inflated.code === 'WSK_MESSAGE_TOO_BIG'
      ? Buffer.alloc(0)
      : inflated;
  }
}

/** 7.1.2: who agreed to a window MUST NOT refer back further than it is large. */
function findWideWindow(pieces: readonly Buffer[], windowBits: number): Violation | undefined {
  try {
    inflateRawSync(Buffer.concat([...pieces, FINAL_TAIL]), {
      windowBits,
      maxOutputLength: MAX_INFLATED,
      // The smallest: zlib looks at the size of the window only between two pieces of its output.
      chunkSize: 64,
    });
    return undefined;
  } catch (error) {
    const reason = `with the agreed window of ${1 << windowBits} bytes: ${(error as Error).message}`;
    return violation('WSK_INVALID_DEFLATE', { reason }, '7692#7.1.2');
  }
}

/** Milliseconds a case may take beside what its own script waits for. */
const GUARD_MS = 15_000;

/** Ends a case that its own timers did not end, by dropping its connection. */
export class Guard implements Disposable {
  /** Why the case was ended; null if it ended by itself. */
  reason: string | null = null;
  readonly #timer: NodeJS.Timeout;

  constructor(wire: Wire, scriptMs: number) {
    const limitMs = GUARD_MS + scriptMs;
    this.#timer = setTimeout(() => {
      this.reason = `the case did not come to an end within ${limitMs / 1000} seconds, the peer kept it busy`;
      wire.destroy();
    }, limitMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
