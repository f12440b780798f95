import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../../../src/load/measure/histogram.ts';
import { nameSeed, withSeed } from '../../../support/fuzz-seed.ts';
import { Random } from '../../../support/random.ts';

const HOUR = 3_600_000_000_000;
const PERCENTILES = [0, 1, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100];

function histogramOf(...values: number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

/** Values over all powers of ten, as latencies with a long tail have them. */
function longTail(random: Random, size: number): number[] {
  return Array.from({ length: size }, () =>
    Math.floor(10 ** (random.below(11) + random.below(1000) / 1000)),
  );
}

/** The value that `p` percent of the sorted values do not exceed, by definition. */
function exactPercentile(sorted: readonly number[], p: number): number {
  const rank = Math.max(1, Math.ceil((p / 100) * sorted.length * (1 - 1e-14)));
  return sorted[rank - 1] ?? 0;
}

describe('Histogram', () => {
  it('reports every percentile within 0.1 % of what sorting gives', () => {
    withSeed('histogram percentiles', (seed) => {
      const random = new Random(seed);
      for (let session = 0; session < 20; session++) {
        nameSeed(seed, session, () => {
          const values = longTail(random, 1 + random.below(5000));
          const histogram = histogramOf(...values);
          const sorted = values.toSorted((a, b) => a - b);
          for (const p of PERCENTILES) {
            const exact = exactPercentile(sorted, p);
            expect(Math.abs(histogram.percentile(p) - exact)).toBeLessThanOrEqual(exact / 1000);
          }
          const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
          expect(Math.abs(histogram.mean - mean)).toBeLessThanOrEqual(mean / 1000);
        });
      }
    });
  });

  it.each([
    0,
    1,
    2047,
    2048,
    2049,
    65_535,
    1_000_000,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 31 + 1,
    2 ** 32,
    2 ** 41,
    HOUR - 1,
    HOUR,
  ])('puts %d ns into a bucket that holds it and is at most 1/1024 of it wide', (value) => {
    const [bucket] = histogramOf(value).buckets();
    const { from = NaN, to = NaN } = bucket ?? {};
    expect(from).toBeLessThanOrEqual(value);
    expect(to).toBeGreaterThan(value);
    expect(to - from).toBeLessThanOrEqual(Math.max(1, value / 1024));
  });

  it('joins each bucket to the next without a gap', () => {
    const bounds = [2047, 2048, 4095, 4096, 2 ** 31 - 1, 2 ** 31, 2 ** 40 - 1, 2 ** 40];
    for (const [low, high] of [0, 2, 4, 6].map((i) => [bounds[i] ?? 0, bounds[i + 1] ?? 0])) {
      const [first, second] = histogramOf(low ?? 0, high ?? 0).buckets();
      expect(first?.to).toBe(second?.from);
    }
  });

  it('takes what is longer than an hour for an hour, and nonsense for nothing', () => {
    const histogram = histogramOf(HOUR * 2, Infinity, 1e300);
    expect(Math.abs(histogram.max - HOUR)).toBeLessThan(HOUR / 1000);
    expect(histogram.buckets()).toHaveLength(1);
    expect(histogramOf(NaN, -1, -Infinity).buckets()).toEqual([{ from: 0, to: 1, count: 3 }]);
  });

  it('takes fractions of a nanosecond', () => {
    expect(histogramOf(1.9, 2.1).buckets()).toEqual([
      { from: 1, to: 2, count: 1 },
      { from: 2, to: 3, count: 1 },
    ]);
  });

  it('says 0 for everything when it is empty', () => {
    const { count, min, max, mean } = new Histogram();
    expect({ count, min, max, mean, p50: new Histogram().percentile(50) }).toEqual({
      count: 0,
      min: 0,
      max: 0,
      mean: 0,
      p50: 0,
    });
  });

  it('counts a value recorded several times at once', () => {
    const histogram = new Histogram();
    histogram.record(100, 99);
    histogram.record(200);
    expect([histogram.count, histogram.percentile(99), histogram.percentile(99.1)]).toEqual([
      100, 100, 200,
    ]);
  });

  it('stops counting at the most that a bucket holds, in place of starting again at 0', () => {
    const histogram = new Histogram();
    histogram.record(5, 0xffffffff);
    histogram.record(5);
    histogram.add(histogramOf(5, 5));
    expect(histogram.count).toBe(0xffffffff);
  });

  it('adds and takes away the counts of another, never below 0', () => {
    const histogram = histogramOf(1, 2, 3);
    const before = histogram.clone();
    histogram.add(histogramOf(3, 1_000_000));
    expect(histogram.count).toBe(5);
    expect(before.count).toBe(3);
    histogram.subtract(before);
    expect(histogram.buckets().map(({ from, count }) => [from, count])).toEqual([
      [3, 1],
      [999_936, 1],
    ]);
    histogram.subtract(before);
    expect(histogram.count).toBe(1);
  });

  it('is empty after a reset', () => {
    const histogram = histogramOf(1, 2);
    histogram.reset();
    expect(histogram.count).toBe(0);
  });

  it('fits the size it names and shares its memory with another thread', async () => {
    const buffer = new SharedArrayBuffer(Histogram.BYTES);
    const histogram = new Histogram(buffer);
    histogram.record(1000);
    const worker = new Worker(
      "const { workerData } = require('node:worker_threads'); new Uint32Array(workerData)[2000]++;",
      { eval: true, workerData: buffer },
    );
    await new Promise((resolve) => worker.once('exit', resolve));
    expect(histogram.buckets().map(({ from }) => from)).toEqual([1000, 2000]);
    expect(new Histogram(buffer).count).toBe(2);
    expect(Histogram.BYTES).toBeLessThanOrEqual(135_168);
  });
});
