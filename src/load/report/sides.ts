import type { BenchmarkReport, Measured } from '../metrics.ts';

/** One of the runs that a page shows: the only one, or A and B. */
export interface Side {
  readonly key: 'a' | 'b';
  /** What tells it apart in legends; empty when there is nothing to tell apart. */
  readonly label: '' | 'A' | 'B';
  readonly measured: Measured;
}

/** The run, or both runs of a comparison. */
export function sidesOf({ measured, comparison }: BenchmarkReport): Side[] {
  if (comparison === null) return [{ key: 'a', label: '', measured }];
  return [
    { key: 'a', label: 'A', measured },
    { key: 'b', label: 'B', measured: comparison.other },
  ];
}
