import type { Comparison, Metrics } from '../metrics.ts';
import { bootstrapMedian, medianOf } from './bootstrap.ts';
import { FIGURES, valuesOf, type Figure } from './figures.ts';
import { summarizeRuns } from './summarize.ts';

/** One block has no spread. */
export const LEAST_BLOCKS = 2;

/** Student's t for an interval of 95 %, by degrees of freedom from 1 on. */
const STUDENT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048,
  2.045, 2.042,
] as const;

export interface CompareOptions {
  /** URLs. */
  readonly a: string;
  readonly b: string;
  /** Each of four runs, A B B A; at least 2. */
  readonly blocks: number;
  /** Percent by which they have to differ for a verdict. */
  readonly minEffect: number;
  /** Makes one run; an error ends the comparison. The URLs may be equal. */
  readonly run: (url: string, side: 'a' | 'b') => Promise<Metrics>;
  /** Numbers of 0 to 1, 1 not included. */
  readonly random: () => number;
}

/**
 * Runs A and B in turns and compares each figure that all runs have. Blocks A B B A cancel a linear
 * drift, such as another program that takes more and more of the machine; all of A before all of B
 * would report it as a difference.
 */
export async function compareRuns(options: CompareOptions): Promise<Comparison> {
  const { a, b, blocks, run } = options;
  const runs: { a: Metrics[]; b: Metrics[] } = { a: [], b: [] };
  for (let block = 0; block < Math.max(LEAST_BLOCKS, blocks); block++) {
    runs.a.push(await run(a, 'a'));
    runs.b.push(await run(b, 'b'), await run(b, 'b'));
    runs.a.push(await run(a, 'a'));
  }
  const rows = FIGURES.flatMap((figure) => rowOf(figure, runs, options));
  return { a, b, rows, other: summarizeRuns(runs.b).median };
}

type Row = Comparison['rows'][number];

/** None for a figure that a run did not measure, or that has no ratio. */
function rowOf(
  figure: Figure,
  runs: { a: Metrics[]; b: Metrics[] },
  { minEffect, random }: CompareOptions,
): Row[] {
  const a = valuesOf(figure, runs.a);
  const b = valuesOf(figure, runs.b);
  if (figure.better === null || a === null || b === null) return [];
  if ([...a, ...b].some((value) => value <= 0)) return [];
  const ratio = ratioOf(a, b);
  const row = {
    metric: figure.name,
    unit: figure.unit,
    a: bootstrapMedian(a, random),
    b: bootstrapMedian(b, random),
    ratio,
  };
  return [{ ...row, verdict: verdictOf(ratio, figure.better, minEffect) }];
}

/**
 * B / A of each block, which holds two runs of either, as median and interval.
 *
 * Student's t interval of the logarithms: with 2 to 8 blocks, equal servers under a drifting load
 * get a verdict in 3 to 5 % of comparisons; with a bootstrap in 42 % (2 blocks) to 12 % (4 blocks).
 */
function ratioOf(a: readonly number[], b: readonly number[]): Row['ratio'] {
  const logs: number[] = [];
  for (let at = 0; at + 1 < a.length; at += 2) {
    const logOf = (values: readonly number[]): number =>
      Math.log(values[at] ?? NaN) + Math.log(values[at + 1] ?? NaN);
    logs.push((logOf(b) - logOf(a)) / 2);
  }
  const mean = sumOf(logs) / logs.length;
  const variance = sumOf(logs.map((log) => (log - mean) ** 2)) / (logs.length - 1);
  const student = STUDENT[logs.length - 2] ?? STUDENT[STUDENT.length - 1] ?? NaN;
  const reach = student * Math.sqrt(variance / logs.length);
  return {
    median: Math.exp(medianOf(logs)),
    low: Math.exp(mean - reach),
    high: Math.exp(mean + reach),
  };
}

function verdictOf(
  { median, low, high }: Row['ratio'],
  better: 'lower' | 'higher',
  minEffect: number,
): Row['verdict'] {
  const effect = Math.max(median, 1 / median) - 1;
  if ((low <= 1 && high >= 1) || effect <= minEffect / 100) return 'no difference shown';
  return low > 1 === (better === 'higher') ? 'b is better' : 'a is better';
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
