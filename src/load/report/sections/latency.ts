import type { Percentiles } from '../../metrics.ts';
import type { Side } from '../sides.ts';
import type { Figure } from '../chart.ts';
import { count, figure } from '../../../report/format.ts';
import { html } from '../../../report/html.ts';
import { numeric, type Cell } from '../../../report/table.ts';
import { sideBadge, figureMarkup } from './figure.ts';
import { section, tableCard, type Section } from '../../../report/parts.ts';
import type { Mode } from './tiles.ts';

/** Each kind of time and what it measures, of a message or connection. */
const KINDS = [
  ['response', 'Response', 'from its due time to its reply'],
  ['service', 'Service', 'from its send to its reply'],
  ['lastDelivery', 'Last delivery', 'from publishing to the last receiver'],
  ['lateness', 'Lateness', 'from its due time to its send'],
  ['connect', 'Connect', 'from the start to status 101'],
] as const;

const COLUMNS = [
  ['Mean', 'mean'],
  ['p50', 'p50'],
  ['p75', 'p75'],
  ['p90', 'p90'],
  ['p95', 'p95'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
  ['Highest', 'max'],
] as const satisfies readonly (readonly [string, keyof Percentiles])[];

/** In mode `connect` the times are those of a handshake. */
const OF_HANDSHAKES: Readonly<Record<string, string>> = {
  response: 'from its due time until it is open',
  service: 'from its start until it is open',
  lateness: 'from its due time to its start',
};

/** Every percentile of every kind of time, then the charts. */
export function latencySection(
  sides: readonly Side[],
  mode: Mode,
  figures: {
    overTime: Figure | undefined;
    percentiles: Figure | undefined;
    histogram: Figure | undefined;
  },
): Section[] {
  const rows = KINDS.flatMap(([key, name, meaning]) =>
    sides.flatMap((side): Cell[][] => {
      const own = side.measured.latency[key];
      if (own === null || own.count === 0) return [];
      const said = mode === 'connect' ? (OF_HANDSHAKES[key] ?? meaning) : meaning;
      const head = html`${sideBadge(side)}${name} <span class="quiet-text">${said}</span>`;
      return [[head, count(own.count), ...COLUMNS.map(([, column]) => figure(own[column]))]];
    }),
  );
  const columns = ['Milliseconds', ...numeric('Count', ...COLUMNS.map(([head]) => head))];
  return section(
    'latency',
    'Latency',
    tableCard(columns, rows, 'Latency in milliseconds'),
    figureMarkup(figures.overTime),
    figureMarkup(figures.percentiles),
    figureMarkup(figures.histogram),
  );
}
