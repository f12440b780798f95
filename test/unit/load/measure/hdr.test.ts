import { deflateSync } from 'node:zlib';
import { build, decodeFromCompressedBase64, encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../../src/load/measure/histogram.ts';
import { Random } from '../../../support/random.ts';

const PERCENTILES = [50, 90, 99, 99.9, 100];

function filled(size: number): Histogram {
  const random = new Random(size);
  const histogram = new Histogram();
  for (let i = 0; i < size; i++) histogram.record(10 ** (random.below(12) + random.below(99) / 99));
  return histogram;
}

/** What HdrHistogram's own JavaScript port makes of the text. */
function foreign(text: string) {
  return decodeFromCompressedBase64(text, 64);
}

describe('toBase64', () => {
  it.each([0, 1, 2, 100, 50_000])('is read by hdr-histogram-js, with %i values', (size) => {
    const histogram = filled(size);
    const read = foreign(histogram.toBase64());
    expect(read.totalCount).toBe(histogram.count);
    for (const p of PERCENTILES) {
      expect(read.getValueAtPercentile(p)).toBe(histogram.percentile(p));
    }
  });

  it('is what hdr-histogram-js itself writes for the same values', () => {
    const histogram = filled(1000);
    const text = histogram.toBase64();
    const inner = (base64: string) => foreign(base64).outputPercentileDistribution();
    expect(inner(text)).toBe(inner(encodeIntoCompressedBase64(foreign(text))));
  });

  it('carries the highest count a bucket holds', () => {
    const histogram = new Histogram();
    histogram.record(7, 0xffffffff);
    expect(foreign(histogram.toBase64()).totalCount).toBe(0xffffffff);
    expect(Histogram.fromBase64(histogram.toBase64()).count).toBe(0xffffffff);
  });
});

describe('fromBase64', () => {
  it.each([0, 1, 2, 100, 50_000])('gives back what toBase64 wrote, with %i values', (size) => {
    const histogram = filled(size);
    expect(Histogram.fromBase64(histogram.toBase64()).buckets()).toEqual(histogram.buckets());
  });

  it.each([
    [1, 1],
    [2, 1000],
    [3, 64],
    [5, 1],
  ] as const)('reads %i digits in units of %i from hdr-histogram-js', (digits, lowest) => {
    const other = build({
      bitBucketSize: 64,
      numberOfSignificantValueDigits: digits,
      lowestDiscernibleValue: lowest,
      highestTrackableValue: 3_600_000_000_000,
    });
    for (let i = 1; i < 20_000; i++) other.recordValue(i * i * 37);
    const read = Histogram.fromBase64(encodeIntoCompressedBase64(other));
    expect(read.count).toBe(other.totalCount);
    for (const p of PERCENTILES) {
      const value = other.getValueAtPercentile(p);
      expect(Math.abs(read.percentile(p) - value)).toBeLessThanOrEqual(value / 1000);
    }
  });

  /** A compressed head around `data`. */
  const wrapped = (data: Buffer) => {
    const compressed = deflateSync(data);
    const head = Buffer.alloc(8);
    head.writeInt32BE(0x1c849314, 0);
    head.writeInt32BE(compressed.length, 4);
    return Buffer.concat([head, compressed]).toString('base64');
  };
  const inner = (payloadBytes: number, digits = 3, lowest = 1n) => {
    const head = Buffer.alloc(40);
    head.writeInt32BE(0x1c849313, 0);
    head.writeInt32BE(payloadBytes, 4);
    head.writeInt32BE(digits, 12);
    head.writeBigInt64BE(lowest, 16);
    return head;
  };

  it.each([
    ['nothing', '', 'not a compressed histogram'],
    ['another text', Buffer.from('hello, world').toString('base64'), 'not a compressed histogram'],
    ['what does not inflate', 'HISTFAAAAARBQkNE', 'damaged'],
    ['another kind of histogram', wrapped(Buffer.alloc(40)), 'not a histogram'],
    ['no room for a head', wrapped(Buffer.alloc(4)), 'not a histogram'],
    ['counts cut off', wrapped(inner(5)), 'ends early'],
    ['a number cut off', wrapped(Buffer.concat([inner(1), Buffer.of(0x80)])), 'ends early'],
    ['no digits', wrapped(inner(0, 0)), 'not valid'],
    ['a unit of 0', wrapped(inner(0, 3, 0n)), 'not valid'],
  ])('refuses %s', (_, text, message) => {
    expect(() => Histogram.fromBase64(text)).toThrow(RangeError);
    expect(() => Histogram.fromBase64(text)).toThrow(message);
  });
});
