import type { BenchmarkReport, Measured } from '../metrics.ts';

/** A run that the report shows: the only one, or one of the two that are compared. */
export interface Side {
  readonly key: 'a' | 'b';
  /** Empty for the only one. */
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
