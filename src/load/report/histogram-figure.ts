import type { Figure } from './chart.ts';
import { curvesOf, NS_PER_MS, seriesOf, type Curve } from './curves.ts';
import { duration, short } from '../../report/format.ts';
import type { NamedHistograms } from './sides.ts';

/** Bars for each power of ten. */
const STEPS = 10;

const KINDS = {
  response: {
    id: 'histogram',
    title: 'Distribution',
    label: 'latency (ms)',
    of: 'the replies',
  },
  connect: {
    id: 'connect-time',
    title: 'Time to connect',
    label: 'time to connect (ms)',
    of: 'the connections, timed from the start to status 101,',
  },
} as const;

/** The histogram in logarithmic buckets, of response and service or of the time to connect. */
export function histogramFigure(
  histograms: NamedHistograms,
  kind: 'response' | 'connect',
): Figure | undefined {
  const curves = curvesOf(histograms, kind === 'response' ? ['response', 'service'] : ['connect']);
  if (curves.length === 0) return undefined;
  const low = Math.floor(barOf(Math.min(...curves.map(({ histogram }) => histogram.min)))) - 1;
  const high = Math.floor(barOf(Math.max(...curves.map(({ histogram }) => histogram.max)))) + 1;
  const bars = Array.from({ length: high - low + 1 }, (_, at) => low + at);
  const names = bars.map((bar) => `${edge(bar)} to ${edge(bar + 1)}`);
  const shares = curves.map((curve) => sharesOf(curve, low, bars.length));
  const { id, title, label, of } = KINDS[kind];
  return {
    chart: {
      id,
      x: { kind: 'scale', label, values: bars, names, ticks: ticksOf(low, high) },
      unit: '%',
      label: 'share (%)',
      logarithmic: false,
      series: curves.map((curve, at) => ({
        ...seriesOf(curve, shares[at] ?? []),
        // Four outlines in one chart are unreadable.
        hidden: curve.name === 'service' && curves.length > 2,
        style: curve.style === 'dashed' ? 'steps' : 'step-area',
      })),
    },
    title,
    note: `Share of ${of} in each bucket, in milliseconds; ten buckets for each power of ten.`,
    wide: false,
    head: ['Bucket', ...curves.map((curve) => `${curve.label} (%)`)],
    rows: names
      .map((name, at) => [name, ...shares.map((one) => short(one[at] ?? 0))])
      .filter(([, ...cells]) => cells.some((cell) => cell !== '0')),
  };
}

/** The lower edge of a bucket as text. */
function edge(bar: number): string {
  return duration(10 ** (bar / STEPS));
}

/** The bucket of a value, in tenths of a power of ten of a millisecond. */
function barOf(ns: number): number {
  return Math.log10(Math.max(ns, 1) / NS_PER_MS) * STEPS;
}

/** 1, 2 and 5 times each power of ten; for more than four powers, the powers only. */
function ticksOf(low: number, high: number): (readonly [number, string])[] {
  const from = Math.floor(low / STEPS);
  const powers = Array.from({ length: Math.ceil(high / STEPS) - from + 1 }, (_, at) => from + at);
  const leads = powers.length > 4 ? [1] : [1, 2, 5];
  return powers
    .flatMap((power) => leads.map((lead) => lead * 10 ** power))
    .map((ms) => [Math.log10(ms) * STEPS, short(ms)] as const);
}

/** Percent of all values in each bucket from `low` on. */
function sharesOf({ histogram, count }: Curve, low: number, length: number): number[] {
  const counts = new Array<number>(length).fill(0);
  for (const { from, to, count: own } of histogram.buckets()) {
    const at = Math.floor(barOf((from + to) / 2)) - low;
    counts[at] = (counts[at] ?? 0) + own;
  }
  return counts.map((own) => (100 * own) / count);
}
