import type { Histogram } from '../measure/histogram.ts';
import type { BenchmarkReport, Metrics } from '../metrics.ts';

/** A run that the report shows: the only one, or one of the two that are compared. */
export interface Side {
  readonly key: 'a' | 'b';
  /** Empty for the only one. */
  readonly label: '' | 'A' | 'B';
  readonly measured: Metrics;
}

/** A histogram of a run and what it counts. */
export interface NamedHistogram {
  readonly name: 'response' | 'service' | 'lateness' | 'connect' | 'lastDelivery';
  readonly side: Side['key'];
  /** Nanoseconds. */
  readonly histogram: Histogram;
}

export type NamedHistograms = readonly NamedHistogram[];

/** The run, or both runs of a comparison. */
export function sidesOf({ measured, comparison }: BenchmarkReport): Side[] {
  if (comparison === null) return [{ key: 'a', label: '', measured }];
  return [
    { key: 'a', label: 'A', measured },
    { key: 'b', label: 'B', measured: comparison.other },
  ];
}

/** `A: ` before a text about one of two runs. */
export function prefix({ label }: Side): string {
  return label === '' ? '' : `${label}: `;
}
