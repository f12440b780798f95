import { randomBytes } from 'node:crypto';
import { Opcode, encodeFrame, mask } from '../../protocol/index.ts';

const CHUNK_BYTES = 65_536;

/** Size of the first piece: little, because a server may drop what it does not want to read. */
const FIRST_BYTES = 1024;

/**
 * A masked frame of `length` bytes, piece by piece: its header, 1 KiB, then up to 64 KiB each. A
 * text in ASCII unless told otherwise, because that is what every server takes.
 *
 * All pieces are views of one masked buffer, so a message of any size costs 64 KiB here.
 */
export function* largeMessage(length: number, opcode: number = Opcode.text): Generator<Buffer> {
  const maskingKey = randomBytes(4);
  yield encodeFrame({ opcode, maskingKey, declaredLength: length });
  const chunk = pattern();
  // Both sizes are multiples of four, so that the key starts anew with every piece.
  mask(chunk, maskingKey);
  for (let sent = 0; sent < length;) {
    const size = Math.min(sent === 0 ? FIRST_BYTES : CHUNK_BYTES, length - sent);
    yield chunk.subarray(0, size);
    sent += size;
  }
}

/** The first `count` pieces, in a way that leaves the rest for later. */
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
