import type { Histogram } from '../measure/histogram.ts';
import { shorten, type ChartSeries, type Tone } from './chart.ts';
import type { NamedHistogram, NamedHistograms } from './sides.ts';

/** A histogram as a line of a chart. */
export interface Curve {
  readonly side: NamedHistogram['side'];
  readonly name: NamedHistogram['name'];
  readonly label: string;
  readonly tone: Tone;
  readonly style: 'line' | 'dashed';
  readonly hidden: boolean;
  readonly histogram: Histogram;
  readonly count: number;
}

/** Histograms count nanoseconds, charts show milliseconds. */
export const NS_PER_MS = 1e6;

const LABELS: Readonly<Record<NamedHistogram['name'], string>> = {
  response: 'response',
  service: 'service',
  lateness: 'lateness',
  connect: 'connect',
  lastDelivery: 'last delivery',
};

/**
 * The curves of the histograms that are not empty, those of A first. In a closed loop response and
 * service are equal, and only one is drawn. Without a response, service is the main curve.
 */
export function curvesOf(
  histograms: NamedHistograms,
  names: readonly NamedHistogram['name'][],
): Curve[] {
  const all = everyCurve(histograms, names);
  return all.filter((curve) => curve.name !== 'service' || !isSame(curve, all));
}

function everyCurve(
  histograms: NamedHistograms,
  names: readonly NamedHistogram['name'][],
): Curve[] {
  const single = histograms.every(({ side }) => side === 'a');
  return (['a', 'b'] as const).flatMap((side) =>
    names.flatMap((name): Curve[] => {
      const histogram = filled(histograms, name, side);
      if (histogram === undefined) return [];
      const alone = filled(histograms, 'response', side) === undefined;
      const main = name === 'response' || name === 'connect' || (name === 'service' && alone);
      const label = single ? LABELS[name] : `${side.toUpperCase()} ${LABELS[name]}`;
      const tone: Tone = main ? side : name === 'service' ? `${side}-soft` : `${side}-faint`;
      const hidden = name === 'lateness';
      const style = main ? 'line' : 'dashed';
      return [{ side, name, label, tone, style, hidden, histogram, count: histogram.count }];
    }),
  );
}

/** The histogram of that name, unless it is missing or empty. */
function filled(
  histograms: NamedHistograms,
  name: NamedHistogram['name'],
  side: NamedHistogram['side'],
): Histogram | undefined {
  const found = histograms.find((one) => one.name === name && one.side === side)?.histogram;
  return found === undefined || found.count === 0 ? undefined : found;
}

/** Whether a curve equals that of the response of its run. */
function isSame({ side, histogram, count }: Curve, curves: readonly Curve[]): boolean {
  const response = curves.find((one) => one.name === 'response' && one.side === side);
  const alike = (p: number): boolean =>
    histogram.percentile(p) === response?.histogram.percentile(p);
  return count === response?.count && [0, 50, 90, 99, 99.9, 100].every(alike);
}

/** The series of a curve with these values. */
export function seriesOf(curve: Curve, values: readonly (number | null)[]): ChartSeries {
  const { label, tone, style, hidden } = curve;
  return { label, tone, style, hidden, values: values.map(shorten) };
}
