import { FrameHeader, minimalLengthBytes, writeHeader } from './frame-header.ts';
import type { LengthBytes } from './frame-header.ts';
import { resolveLimits } from '../limits.ts';
import { maskRange, packKey } from './mask.ts';
import { violation } from '../violations.ts';
import type { Violation } from '../violations.ts';

/** One frame as it was on the wire, its payload unmasked. */
export interface Frame {
  readonly fin: boolean;
  readonly rsv1: boolean;
  readonly rsv2: boolean;
  readonly rsv3: boolean;
  readonly opcode: number;
  /** The four octets of the key; undefined for an unmasked frame. */
  readonly maskingKey: Buffer | undefined;
  readonly payload: Buffer;
  /** Width of the extended length field, which a peer may have chosen too large. */
  readonly lengthBytes: LengthBytes;
  /** Header and payload together. */
  readonly wireBytes: number;
}

/** A frame to encode, legal or not. */
export interface FrameInit {
  readonly opcode: number;
  readonly payload?: Uint8Array;
  /** True if absent. */
  readonly fin?: boolean;
  readonly rsv1?: boolean;
  readonly rsv2?: boolean;
  readonly rsv3?: boolean;
  /** Four octets; their presence makes a masked frame. */
  readonly maskingKey?: Uint8Array;
  /** Forces the width of the length field, also to a longer one than section 5.2 allows. */
  readonly lengthBytes?: LengthBytes;
  /** The length to announce in place of the payload's; up to 2^64 - 1 as a bigint. */
  readonly declaredLength?: number | bigint;
}

/**
 * Encodes a frame, legal or not: conformance tests send what a `Connection` would refuse.
 *
 * The payload is copied. Throws a RangeError for fields that do not fit their bits.
 */
export function encodeFrame(init: FrameInit): Buffer {
  const frame = Buffer.allocUnsafe(MAX_HEADER_BYTES + (init.payload?.length ?? 0));
  return frame.subarray(0, encodeFrameInto(frame, 0, init));
}

/** Most octets of a header: two, a length of eight and a key (section 5.2). */
export const MAX_HEADER_BYTES = 14;

const NO_PAYLOAD = new Uint8Array(0);

/**
 * As `encodeFrame`, into memory of the caller's, and returns where the frame ends. There has to be
 * room for `MAX_HEADER_BYTES` and the payload from `start` on.
 */
export function encodeFrameInto(frame: Buffer, start: number, init: FrameInit): number {
  const payload = init.payload ?? NO_PAYLOAD;
  const length = init.declaredLength ?? payload.length;
  const lengthBytes = init.lengthBytes ?? minimalLengthBytes(Number(length));
  checkFields(init, length, lengthBytes);
  const masked = init.maskingKey !== undefined;
  const first =
    (init.fin === false ? 0 : 0x80) |
    (init.rsv1 === true ? 0x40 : 0) |
    (init.rsv2 === true ? 0x20 : 0) |
    (init.rsv3 === true ? 0x10 : 0) |
    init.opcode;
  let at = writeHeader(frame, start, { first, length, lengthBytes, masked });
  if (init.maskingKey !== undefined) {
    frame.set(init.maskingKey, at);
    at += 4;
  }
  frame.set(payload, at);
  const end = at + payload.length;
  if (init.maskingKey !== undefined) maskRange(frame, at, end, packKey(init.maskingKey, 0));
  return end;
}

function checkFields(init: FrameInit, length: number | bigint, lengthBytes: LengthBytes): void {
  if (!Number.isInteger(init.opcode) || init.opcode < 0 || init.opcode > 15) {
    throw new RangeError(`opcode is ${init.opcode}, expected 0 to 15`);
  }
  if (init.maskingKey !== undefined && init.maskingKey.length !== 4) {
    throw new RangeError(`masking key has ${init.maskingKey.length} bytes, expected 4`);
  }
  const limit = lengthBytes === 0 ? 125n : lengthBytes === 2 ? 0xffffn : 0xffff_ffff_ffff_ffffn;
  if (BigInt(length) < 0n || BigInt(length) > limit) {
    throw new RangeError(`length ${length.toString()} does not fit the length field`);
  }
}

/**
 * Decodes frames from bytes in any pieces: `receive`, then `next` until it returns undefined.
 *
 * Illegal frames are returned as they are. Only a frame above the limit is refused: it sets
 * `violation`, and no more frames follow.
 */
export class FrameDecoder {
  readonly #limit: number;
  readonly #header = new FrameHeader();
  #buffered: Buffer = Buffer.alloc(0);
  /** The part of `#buffered` that is in use. */
  #start = 0;
  #end = 0;
  #violation: Violation | undefined;

  constructor(limits: { readonly frameBytes?: number } = {}) {
    this.#limit = resolveLimits(limits).frameBytes;
  }

  /** Set once a frame announced more than the limit. */
  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** Bytes that belong to no decoded frame yet. */
  get bufferedBytes(): number {
    return this.#end - this.#start;
  }

  /** Copies `bytes`. */
  receive(bytes: Uint8Array): void {
    if (this.#violation !== undefined) return;
    const needed = this.bufferedBytes + bytes.length;
    if (this.#end + bytes.length > this.#buffered.length) {
      // Doubling limits how often the small pieces of a large frame are copied.
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.bufferedBytes));
      grown.set(this.#buffered.subarray(this.#start, this.#end));
      this.#buffered = grown;
      this.#end = this.bufferedBytes;
      this.#start = 0;
    }
    this.#buffered.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Returns the next complete frame, or undefined until more bytes are received. */
  next(): Frame | undefined {
    const header = this.#header;
    const size = header.read(this.#buffered, this.#start, this.#end);
    if (this.#violation !== undefined || this.bufferedBytes < 2) return undefined;
    if (header.lengthKnown && header.length > this.#limit) {
      this.#violation = violation('WSK_FRAME_TOO_BIG', {
        length: header.length,
        limit: this.#limit,
      });
      return undefined;
    }
    if (size === 0 || this.bufferedBytes < size + header.length) return undefined;
    const payloadStart = this.#start + size;
    const payload = Buffer.from(
      this.#buffered.subarray(payloadStart, payloadStart + header.length),
    );
    if (header.masked) maskRange(payload, 0, payload.length, header.key);
    const maskingKey = header.masked
      ? Buffer.from(this.#buffered.subarray(payloadStart - 4, payloadStart))
      : undefined;
    this.#start = payloadStart + header.length;
    return {
      fin: header.fin,
      rsv1: (header.rsv & 4) !== 0,
      rsv2: (header.rsv & 2) !== 0,
      rsv3: (header.rsv & 1) !== 0,
      opcode: header.opcode,
      maskingKey,
      payload,
      lengthBytes: header.lengthBytes,
      wireBytes: size + header.length,
    };
  }
}
