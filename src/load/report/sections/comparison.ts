import type { BenchmarkReport } from '../../metrics.ts';
import { figure, type Unit } from '../../../report/format.ts';
import { html, type Markup } from '../../../report/html.ts';
import { numeric, table } from '../../../report/table.ts';
import { section, type Section } from '../../../report/parts.ts';
import { intervalPlot, ratioPlot } from './interval-plot.ts';

/** Labels and units of the figures of repeats and comparisons. */
const METRICS: Readonly<Record<string, readonly [label: string, unit: Unit | '']>> = {
  rate: ['Rate', '/s'],
  p50: ['Response p50', 'ms'],
  p90: ['Response p90', 'ms'],
  p99: ['Response p99', 'ms'],
  p999: ['Response p99.9', 'ms'],
  max: ['Response, highest', 'ms'],
  answered: ['Answered', '%'],
  errors: ['Errors', '%'],
  connectP50: ['Connect p50', 'ms'],
  connectP99: ['Connect p99', 'ms'],
  connectRate: ['Handshakes', '/s'],
  cpuPerMessageUs: ['Generator CPU per message', 'µs'],
  serverMessagesPerCpuSecond: ['Messages per CPU second of the server', '/s'],
  serverBytesPerConnection: ['Server memory per connection', 'bytes'],
};

function metricLabel(metric: string): string {
  return METRICS[metric]?.[0] ?? metric;
}

/** Median and interval of each figure over several equal runs. */
export function repeatSection({ repeats }: BenchmarkReport): Section[] {
  const entries = Object.entries(repeats ?? {});
  const [first] = entries;
  if (first === undefined) return [];
  const columns = [
    'Figure',
    ...numeric('Median', 'From', 'To'),
    'Unit',
    'Runs',
    ...numeric('Each run'),
  ];
  const rows = entries.map(([metric, { median, low, high, runs }]) => [
    metricLabel(metric),
    figure(median),
    figure(low),
    figure(high),
    METRICS[metric]?.[1] ?? '',
    intervalPlot({ low, median, high, runs }),
    html`${runs.map((run) => figure(run)).join('  ')}`,
  ]);
  const note = html`<p class="quiet-text">
    Median of ${first[1].runs.length} runs with its 95 % bootstrap interval. The rest of this page
    shows the run with the median p99.
  </p>`;
  return section(
    'repeats',
    'Repeats',
    html`<div class="card wide">${note}${table(columns, rows, 'Repeats')}</div>`,
  );
}

/** A against B: ratios with intervals; a difference counts only if the interval excludes 1. */
export function comparisonSection({ comparison }: BenchmarkReport): Section[] {
  if (comparison === null) return [];
  const columns = [
    'Figure',
    ...numeric('A', 'B'),
    'Unit',
    ...numeric('B / A', 'Interval'),
    '',
    'Verdict',
  ];
  const span = spanOf(comparison.rows);
  const rows = comparison.rows.map(({ metric, unit, a, b, ratio, verdict }) => [
    metricLabel(metric),
    figure(a.median),
    figure(b.median),
    unit,
    figure(ratio.median),
    html`${figure(ratio.low)} to ${figure(ratio.high)}`,
    ratioPlot(ratio, span),
    verdictMarkup(verdict),
  ]);
  const [row] = comparison.rows;
  const runs =
    row === undefined
      ? ''
      : ` ${row.a.runs.length} runs of A and ${row.b.runs.length} of B, in the order A B B A, so that other activity of the machine affects both.`;
  const legend = html`<p><span class="side a">A</span> ${comparison.a}</p>
    <p><span class="side b">B</span> ${comparison.b}</p>
    <p class="quiet-text">
      Medians over runs; the ratio is B / A with its 95 % interval.${runs} A difference is reported
      only if the interval excludes 1.
    </p>`;
  return section(
    'comparison',
    'A against B',
    html`<div class="card wide">
      <p class="conclusion">${conclusion(comparison.rows)}</p>
      ${legend}${table(columns, rows, 'A against B')}
    </div>`,
  );
}

type ComparisonRow = NonNullable<BenchmarkReport['comparison']>['rows'][number];

/** How many powers of two the widest interval reaches; beyond three, it is cut off. */
function spanOf(rows: readonly ComparisonRow[]): number {
  const powers = rows
    .flatMap(({ ratio }) => [ratio.low, ratio.high])
    .map((one) => Math.abs(Math.log2(one)))
    .filter(Number.isFinite);
  return Math.min(3, Math.max(0.3, ...powers));
}

function conclusion(rows: readonly ComparisonRow[]): string {
  const better = (verdict: ComparisonRow['verdict']): string =>
    rows
      .filter((row) => row.verdict === verdict)
      .map(({ metric }) => metricLabel(metric))
      .join(', ');
  const parts = [
    ['A is better in: ', better('a is better')],
    ['B is better in: ', better('b is better')],
  ].filter(([, metrics]) => metrics !== '');
  return parts.length === 0
    ? 'No difference shown.'
    : `${parts.map((part) => part.join('')).join('. ')}.`;
}

function verdictMarkup(verdict: ComparisonRow['verdict']): Markup {
  switch (verdict) {
    case 'a is better':
      return html`<span class="verdict"><span class="side a">A</span> is better</span>`;
    case 'b is better':
      return html`<span class="verdict"><span class="side b">B</span> is better</span>`;
    case 'no difference shown':
      return html`<span class="verdict quiet-text">no difference shown</span>`;
  }
}
