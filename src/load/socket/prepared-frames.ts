import { encodeFrame } from '../../protocol/index.ts';
import type { MessagePlan, UniformSize } from '../plan.ts';
import { createRandom, maskingKey } from '../random.ts';

/**
 * The slot at the start of a payload identifies the message: 3 bytes for the connection, 5 for the
 * sequence number, 6 bits in each, from the character `0` on, so that they are legal in a text.
 */
export const SLOT_BYTES = 8;

const ZERO = 0x30;
/** Sequence numbers have 30 bits and start again at 0. */
export const SEQUENCE_MASK = 0x3fff_ffff;
/** Connections have 18 bits, to recognise a reply that belongs to another connection. */
export const CONNECTION_MASK = 0x3_ffff;

/** How many frames are prepared, within a limit of bytes. */
const MOST_FRAMES = 1024;
const FEWEST_FRAMES = 4;
const PREPARED_BYTES = 4 * 1024 * 1024;

/** Up to this length a loop is faster than `Buffer.compare`. */
const SHORT_BYTES = 96;

/**
 * Masked frames in a row, ready to be sent: each with a random masking key of its own, all with the
 * same payload, cut to the size of the frame. To send one, the eight bytes of its slot are written;
 * to send several, one piece of the row goes out in one write.
 */
export class PreparedFrames {
  /** Whether payloads begin with a slot; if not, replies are matched by their order. */
  readonly slotted: boolean;
  readonly count: number;
  /** Payload bytes of each frame. */
  readonly lengths: Int32Array;
  /** Where each frame starts; the last is the end of all. */
  readonly starts: Int32Array;
  readonly #payload: Buffer;
  #bytes: Buffer;
  /** Views of single frames, made when first sent. */
  #views: (Buffer | undefined)[] = [];
  #cursor = 0;

  constructor(plan: MessagePlan, seed: number) {
    const random = createRandom(seed);
    const sample = plan.size.kind === 'sample' ? Buffer.from(plan.size.base64, 'base64') : null;
    const most = sample?.length ?? largestSize(plan);
    this.count = Math.max(
      FEWEST_FRAMES,
      Math.min(MOST_FRAMES, Math.floor(PREPARED_BYTES / (most + 14))),
    );
    this.#payload = sample ?? randomPayload(most, plan.opcode, random);
    this.lengths =
      plan.size.kind === 'uniform'
        ? uniformSizes(plan.size, this.count, random)
        : new Int32Array(this.count).fill(most);
    this.slotted = sample === null && this.lengths.every((length) => length >= SLOT_BYTES);
    const encoded = Array.from(this.lengths, (length) =>
      encodeFrame({
        opcode: plan.opcode,
        payload: this.#payload.subarray(0, length),
        maskingKey: maskingKey(),
      }),
    );
    this.starts = new Int32Array(this.count + 1);
    for (const [index, frame] of encoded.entries()) {
      this.starts[index + 1] = (this.starts[index] as number) + frame.length;
    }
    this.#bytes = Buffer.concat(encoded);
  }

  /** Takes the next `count` frames in a row, at most all of them; returns the first. */
  take(count: number): number {
    const first = this.#cursor + count > this.count ? 0 : this.#cursor;
    this.#cursor = first + count;
    return first;
  }

  /** Size of one frame, header included. */
  frameBytes(frame: number): number {
    return (this.starts[frame + 1] as number) - (this.starts[frame] as number);
  }

  /** Writes the slot of one frame, masked. */
  stamp(frame: number, connection: number, sequence: number): void {
    if (!this.slotted) return;
    const bytes = this.#bytes;
    const at = (this.starts[frame + 1] as number) - (this.lengths[frame] as number);
    const key0 = bytes[at - 4] as number;
    const key1 = bytes[at - 3] as number;
    const key2 = bytes[at - 2] as number;
    const key3 = bytes[at - 1] as number;
    bytes[at] = key0 ^ (ZERO + ((connection >> 12) & 63));
    bytes[at + 1] = key1 ^ (ZERO + ((connection >> 6) & 63));
    bytes[at + 2] = key2 ^ (ZERO + (connection & 63));
    bytes[at + 3] = key3 ^ (ZERO + ((sequence >> 24) & 63));
    bytes[at + 4] = key0 ^ (ZERO + ((sequence >> 18) & 63));
    bytes[at + 5] = key1 ^ (ZERO + ((sequence >> 12) & 63));
    bytes[at + 6] = key2 ^ (ZERO + ((sequence >> 6) & 63));
    bytes[at + 7] = key3 ^ (ZERO + (sequence & 63));
  }

  /** The bytes of `count` frames from `first` on; they are overwritten when they are taken again. */
  view(first: number, count: number): Buffer {
    const known = count === 1 ? this.#views[first] : undefined;
    if (known !== undefined) return known;
    const view = this.#bytes.subarray(this.starts[first], this.starts[first + count]);
    if (count === 1) this.#views[first] = view;
    return view;
  }

  /** Continues with a copy: the bytes handed out so far are still to be sent. */
  renew(): void {
    this.#bytes = Buffer.from(this.#bytes);
    this.#views = [];
  }

  /**
   * Whether `bytes` are the payload of `frame` with this slot. Parameters in place of an object:
   * this is called for each reply.
   */
  matches(
    frame: number,
    connection: number,
    sequence: number,
    bytes: Buffer,
    from: number,
    to: number,
  ): boolean {
    if (to - from !== this.lengths[frame]) return false;
    if (!this.slotted) return this.hasContent(bytes, from, to, 0);
    return (
      bytes[from + 7] === ZERO + (sequence & 63) &&
      bytes[from + 6] === ZERO + ((sequence >> 6) & 63) &&
      bytes[from + 5] === ZERO + ((sequence >> 12) & 63) &&
      bytes[from + 4] === ZERO + ((sequence >> 18) & 63) &&
      bytes[from + 3] === ZERO + ((sequence >> 24) & 63) &&
      bytes[from + 2] === ZERO + (connection & 63) &&
      bytes[from + 1] === ZERO + ((connection >> 6) & 63) &&
      bytes[from] === ZERO + ((connection >> 12) & 63) &&
      this.hasContent(bytes, from, to, 0)
    );
  }

  /** Whether `bytes` are the payload from `position` on, whatever stands in the slot. */
  hasContent(bytes: Buffer, from: number, to: number, position: number): boolean {
    const payload = this.#payload;
    const skipped = this.slotted ? Math.max(0, SLOT_BYTES - position) : 0;
    let at = from + skipped;
    if (at >= to) return true;
    let own = position + skipped;
    if (own + to - at > payload.length) return false;
    if (to - at > SHORT_BYTES) return payload.compare(bytes, at, to, own, own + to - at) === 0;
    for (; at < to; at++, own++) if (bytes[at] !== payload[own]) return false;
    return true;
  }
}

/** The connection of a slot; -1 if the bytes are not a slot. */
export function slotConnection(bytes: Buffer, from: number): number {
  return readDigits(bytes, from, from + 3);
}

/** The sequence number of a slot; -1 if the bytes are not a slot. */
export function slotSequence(bytes: Buffer, from: number): number {
  return readDigits(bytes, from + 3, from + SLOT_BYTES);
}

function readDigits(bytes: Buffer, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 63) return -1;
    value = (value << 6) | digit;
  }
  return value;
}

function largestSize({ size }: MessagePlan): number {
  if (size.kind === 'sample') return Buffer.byteLength(size.base64, 'base64');
  return size.kind === 'fixed' ? size.bytes : size.max;
}

/** Random letters and digits for a text, else random bytes, so that nothing can be compressed. */
function randomPayload(bytes: number, opcode: 1 | 2, random: () => number): Buffer {
  const payload = Buffer.alloc(bytes);
  for (let i = 0; i < bytes; i++) {
    payload[i] = opcode === 1 ? LETTERS.charCodeAt(random() * LETTERS.length) : random() * 256;
  }
  return payload;
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** One size out of each of `count` equal parts of the range, shuffled: their mean is the range's. */
function uniformSizes(range: UniformSize, count: number, random: () => number): Int32Array {
  const sizes = Int32Array.from({ length: count }, (_, i) =>
    Math.floor(range.min + ((i + random()) / count) * (range.max - range.min + 1)),
  );
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    const size = sizes[i] as number;
    sizes[i] = sizes[other] as number;
    sizes[other] = size;
  }
  return sizes;
}
