import type { Interval } from '../metrics.ts';

/** An interval of 95 %. */
const TAIL = 0.025;
const RESAMPLES = 2000;
/** With fewer runs, the jackknife of BCa is unreliable. */
const BCA_RUNS = 8;

/**
 * The median of some runs and its 95 % bootstrap interval: BCa from 8 runs on, percentile below.
 * `random` gives numbers of 0 to 1, 1 not included. Throws `RangeError` without values.
 */
export function bootstrapMedian(values: readonly number[], random: () => number): Interval {
  const median = medianOf(values);
  const medians = Array.from({ length: RESAMPLES }, () => medianOf(resample(values, random)));
  medians.sort((a, b) => a - b);
  const [low, high] = values.length < BCA_RUNS ? [TAIL, 1 - TAIL] : bcaTails(values, medians);
  return { median, low: quantile(medians, low), high: quantile(medians, high), runs: [...values] };
}

/** The middle value, or the mean of both middle ones. Throws `RangeError` without values. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[(sorted.length - 1) >> 1];
  const high = sorted[sorted.length >> 1];
  if (low === undefined || high === undefined) throw new RangeError('the median of no values');
  return low === high ? low : (low + high) / 2;
}

function resample(values: readonly number[], random: () => number): number[] {
  return values.map(() => values[Math.floor(random() * values.length)] ?? NaN);
}

function quantile(sorted: readonly number[], share: number): number {
  const at = Math.min(sorted.length - 1, Math.max(0, Math.floor(share * sorted.length)));
  return sorted[at] ?? NaN;
}

/** Tails corrected for bias and skewness (Efron 1987). */
function bcaTails(values: readonly number[], medians: readonly number[]): [number, number] {
  const median = medianOf(values);
  const below = medians.filter((one) => one < median).length;
  const equal = medians.filter((one) => one === median).length;
  const bias = normalQuantile((below + equal / 2) / medians.length);
  const acceleration = accelerationOf(values);
  const corrected = (tail: number): number => {
    const z = bias + normalQuantile(tail);
    return normalShare(bias + z / (1 - acceleration * z));
  };
  return [corrected(TAIL), corrected(1 - TAIL)];
}

function accelerationOf(values: readonly number[]): number {
  const without = values.map((_, left) => medianOf(values.filter((_value, at) => at !== left)));
  const mean = without.reduce((sum, one) => sum + one, 0) / without.length;
  const squares = without.reduce((sum, one) => sum + (mean - one) ** 2, 0);
  const cubes = without.reduce((sum, one) => sum + (mean - one) ** 3, 0);
  return squares === 0 ? 0 : cubes / (6 * squares ** 1.5);
}

/** Share of a normal distribution below `z`, within 1e-7 (Abramowitz and Stegun 26.2.17). */
function normalShare(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const tail =
    (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return z < 0 ? tail : 1 - tail;
}

/** The inverse of `normalShare`, by bisection: called only three times per interval. */
function normalQuantile(share: number): number {
  let low = -8;
  let high = 8;
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
