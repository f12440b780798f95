import type { Histogram } from '../measure/histogram.ts';

/** A histogram of a run and what it counts; `b` is the other run of a comparison. */
export interface NamedHistogram {
  readonly name: 'response' | 'service' | 'lateness' | 'connect' | 'lastDelivery';
  readonly side: 'a' | 'b';
  /** Nanoseconds. */
  readonly histogram: Histogram;
}

export type NamedHistograms = readonly NamedHistogram[];

/** The one of that name, unless it is missing or empty. */
export function filled(
  histograms: NamedHistograms,
  name: NamedHistogram['name'],
  side: NamedHistogram['side'],
): Histogram | undefined {
  const found = histograms.find((one) => one.name === name && one.side === side)?.histogram;
  return found === undefined || found.count === 0 ? undefined : found;
}
