import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../../src/load/random.ts';
import { bootstrapMedian, medianOf } from '../../../../src/load/stats/bootstrap.ts';

/** Values of a normal distribution around 100 with a deviation of 10. */
function normal(random: () => number, size: number): number[] {
  return Array.from({ length: size }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return 100 + 10 * radius * Math.cos(2 * Math.PI * random());
  });
}

/** The exact distribution of the median over all resamples of 3 values. */
function exactMediansOf3(values: readonly [number, number, number]): number[] {
  return values
    .flatMap((a) => values.flatMap((b) => values.map((c) => medianOf([a, b, c]))))
    .toSorted((a, b) => a - b);
}

/** The plain percentile interval, from the same draws. */
function percentileInterval(values: readonly number[], random: () => number) {
  const draw = () => values[Math.floor(random() * values.length)] ?? NaN;
  const medians = Array.from({ length: 2000 }, () => medianOf(values.map(draw)));
  medians.sort((a, b) => a - b);
  return { low: medians[50], high: medians[1950] };
}

describe('medianOf', () => {
  it.each([
    [[5], 5],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100], 10],
  ])('of %j is %d', (values, median) => {
    expect(medianOf(values)).toBe(median);
  });

  it('refuses no values', () => {
    expect(() => medianOf([])).toThrow(RangeError);
  });
});

describe('bootstrapMedian', () => {
  it('keeps the runs in their order and gives the same for the same seed', () => {
    const values = [3, 1, 2, 5, 4];
    const interval = bootstrapMedian(values, createRandom(7));
    expect(interval.runs).toEqual(values);
    expect(interval.median).toBe(3);
    expect(bootstrapMedian(values, createRandom(7))).toEqual(interval);
  });

  it('has no width for one run or for equal ones', () => {
    for (const values of [[4], [4, 4, 4], Array.from({ length: 12 }, () => 4)]) {
      expect(bootstrapMedian(values, createRandom(1))).toMatchObject({
        median: 4,
        low: 4,
        high: 4,
      });
    }
  });

  it('is the percentile interval of all resamples for three runs', () => {
    // 7 of the 27 resamples have the lowest value for their median: far more than 2.5 %.
    expect(exactMediansOf3([1, 2, 30]).filter((median) => median === 1)).toHaveLength(7);
    expect(bootstrapMedian([1, 2, 30], createRandom(1))).toMatchObject({ low: 1, high: 30 });
  });

  it('leaves out one outlier of seven runs', () => {
    // The median of 7 draws is the highest only if 4 of them are: in 1 % of resamples.
    const { low, high } = bootstrapMedian([10, 11, 12, 13, 14, 15, 900], createRandom(1));
    expect([low, high]).toEqual([11, 15]);
  });

  it.each([5, 7, 8, 15])('holds the true median in 5 of 6 cases or more, with %i runs', (runs) => {
    const random = createRandom(42);
    let hits = 0;
    for (let trial = 0; trial < 100; trial++) {
      const { low, high } = bootstrapMedian(normal(random, runs), random);
      if (low <= 100 && high >= 100) hits++;
    }
    expect(hits).toBeGreaterThanOrEqual(84);
  });

  const SKEWED = [1, 1, 1, 1, 1, 2, 3, 4, 50];

  it('is the percentile interval below 8 runs, and corrects bias and skewness from 8 on', () => {
    for (const [values, same] of [
      [SKEWED.slice(0, 7), true],
      [SKEWED, false],
    ] as const) {
      const { low, high } = bootstrapMedian(values, createRandom(3));
      const percentile = percentileInterval(values, createRandom(3));
      expect(low === percentile.low && high === percentile.high).toBe(same);
    }
  });
});
