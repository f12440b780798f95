import type { Metrics } from '../../metrics.ts';
import { prefix, type Side } from '../sides.ts';
import type { Figure } from '../chart.ts';
import { bytes, count, figure, short } from '../../../report/format.ts';
import { html, type Markup } from '../../../report/html.ts';
import { numeric, table } from '../../../report/table.ts';
import { sideBadge, figureMarkup } from './figure.ts';
import { card, facts, mark, section, tableCard, type Section } from '../../../report/parts.ts';
import { countedTitle, type Mode } from './tiles.ts';

/** A row for each figure, a column for each run. */
function bySide(
  sides: readonly Side[],
  rows: readonly (readonly [label: string, value: (measured: Metrics) => string])[],
  label: string,
): Markup {
  const columns = ['', ...numeric(...sides.map((side) => side.label))];
  const cells = rows.map(([head, value]) => [
    head,
    ...sides.map(({ measured }) => value(measured)),
  ]);
  return table(columns, cells, label);
}

/** Messages by what happened to them, and rates. */
export function throughputSection(
  sides: readonly Side[],
  mode: Mode,
  chart: Figure | undefined,
): Section[] {
  if (!sides.some(({ measured }) => measured.messages.intended > 0)) return [];
  const messages = bySide(
    sides,
    [
      ['Intended', ({ messages: own }) => count(own.intended)],
      ['Never sent', ({ messages: own }) => count(own.unsent)],
      ['Sent', ({ messages: own }) => count(own.sent)],
      ['Received', ({ messages: own }) => count(own.received)],
      ['Lost', ({ messages: own }) => count(own.lost)],
      ['In flight at the end', ({ messages: own }) => count(own.inFlight)],
      ['Duplicated', ({ messages: own }) => count(own.duplicated)],
      ['Out of order', ({ messages: own }) => count(own.outOfOrder)],
      ['Wrong', ({ messages: own }) => count(own.wrong)],
    ],
    'Messages',
  );
  const rates = sides.map((side) => {
    const { rate, bytes: own, phases } = side.measured;
    const of = prefix(side);
    const perSecond = (amount: number): string =>
      phases.measureMs === 0 ? '' : ` (${bytes((amount * 1000) / phases.measureMs)}/s)`;
    return facts([
      [`${of}sent`, `${short(rate.sent)}/s`],
      [`${of}received`, `${short(rate.received)}/s`],
      [`${of}bytes sent`, `${bytes(own.sent)}${perSecond(own.sent)}`],
      [`${of}bytes received`, `${bytes(own.received)}${perSecond(own.received)}`],
    ]);
  });
  const laws = sides.flatMap((side) => littlesLaw(side) ?? []);
  return section(
    'throughput',
    'Throughput',
    figureMarkup(chart),
    card(countedTitle(mode), messages),
    card('Rates', html`${rates}${laws}`),
  );
}

/** If connections x depth / rate is not the mean service time, the measured times are wrong. */
function littlesLaw(side: Side): Markup | undefined {
  const law = side.measured.littlesLaw;
  if (law === null) return undefined;
  return html`<div class="law">
    <h4>
      ${prefix(side)}Little’s law
      ${law.holds ? mark('pass', 'holds') : mark('fail', 'does not hold')}
    </h4>
    <p class="quiet-text">
      In a closed loop, connections × depth ÷ rate equals the mean service time: expected
      ${figure(law.expectedMs)} ms, measured ${figure(law.measuredMs)} ms.
    </p>
  </div>`;
}

/** Errors by kind, each with its first example. */
export function errorSection(sides: readonly Side[], chart: Figure | undefined): Section[] {
  const rows = sides.flatMap((side) =>
    [...side.measured.errors]
      .sort((a, b) => b.count - a.count)
      .map(({ kind, detail, count: own, first }) => [
        html`${sideBadge(side)}${kind}`,
        detail,
        count(own),
        html`<span class="example">${first}</span>`,
      ]),
  );
  const columns = ['Kind', 'Detail', ...numeric('Count'), 'First example'];
  return section(
    'errors',
    'Errors',
    tableCard(columns, rows, 'Errors by kind') ??
      html`<p class="card wide">${mark('pass', 'No errors.')}</p>`,
    figureMarkup(chart),
  );
}

/** Connections by what happened to them, and how evenly they were served. */
export function connectionSection(
  sides: readonly Side[],
  charts: { overTime: Figure | undefined; toConnect: Figure | undefined },
): Section[] {
  const counts = bySide(
    sides,
    [
      ['Requested', ({ connections }) => count(connections.requested)],
      ['Opened', ({ connections }) => count(connections.opened)],
      ['Failed', ({ connections }) => count(connections.failed)],
      ['Dropped', ({ connections }) => count(connections.dropped)],
      ['Handshakes per second', ({ connections }) => short(connections.perSecond)],
    ],
    'Connections',
  );
  const fairness = sides.flatMap((side) => fairnessMarkup(side) ?? []);
  return section(
    'connections',
    'Connections',
    figureMarkup(charts.overTime),
    figureMarkup(charts.toConnect),
    card('Counts', counts),
    fairness.length === 0 ? undefined : card('Fairness', html`${fairness}`),
  );
}

function fairnessMarkup(side: Side): Markup | undefined {
  const { fairness } = side.measured;
  if (fairness === null) return undefined;
  const { min, median, max } = fairness;
  const at = (value: number): string => (max === 0 ? '0' : ((100 * value) / max).toFixed(2));
  const bars = (
    [
      ['fewest', min],
      ['median', median],
      ['most', max],
    ] as const
  ).map(
    ([name, value]) =>
      html`<div class="bar">
        <span>${name}</span
        ><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
          <rect class="fill-${side.key}" width="${at(value)}" height="1" /></svg
        ><span class="number">${count(value)}</span>
      </div>`,
  );
  const verdict =
    min === 0
      ? 'Some connections received no reply.'
      : `The connection with the most replies received ${figure(max / min)} times as many as the one with the fewest.`;
  return html`<div class="fairness">
    <p class="quiet-text">${sideBadge(side)}Replies per connection. ${verdict}</p>
    ${bars}
  </div>`;
}
