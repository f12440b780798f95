import type { Chart, Figure } from './chart.ts';
import { curvesOf, NS_PER_MS, seriesOf, type Curve } from './curves.ts';
import { figure } from '../../report/format.ts';
import type { NamedHistograms } from './sides.ts';

/** Points of the curve for each power of ten. */
const STEPS = 20;

/** Percentiles on the axis and in the table. */
const PERCENTILES = [0, 50, 75, 90, 95, 99, 99.9, 99.99, 99.999, 99.9999, 99.99999];

const OPEN_NOTE =
  'Response time counts from when a message was due, service time from when it was sent. Where the curves differ, messages waited to be sent; a tool that measures only service time hides that wait (coordinated omission).';

const CLOSED_NOTE =
  'This load has no schedule, so times count from when a message was sent. A server that stalls receives fewer messages in that time, so the waits it would cause are not all measured (coordinated omission).';

/** The percentile curves: response and service in one chart, to show coordinated omission. */
export function percentileFigure(histograms: NamedHistograms): Figure | undefined {
  const curves = curvesOf(histograms, ['response', 'service', 'lastDelivery', 'lateness']);
  if (!curves.some(isRoundTrip)) return undefined;
  const most = Math.max(...curves.map(({ count }) => count));
  const last = Math.max(1, Math.ceil(Math.log10(most) * STEPS));
  const named = PERCENTILES.filter((p) => nines(p) <= last / STEPS);
  const grid = Array.from({ length: last + 1 }, (_, at) => at / STEPS);
  return {
    chart: chartOf(curves, grid, named),
    title: 'Percentiles',
    note:
      curves.filter(isRoundTrip).length > new Set(curves.map(({ side }) => side)).size
        ? OPEN_NOTE
        : CLOSED_NOTE,
    wide: false,
    head: ['Percentile', ...curves.map(({ label }) => `${label} (ms)`)],
    rows: [...named, 100].map((p) => [
      p === 100 ? 'highest' : `${p}%`,
      ...curves.map(({ histogram }) => figure(histogram.percentile(p) / NS_PER_MS)),
    ]),
  };
}

function isRoundTrip({ name }: Curve): boolean {
  return name === 'response' || name === 'service';
}

function chartOf(
  curves: readonly Curve[],
  grid: readonly number[],
  named: readonly number[],
): Chart {
  const response = curves.findIndex(({ name }) => name === 'response');
  const service = curves.findIndex(({ name }) => name === 'service');
  const single = curves.every(({ side }) => side === 'a');
  const both = response !== -1 && service !== -1;
  return {
    id: 'percentiles',
    x: {
      kind: 'scale',
      label: 'percentile (%)',
      values: grid,
      names: grid.map((x) => percentileName(100 * (1 - 10 ** -x))),
      ticks: named.filter((p) => p > 0).map((p) => [nines(p), `${p}%`]),
    },
    unit: 'ms',
    label: 'time (ms)',
    logarithmic: true,
    series: curves.map((curve) => {
      const values = grid.map((x) => valueAt(curve, x));
      return seriesOf(curve, values);
    }),
    ...(single && both ? { gap: [response, service] as const } : {}),
  };
}

/** The position of a percentile on an axis of nines: 0, 1 for 90 %, 2 for 99 %. */
function nines(p: number): number {
  return -Math.log10(1 - p / 100);
}

/** In milliseconds; null for percentiles that need more values than there are. */
function valueAt({ histogram, count }: Curve, x: number): number | null {
  const own = Math.log10(count);
  if (x >= own + 1 / STEPS) return null;
  return histogram.percentile(x >= own ? 100 : 100 * (1 - 10 ** -x)) / NS_PER_MS;
}

function percentileName(p: number): string {
  const decimals = Math.max(1, Math.ceil(-Math.log10(100 - p)) + 1);
  return `p${p.toFixed(decimals).replace(/\.?0+$/, '')}`;
}
