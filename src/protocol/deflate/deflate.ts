import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { violation } from '../violations.ts';
import type { Violation } from '../violations.ts';

/** The agreed parameters of permessage-deflate: RFC 7692 section 7.1. */
export interface NegotiatedDeflate {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  /** Base-2 logarithm of the LZ77 window the server compresses with: 8 to 15. */
  readonly serverMaxWindowBits: number;
  /** The same for the client. */
  readonly clientMaxWindowBits: number;
}

/** The agreed parameters for the messages of one side. */
export interface DeflateDirection {
  readonly takeover: boolean;
  readonly windowBits: number;
}

/** The agreed parameters for the messages that `sender` sends. */
export function directionOf(
  deflate: NegotiatedDeflate,
  sender: 'client' | 'server',
): DeflateDirection {
  return sender === 'client'
    ? { takeover: !deflate.clientNoContextTakeover, windowBits: deflate.clientMaxWindowBits }
    : { takeover: !deflate.serverNoContextTakeover, windowBits: deflate.serverMaxWindowBits };
}

/** The end of a sync flush, which RFC 7692 7.2.1 removes from a message and 7.2.2 adds again. */
const TAIL_BYTES = 4;

/**
 * The tail of section 7.2.2, and after it an empty final block: with that zlib reaches the end of a
 * stream exactly if the message was complete, so a truncated one is an error and not a short text.
 */
const FINAL_TAIL = Buffer.from('0000ffff' + '010000ffff', 'hex');

/**
 * Most blocks with BFINAL inside one message (section 7.2.1 allows them). Each makes zlib start
 * anew, so without a bound two bytes of such a message would cost more than any others.
 */
const MAX_RESTARTS = 64;

const EMPTY = Buffer.alloc(0);

/** Largest joining buffer that is kept between messages. */
const MAX_JOINT_BYTES = 1024 * 1024;

/**
 * The buffer in which messages are joined before inflation, shared by all connections: zlib does not
 * use it after its return. A new one for each message would be most of the garbage.
 */
let joint: Buffer = EMPTY;

/** The pieces of a message followed by the tail, in memory that the next call overwrites. */
function joinWithTail(pieces: readonly Buffer[]): Buffer {
  let length = FINAL_TAIL.length;
  for (const piece of pieces) length += piece.length;
  const target = jointOf(length);
  let at = 0;
  for (const piece of pieces) at += piece.copy(target, at);
  FINAL_TAIL.copy(target, at);
  return target.subarray(0, length);
}

function jointOf(length: number): Buffer {
  if (length > MAX_JOINT_BYTES) return Buffer.allocUnsafeSlow(length);
  if (length > joint.length) joint = Buffer.allocUnsafeSlow(Math.min(MAX_JOINT_BYTES, 2 * length));
  return joint;
}

/**
 * The LZ77 window between messages: each message is a synchronous zlib call, which has no memory.
 *
 * Messages are appended to a buffer of twice the window, so that the window is moved only once per
 * window length.
 */
class History {
  readonly #size: number;
  #bytes: Buffer = EMPTY;
  #start = 0;
  #end = 0;

  constructor(windowBits: number) {
    this.#size = 1 << windowBits;
  }

  /** The dictionary is a view that the next `push` may change: zlib has copied it by then. */
  get options(): { dictionary?: Buffer } {
    return this.#end === this.#start
      ? {}
      : { dictionary: this.#bytes.subarray(this.#start, this.#end) };
  }

  /** Copies `data`, which belongs to the receiver of the message. */
  push(data: Buffer): void {
    if (data.length === 0) return;
    if (this.#bytes.length === 0) this.#bytes = Buffer.allocUnsafe(2 * this.#size);
    const added = Math.min(data.length, this.#size);
    if (this.#end + added > this.#bytes.length) {
      const kept = Math.min(this.#end - this.#start, this.#size - added);
      this.#bytes.copyWithin(0, this.#end - kept, this.#end);
      this.#start = 0;
      this.#end = kept;
    }
    data.copy(this.#bytes, this.#end, data.length - added);
    this.#end += added;
    this.#start = Math.max(this.#start, this.#end - this.#size);
  }

  forget(): void {
    this.#start = 0;
    this.#end = 0;
  }
}

/** The minimum and default size of zlib's output pieces. */
const MIN_CHUNK = 64;
const DEFAULT_CHUNK = 16 * 1024;
const MAX_CHUNK = 256 * 1024;

/** A size of output pieces that wastes no memory on small messages and needs no joining of large ones. */
function chunkSizeFor(bytes: number): number {
  return Math.max(MIN_CHUNK, Math.min(MAX_CHUNK, bytes));
}

/** Compresses the messages one side sends, synchronously. */
export class Deflater {
  readonly #direction: DeflateDirection;
  readonly #windowBits: number;
  readonly #history: History;

  constructor(direction: DeflateDirection) {
    this.#direction = direction;
    // zlib refuses raw windows of 8 bits. With 9 bits its lookahead limits references to 250 bytes,
    // which is within a receiver's window of 256 bytes.
    this.#windowBits = Math.max(9, direction.windowBits);
    this.#history = new History(this.#windowBits);
  }

  /** Compresses a message or, if `fin` is false, the next fragment of one. */
  deflate(data: Buffer, fin: boolean): Buffer {
    const deflated = deflateRawSync(data, {
      ...this.#history.options,
      windowBits: this.#windowBits,
      finishFlush: constants.Z_SYNC_FLUSH,
      // Random data grows by five bytes per block of 16 KiB or more, and the flush adds five.
      chunkSize: chunkSizeFor(data.length + (data.length >>> 10) + 16),
    });
    if (fin && !this.#direction.takeover) this.#history.forget();
    else this.#history.push(data);
    return fin ? deflated.subarray(0, -TAIL_BYTES) : deflated;
  }
}

/** Inflates the peer's messages synchronously, up to a limit. */
export class Inflater {
  readonly #direction: DeflateDirection;
  readonly #history: History;
  readonly #limit: number;

  /** `limit` is the largest message in bytes. */
  constructor(direction: DeflateDirection, limit: number) {
    this.#direction = direction;
    this.#history = new History(direction.windowBits);
    this.#limit = limit;
  }

  /**
   * Inflates the payloads of one message: of one frame, or of all its frames in order.
   *
   * `expectedBytes` is its probable length; a good guess saves memory.
   */
  inflate(deflated: Buffer | readonly Buffer[], expectedBytes = DEFAULT_CHUNK): Buffer | Violation {
    const pieces = Buffer.isBuffer(deflated) ? [deflated] : deflated;
    // Strictly no DEFLATE stream, but zlib produces it for an empty message when it has nothing to
    // flush, so peers send it.
    if (pieces.every((piece) => piece.length === 0)) return EMPTY;
    let rest = joinWithTail(pieces);
    const parts: Buffer[] = [];
    let length = 0;
    for (let restarts = 0; rest.length > 0; restarts++) {
      if (restarts > MAX_RESTARTS) {
        return violation('WSK_INVALID_DEFLATE', {
          reason: `more than ${MAX_RESTARTS} final blocks`,
        });
      }
      const result = this.#inflatePart(rest, this.#limit - length, expectedBytes);
      if ('code' in result) return result;
      rest = rest.subarray(result.consumed);
      parts.push(result.data);
      length += result.data.length;
    }
    if (!this.#direction.takeover) this.#history.forget();
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, length);
  }

  /** Inflates up to the end of the first final block. */
  #inflatePart(
    bytes: Buffer,
    room: number,
    expectedBytes: number,
  ): { data: Buffer; consumed: number } | Violation {
    try {
      const { buffer, engine } = inflateRawSync(bytes, {
        ...this.#history.options,
        windowBits: this.#direction.windowBits,
        // zlib requires at least 1, which is one too many once the message has its full size.
        maxOutputLength: Math.max(room, 1),
        // One extra byte lets zlib detect the end of the message without another piece.
        chunkSize: chunkSizeFor(expectedBytes + 1),
        info: true,
      }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
      if (room === 0 && buffer.length > 0) return this.#tooBig();
      const consumed = engine.bytesWritten;
      // Without takeover, only a later part of the same message can refer back.
      if (this.#direction.takeover || consumed < bytes.length) this.#history.push(buffer);
      return { data: buffer, consumed };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return this.#tooBig();
      return violation('WSK_INVALID_DEFLATE', { reason: (error as Error).message });
    }
  }

  #tooBig(): Violation {
    return violation('WSK_MESSAGE_TOO_BIG', { length: this.#limit + 1, limit: this.#limit });
  }
}
