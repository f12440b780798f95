import { constants, deflateRawSync } from 'node:zlib';
import type { DeflateTerms, WireFrame } from '../../script.ts';
import { continuation, hex } from '../../handshake/builders.ts';

/** What most clients offer; a server of ours has no wishes of its own. */
export const ORDINARY: DeflateTerms = { offer: { clientMaxWindowBits: true }, answer: {} };

/** "Hello" with a fixed Huffman code: 7692#7.2.3.1. */
export const HELLO = hex('f2 48 cd c9 c9 07 00');

export const RSV1 = { rsv1: true } as const;

/** Of what no RFC names a code for, any code that is not "all is well" will do. */
export const ANY_CODE = [1002, 1003, 1007, 1008, 1009, 1011];

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

/** A message as it goes over the wire. */
export function deflated(data: Buffer | string): Buffer {
  return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}

/** Letters that look random, and are the same in every run. */
export function noise(length: number): string {
  let state = 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 0x7fffffff;
    return String.fromCharCode(97 + (state % 26));
  }).join('');
}

/** Octets whose end repeats what lies 32 000 before it. */
export function farMessage(): Buffer {
  return Buffer.concat([Buffer.from(noise(300)), Buffer.alloc(31_700), Buffer.from(noise(300))]);
}

/** A text whose second half is the first, four windows of so many bits later. */
export function farText(bits: number): string {
  return `${noise(4 << bits)}${noise(4 << bits)}`;
}
