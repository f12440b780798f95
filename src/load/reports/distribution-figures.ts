import type { Histogram } from '../histogram/histogram.ts';
import { shorten, type Chart, type ChartSeries, type Figure, type Tone } from './chart.ts';
import { duration, figure, short } from './format.ts';
import { filled, type NamedHistogram, type NamedHistograms } from './named-histograms.ts';

/** A histogram as charts show it. */
interface Curve {
  readonly arm: NamedHistogram['arm'];
  readonly name: NamedHistogram['name'];
  readonly label: string;
  readonly tone: Tone;
  readonly style: 'line' | 'dashed';
  readonly hidden: boolean;
  readonly histogram: Histogram;
  readonly count: number;
}

const NS_PER_MS = 1e6;

/** Points of the percentile curve for each power of ten. */
const CURVE_STEPS = 20;

/** Bars of the histogram for each power of ten. */
const BAR_STEPS = 10;

/** Percentiles that are named on the axis and are rows of the table. */
const PERCENTILES = [0, 50, 75, 90, 95, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999];

const LABELS: Readonly<Record<NamedHistogram['name'], string>> = {
  response: 'response',
  service: 'service',
  lateness: 'lateness',
  connect: 'connect',
  lastDelivery: 'last delivery',
};

/** The percentile curve: response and service in one chart, so that coordinated omission is seen. */
export function percentileFigure(histograms: NamedHistograms): Figure | undefined {
  const all = curvesOf(histograms, ['response', 'service', 'lastDelivery', 'lateness']);
  // In a closed loop nothing is due: response and service are the same.
  const curves = all.filter((curve) => curve.name !== 'service' || !isSame(curve, all));
  if (!curves.some(({ name }) => name === 'response')) return undefined;
  const most = Math.max(...curves.map(({ count }) => count));
  const last = Math.max(1, Math.ceil(Math.log10(most) * CURVE_STEPS));
  const grid = Array.from({ length: last + 1 }, (_, at) => at / CURVE_STEPS);
  const named = PERCENTILES.filter((p) => nines(p) <= last / CURVE_STEPS);
  const response = curves.findIndex(({ name }) => name === 'response');
  const service = curves.findIndex(({ name }) => name === 'service');
  const single = histograms.every(({ arm }) => arm === 'a');
  const chart: Chart = {
    id: 'percentiles',
    x: {
      kind: 'scale',
      label: 'percentile',
      values: grid,
      names: grid.map((x) => percentileName(100 * (1 - 10 ** -x))),
      ticks: named.slice(1).map((p) => [nines(p), `${p}%`]),
    },
    unit: 'ms',
    logarithmic: true,
    series: curves.map((curve) =>
      seriesOf(
        curve,
        grid.map((x) => valueAt(curve, x)),
      ),
    ),
    ...(single && service !== -1 ? { gap: [response, service] as const } : {}),
  };
  return {
    chart,
    title: 'Percentiles',
    note: curves.some(({ name }) => name === 'service')
      ? 'Response counts from when a message was due, service from when it was sent. Where they part, messages had to wait to be sent: a tool that measures service alone leaves that out.'
      : 'Time from sending a message to its reply. In a closed loop nothing is due, so that a server that stalls is asked less: see the highest values.',
    wide: false,
    head: ['Percentile', ...curves.map(({ label }) => `${label} (ms)`)],
    rows: [...named, 100].map((p) => [
      p === 100 ? 'highest' : `${p}%`,
      ...curves.map(({ histogram }) => figure(histogram.percentile(p) / NS_PER_MS)),
    ]),
  };
}

/** The histogram in logarithmic buckets, of response and service or of the given kind. */
export function histogramFigure(
  histograms: NamedHistograms,
  kind: 'response' | 'connect',
): Figure | undefined {
  const all = curvesOf(histograms, kind === 'response' ? ['response', 'service'] : ['connect']);
  const curves = all.filter((curve) => curve.name !== 'service' || !isSame(curve, all));
  const [first] = curves;
  if (first?.name !== kind) return undefined;
  const low = Math.floor(barOf(Math.min(...curves.map(({ histogram }) => histogram.min)))) - 1;
  const high = Math.floor(barOf(Math.max(...curves.map(({ histogram }) => histogram.max)))) + 1;
  const bars = Array.from({ length: high - low + 1 }, (_, at) => low + at);
  const shares = curves.map((curve) => sharesOf(curve, low, bars.length));
  const edge = (bar: number): string => duration(10 ** (bar / BAR_STEPS));
  return {
    chart: {
      id: kind === 'connect' ? 'connect-time' : 'histogram',
      x: {
        kind: 'scale',
        label: kind === 'connect' ? 'time to connect' : 'latency',
        values: bars,
        names: bars.map((bar) => `${edge(bar)} to ${edge(bar + 1)}`),
        ticks: barTicks(low, high),
      },
      unit: '%',
      logarithmic: false,
      series: curves.map((curve, at) => ({
        ...seriesOf(curve, shares[at] ?? []),
        // Four outlines over each other are more than an eye can tell apart.
        hidden: curve.name === 'service' && curves.length > 2,
        style: curve.style === 'dashed' ? 'steps' : 'step-area',
      })),
    },
    title: kind === 'connect' ? 'Time to connect' : 'Distribution',
    note:
      kind === 'connect'
        ? 'Share of the connections in each bucket, from the start of the connect to the 101; milliseconds, ten buckets to a power of ten.'
        : 'Share of the replies in each bucket; milliseconds, ten buckets to a power of ten.',
    wide: false,
    head: ['Bucket', ...curves.map(({ label }) => `${label} (%)`)],
    rows: bars
      .map((bar, at) => [
        `${edge(bar)} to ${edge(bar + 1)}`,
        ...shares.map((one) => short(one[at] ?? 0)),
      ])
      .filter((row) => row.slice(1).some((cell) => cell !== '0')),
  };
}

function curvesOf(histograms: NamedHistograms, names: readonly NamedHistogram['name'][]): Curve[] {
  const single = histograms.every(({ arm }) => arm === 'a');
  return (['a', 'b'] as const).flatMap((arm) =>
    names.flatMap((name): Curve[] => {
      const histogram = filled(histograms, name, arm);
      if (histogram === undefined) return [];
      const main = name === 'response' || name === 'connect';
      const label = single ? LABELS[name] : `${arm.toUpperCase()} ${LABELS[name]}`;
      const tone: Tone = main ? arm : name === 'service' ? `${arm}-soft` : `${arm}-faint`;
      const hidden = name === 'lateness';
      const style = main ? 'line' : 'dashed';
      return [{ arm, name, label, tone, style, hidden, histogram, count: histogram.count }];
    }),
  );
}

/** Whether a curve is that of the response of its run. */
function isSame({ arm, histogram, count }: Curve, curves: readonly Curve[]): boolean {
  const response = curves.find((one) => one.name === 'response' && one.arm === arm);
  const alike = (p: number): boolean =>
    histogram.percentile(p) === response?.histogram.percentile(p);
  return count === response?.count && [0, 50, 90, 99, 99.9, 100].every(alike);
}

function seriesOf(curve: Curve, values: readonly (number | null)[]): ChartSeries {
  const { label, tone, style, hidden } = curve;
  return { label, tone, style, hidden, values: values.map(shorten) };
}

/** The position of a percentile on an axis of nines: 0, 1 for 90 %, 2 for 99 %. */
function nines(p: number): number {
  return -Math.log10(1 - p / 100);
}

/** In milliseconds; nothing beyond what so many values can tell. */
function valueAt({ histogram, count }: Curve, x: number): number | null {
  const own = Math.log10(count);
  if (x >= own + 1 / CURVE_STEPS) return null;
  return histogram.percentile(x >= own ? 100 : 100 * (1 - 10 ** -x)) / NS_PER_MS;
}

function percentileName(p: number): string {
  const decimals = Math.max(1, Math.ceil(-Math.log10(100 - p)) + 1);
  return `p${p.toFixed(decimals).replace(/\.?0+$/, '')}`;
}

/** The bucket of a value, in tenths of a power of ten of a millisecond. */
function barOf(ns: number): number {
  return Math.log10(Math.max(ns, 1) / NS_PER_MS) * BAR_STEPS;
}

/** 1, 2 and 5 milliseconds times a power of ten; where there are many, the powers alone. */
function barTicks(low: number, high: number): (readonly [number, string])[] {
  const from = Math.floor(low / BAR_STEPS);
  const powers = Array.from(
    { length: Math.ceil(high / BAR_STEPS) - from + 1 },
    (_, at) => from + at,
  );
  const leads = powers.length > 4 ? [1] : [1, 2, 5];
  return powers
    .flatMap((power) => leads.map((lead) => lead * 10 ** power))
    .map((ms) => [Math.log10(ms) * BAR_STEPS, short(ms)] as const);
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
