import { randomBytes } from 'node:crypto';
import { Opcode, encodeFrame, mask } from '../../protocol/index.ts';

const CHUNK_BYTES = 65_536;

/** Size of the first piece: small, because a server may refuse the message unread. */
const FIRST_BYTES = 1024;

/**
 * A masked frame of `length` bytes, in pieces: its header, 1 KiB, then up to 64 KiB each. By
 * default an ASCII text, which every server accepts.
 *
 * All pieces are views of one masked buffer, so a message of any size needs 64 KiB.
 */
export function* largeMessage(length: number, opcode: number = Opcode.text): Generator<Buffer> {
  const maskingKey = randomBytes(4);
  yield encodeFrame({ opcode, maskingKey, declaredLength: length });
  const chunk = pattern();
  // Both sizes are multiples of four, so that every piece starts with the first octet of the key.
  mask(chunk, maskingKey);
  for (let sent = 0; sent < length;) {
    const size = Math.min(sent === 0 ? FIRST_BYTES : CHUNK_BYTES, length - sent);
    yield chunk.subarray(0, size);
    sent += size;
  }
}

/** The next `count` pieces. */
export function take(pieces: Generator<Buffer>, count: number): Buffer[] {
  const taken: Buffer[] = [];
  while (taken.length < count) {
    const next = pieces.next();
    if (next.done === true) break;
    taken.push(next.value);
  }
  return taken;
}

/** Whether `data` is the payload of `largeMessage(length)`. */
export function isLargeMessage(data: Buffer, length: number): boolean {
  if (data.length !== length) return false;
  const chunk = pattern();
  for (let at = 0; at < length; at += chunk.length) {
    const piece = data.subarray(at, at + chunk.length);
    if (!piece.equals(chunk.subarray(0, piece.length))) return false;
  }
  return true;
}

/** 16 bytes repeated: any piece that starts at a multiple of 16 looks the same. */
function pattern(): Buffer {
  return Buffer.alloc(CHUNK_BYTES, '0123456789abcdef');
}
