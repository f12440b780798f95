import { deflateSync, inflateSync } from 'node:zlib';
import { BUCKETS, HIGHEST } from './buckets.ts';

/*
 * HdrHistogram's V2 encoding: a head of 40 bytes, then the counts as ZigZag LEB128 numbers, in
 * which -n stands for n empty buckets; all of it deflated behind a head of 8 bytes, then base64.
 * Written here for node:zlib: the package hdr-histogram-js needs 30 ms to load and 138 KB in the
 * bundle for these two functions. The tests hold them to that package, in both directions.
 */
const COOKIE = 0x1c849313;
const COMPRESSED_COOKIE = 0x1c849314;
/** The bits that tell the word size, which V2 does not use. */
const COOKIE_MASK = ~0xf0;
const HEAD_BYTES = 40;
const DIGITS = 3;

/** The counts of the fixed layout of `buckets.ts` as base64. */
export function encodeCounts(counts: Uint32Array): string {
  const payload = Buffer.from(runLengths(counts).flatMap((number) => leb128(number)));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeInt32BE(COOKIE, 0);
  head.writeInt32BE(payload.length, 4);
  head.writeInt32BE(0, 8);
  head.writeInt32BE(DIGITS, 12);
  head.writeBigInt64BE(1n, 16);
  head.writeBigInt64BE(BigInt(HIGHEST), 24);
  head.writeDoubleBE(1, 32);
  const compressed = deflateSync(Buffer.concat([head, payload]));
  const outer = Buffer.alloc(8);
  outer.writeInt32BE(COMPRESSED_COOKIE, 0);
  outer.writeInt32BE(compressed.length, 4);
  return Buffer.concat([outer, compressed]).toString('base64');
}

/** Counts up to the last that is not 0, empty ones in a row as one negative number. */
function runLengths(counts: Uint32Array): number[] {
  const numbers: number[] = [];
  let empty = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = counts[bucket] ?? 0;
    if (count === 0) {
      empty++;
      continue;
    }
    // A single empty bucket is a plain 0 to HdrHistogram's own writers.
    if (empty > 0) numbers.push(empty === 1 ? 0 : -empty);
    numbers.push(count);
    empty = 0;
  }
  return numbers;
}

function leb128(number: number): number[] {
  let rest = number < 0 ? -number * 2 - 1 : number * 2;
  const bytes: number[] = [];
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

/**
 * Calls `record` with the highest value of each bucket of `text`, whatever its layout, and its
 * count; throws `RangeError` when it is not a V2 histogram.
 */
export function decodeCounts(text: string, record: (value: number, count: number) => void): void {
  const data = inflate(Buffer.from(text.trim(), 'base64'));
  if (data.length < HEAD_BYTES || (data.readInt32BE(0) & COOKIE_MASK) !== (COOKIE & COOKIE_MASK)) {
    throw new RangeError('not a histogram in HdrHistogram V2 encoding');
  }
  const layout = layoutOf(data.readInt32BE(12), Number(data.readBigInt64BE(16)));
  const end = HEAD_BYTES + data.readInt32BE(4);
  if (end > data.length) throw new RangeError('the histogram ends early');
  let bucket = 0;
  let at = HEAD_BYTES;
  while (at < end) {
    const [number, next] = readLeb128(data, at, end);
    if (number > 0) record(layout(bucket), number);
    bucket += number < 0 ? -number : 1;
    at = next;
  }
}

function inflate(bytes: Buffer): Buffer {
  if (
    bytes.length < 8 ||
    (bytes.readInt32BE(0) & COOKIE_MASK) !== (COMPRESSED_COOKIE & COOKIE_MASK)
  ) {
    throw new RangeError('not a compressed histogram in HdrHistogram V2 encoding');
  }
  try {
    return inflateSync(bytes.subarray(8, 8 + bytes.readInt32BE(4)));
  } catch (error) {
    throw new RangeError('the compressed histogram is damaged', { cause: error });
  }
}

/** From bucket to its highest value, for any number of digits and any unit. */
function layoutOf(digits: number, lowest: number): (bucket: number) => number {
  if (!(digits >= 1 && digits <= 5) || !(lowest >= 1)) {
    throw new RangeError(`a histogram of ${digits} digits from ${lowest} on is not valid`);
  }
  const unit = 2 ** Math.floor(Math.log2(lowest));
  const half = 2 ** (Math.ceil(Math.log2(2 * 10 ** digits)) - 1);
  return (bucket) => {
    const power = Math.max(0, Math.floor(bucket / half) - 1);
    const width = unit * 2 ** power;
    return (bucket - power * half) * width + width - 1;
  };
}

/** Up to 9 bytes, of which the last carries 8 bits; the counts stay far below 2^53. */
function readLeb128(data: Buffer, start: number, end: number): [number: number, next: number] {
  let value = 0;
  for (let at = start, scale = 1; at < end; at++) {
    const byte = data[at] ?? 0;
    const last = byte < 128 || at === start + 8;
    value += (at === start + 8 ? byte : byte & 127) * scale;
    scale *= 128;
    if (last) return [value % 2 === 1 ? -(value + 1) / 2 : value / 2, at + 1];
  }
  throw new RangeError('the histogram ends early');
}
