import { createRandom } from '../random.ts';
import type { Interval, Measured } from '../metrics.ts';
import { bootstrapMedian } from './bootstrap.ts';
import { FIGURES, valuesOf } from './figures.ts';

/** Any: the same runs give the same intervals. */
const SEED = 1;

/**
 * Figures over several runs, by name, and the run whose p99 is the median (of an even number, the
 * lower of both); of runs without a latency, the one whose rate is. Throws `RangeError` without
 * runs.
 */
export function aggregate(runs: readonly Measured[]): {
  repeats: Record<string, Interval>;
  median: Measured;
} {
  const random = createRandom(SEED);
  const repeats: Record<string, Interval> = {};
  for (const figure of FIGURES) {
    const values = valuesOf(figure, runs);
    if (values !== null) repeats[figure.name] = bootstrapMedian(values, random);
  }
  return { repeats, median: medianRun(runs) };
}

function medianRun(runs: readonly Measured[]): Measured {
  const sorted = runs.toSorted((a, b) => rank(a) - rank(b));
  const median = sorted[(sorted.length - 1) >> 1];
  if (median === undefined) throw new RangeError('the median of no runs');
  return median;
}

function rank({ latency, connections }: Measured): number {
  return (latency.response ?? latency.service)?.p99 ?? -connections.perSecond;
}
