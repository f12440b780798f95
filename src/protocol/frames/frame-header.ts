import { packKey } from './mask.ts';

/** The longest frame header in bytes: two, a 64-bit length and a masking key (RFC 6455 5.2). */
export const MAX_HEADER_BYTES = 14;

/** The width of the extended length field: absent, 16 bits or 64 bits. */
export type LengthBytes = 0 | 2 | 8;

/** The shortest length field that can hold `length`; section 5.2 allows no other. */
export function minimalLengthBytes(length: number): LengthBytes {
  if (length < 126) return 0;
  return length < 65536 ? 2 : 8;
}

/**
 * The header of one frame as it was read, legal or not.
 *
 * One object is reused, so that a frame needs no allocation.
 */
export class FrameHeader {
  fin = false;
  /** The three reserved bits as a number: RSV1 is 4, RSV2 is 2, RSV3 is 1. */
  rsv = 0;
  opcode = 0;
  masked = false;
  /** The four octets of the masking key, first octet lowest. */
  key = 0;
  /** Payload bytes, approximate above 2^53; without `lengthKnown`, the smallest possible value. */
  length = 0;
  lengthBytes: LengthBytes = 0;
  /** Whether the top bit of a 64-bit length is set, which section 5.2 forbids. */
  overflow = false;
  /** Whether the extended length, if any, has been read. */
  lengthKnown = false;

  /**
   * Reads the header at `offset` and returns its size, or 0 when `end` comes too early.
   *
   * From two bytes on, the bits are set even then, and the length once it is complete: enough to
   * refuse a frame early. With fewer bytes nothing changes.
   */
  read(bytes: Uint8Array, offset: number, end: number): number {
    if (end - offset < 2) return 0;
    const first = bytes[offset] as number;
    const second = bytes[offset + 1] as number;
    this.fin = first >= 0x80;
    this.rsv = (first >> 4) & 7;
    this.opcode = first & 15;
    this.masked = second >= 0x80;
    const short = second & 127;
    this.lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    let at = offset + 2 + this.lengthBytes;
    this.lengthKnown = at <= end;
    this.overflow = false;
    if (!this.lengthKnown || short < 126) {
      this.length = short;
      if (!this.lengthKnown) return 0;
    } else {
      this.length = readLength(bytes, offset + 2, this.lengthBytes);
      this.overflow = this.lengthBytes === 8 && (bytes[offset + 2] as number) >= 0x80;
    }
    if (this.masked) {
      if (at + 4 > end) return 0;
      this.key = packKey(bytes, at);
      at += 4;
    }
    return at - offset;
  }
}

function readLength(bytes: Uint8Array, offset: number, lengthBytes: LengthBytes): number {
  let length = 0;
  for (let i = 0; i < lengthBytes; i++) length = length * 256 + (bytes[offset + i] as number);
  return length;
}

/** Input of `writeHeader`; `length` is written as given, right or wrong. */
export interface HeaderFields {
  /** The first byte: FIN, RSV1 to RSV3 and the opcode. */
  readonly first: number;
  readonly length: number | bigint;
  readonly lengthBytes: LengthBytes;
  readonly masked: boolean;
}

/** Writes everything before the masking key to `target` at `offset`; returns where the key goes. */
export function writeHeader(target: Uint8Array, offset: number, fields: HeaderFields): number {
  const { first, length, lengthBytes, masked } = fields;
  const maskBit = masked ? 0x80 : 0;
  target[offset] = first;
  if (lengthBytes === 0) {
    target[offset + 1] = maskBit | Number(length);
    return offset + 2;
  }
  target[offset + 1] = maskBit | (lengthBytes === 2 ? 126 : 127);
  writeLength(target, offset + 2, lengthBytes, length);
  return offset + 2 + lengthBytes;
}

function writeLength(
  target: Uint8Array,
  offset: number,
  lengthBytes: number,
  length: number | bigint,
): void {
  let rest = length;
  for (let at = offset + lengthBytes - 1; at >= offset; at--) {
    if (typeof rest === 'bigint') {
      target[at] = Number(rest & 0xffn);
      rest >>= 8n;
    } else {
      target[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
  }
}
