import { constants, deflateRawSync } from 'node:zlib';
import type { WireFrame } from '../script.ts';
import { continuation } from '../words.ts';

const MIB = 1024 * 1024;

const bombs = new Map<number, Buffer>();

/**
 * A compressed message of so many MiB of zeros, about a thousandth of that long.
 *
 * The zeros are deflated once: a flush ends each MiB at an octet and without a way back, so that
 * the same octets can follow themselves.
 */
export function zeroBomb(mebibytes: number): Buffer {
  const known = bombs.get(mebibytes);
  if (known !== undefined) return known;
  const one = deflateRawSync(Buffer.alloc(MIB), { finishFlush: constants.Z_FULL_FLUSH });
  const bomb = Buffer.concat(Array.from({ length: mebibytes }, () => one)).subarray(0, -4);
  bombs.set(mebibytes, bomb);
  return bomb;
}

/** A compressed message of nothing: stored blocks without content. */
export function emptyBlocks(count: number): Buffer {
  const block = Buffer.from('000000ffff', 'hex');
  return Buffer.concat(Array.from({ length: count }, () => block)).subarray(0, -4);
}

/** The rest of a message in frames of `bytes`, the last one with FIN. */
export function fragments(payload: Buffer, bytes: number): WireFrame[] {
  const count = Math.ceil(payload.length / bytes);
  return Array.from({ length: count }, (_, n) =>
    continuation(payload.subarray(n * bytes, (n + 1) * bytes), { fin: n === count - 1 }),
  );
}
