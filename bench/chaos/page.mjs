// The report of a run as one HTML page, with the pieces of our other reports.
import { cpus, release, type } from 'node:os';
import { count, duration, figure, minute } from '../../dist/src/report/format.js';
import { html } from '../../dist/src/report/html.js';
import { renderPage } from '../../dist/src/report/page.js';
import { contents, facts, mark, section, tableCard, tile } from '../../dist/src/report/parts.js';
import { numeric } from '../../dist/src/report/table.js';
import { reportAssets } from '../../dist/src/load/report/report-assets.js';
import { figureMarkup } from '../../dist/src/load/report/sections/figure.js';
import { commandCard } from '../../dist/src/load/report/sections/resources.js';
import { VERSION } from '../../dist/src/core/version.js';
import { FAULTS } from './plan.mjs';

/** Violations that the page lists. */
const LISTED = 200;

/** `p` of 0 to 1 of sorted milliseconds, as text. */
export function percentile(times, p) {
  const value = times[Math.min(times.length - 1, Math.floor(times.length * p))];
  return value === undefined ? '–' : duration(value);
}

/** The kind of a fault, and which of the nodes had it. */
export function nameOf({ kind, targets }) {
  return [kind, ...targets.filter((target) => target.startsWith('node'))].join(' ');
}

/** @param {object} report of run.mjs */
export function renderChaos(report) {
  const { seed, seconds, startedAt } = report;
  const figures = chartsOf(report);
  const sections = [
    ...section('timeline', 'Timeline', ...figures.map(figureMarkup)),
    ...section('faults', 'Faults', faultTable(report), kindTable(report)),
    ...section('violations', 'Broken promises', violationTable(report)),
    ...section('run', 'What was run', setup(report), commandCard(report.command)),
  ];
  const length = report.log.clients.length === 0 ? 0 : Math.ceil(report.tookMs / 1000);
  return renderPage({
    kind: 'Chaos',
    heading: `${report.clients} clients, ${report.faults.length} faults, seed ${seed}`,
    meta: `${report.type} · ${duration(seconds * 1000)} of faults · ${minute(startedAt)}`,
    skip: { to: 'summary', text: 'Skip to the figures' },
    contents: contents(sections),
    main: html`${summary(report)} ${sections}`,
    keys: html`In a chart: <kbd>←</kbd> <kbd>→</kbd> read the points · drag to zoom, double-click to
      see all`,
    tool: { version: VERSION, node: process.version, platform: `${type()} ${release()}` },
    data: {
      axis: { seconds: Array.from({ length }, (_, at) => at + 1), step: 1, phases: [] },
      charts: figures.map(({ chart }) => chart),
    },
    assets: reportAssets(),
  });
}

function summary({ judgement, figures, clients }) {
  const { verdict, violations, acknowledged } = judgement;
  const total = (key) => figures.reduce((sum, each) => sum + each[key], 0);
  const reconnects = figures.flatMap((each) => each.reconnects).sort((a, b) => a - b);
  const result = verdict === 'pass' ? mark('pass', 'Passed') : mark('fail', 'Failed');
  const broken = `${count(violations.length)} broken promises`;
  return html`<section id="summary" aria-label="Summary">
    <div class="tiles">
      ${tile('Result', result, verdict === 'pass' ? 'every promise was kept' : broken)}
      ${tile(
        'Published',
        count(total('published')),
        `${count(acknowledged.all)} acknowledged, ${count(total('unknown'))} with an unknown outcome`,
      )}
      ${tile('Delivered', count(total('delivered')), 'what clients missed included')}
      ${tile(
        'Reconnect p50',
        percentile(reconnects, 0.5),
        `p99 ${percentile(reconnects, 0.99)}, highest ${percentile(reconnects, 1)}`,
      )}
      ${tile(
        'Recovered',
        count(total('recovered')),
        `rooms of ${count(clients)} clients; ${count(total('told'))} told recovered: false`,
      )}
      ${tile(
        'Lost without a word',
        count(total('losses')),
        `${count(total('duplicates'))} duplicates; ${count(acknowledged.lost)} acknowledged, lost and told`,
      )}
    </div>
  </section>`;
}

function faultTable({ faults, figures }) {
  const head = [
    'Fault',
    ...numeric('At', 'Lasted', 'Connections lost', 'Reconnect p50', 'p99', 'Highest'),
    ...numeric('Published', 'Delivered', 'Recovered', 'Told not recovered'),
    ...numeric('Duplicates', 'Losses'),
  ];
  const rows = [undefined, ...faults].map((fault, at) => {
    const { reconnects, published, delivered, recovered, told, duplicates, losses } = figures[at];
    return [
      fault === undefined ? 'before any' : nameOf(fault),
      fault === undefined ? '' : `${(fault.at / 1000).toFixed(1)} s`,
      fault === undefined ? '' : duration(fault.endedAt - fault.at),
      count(reconnects.length),
      ...[0.5, 0.99, 1].map((p) => percentile(reconnects, p)),
      ...[published, delivered, recovered, told, duplicates, losses].map(count),
    ];
  });
  return html`<p class="note">
      Each row is of what happened until the next fault. Reconnect times are from the loss of a
      connection until its client has asked for everything that it missed, and has got it.
    </p>
    ${tableCard(head, rows, 'Faults')}`;
}

function kindTable({ faults }) {
  const kinds = Object.entries(FAULTS).map(([kind, { what }]) => {
    const times = faults.filter((fault) => fault.kind === kind).length;
    return [kind, what, count(times)];
  });
  return tableCard(['Kind', 'What is done', ...numeric('Times')], kinds, 'Kinds of faults');
}

function violationTable({ judgement: { violations } }) {
  if (violations.length === 0) return html`<p class="note">There are none.</p>`;
  const rows = violations
    .slice(0, LISTED)
    .map(({ at, kind, client = '', room = '', text }) => [
      `${(at / 1000).toFixed(1)} s`,
      kind,
      client,
      room,
      text,
    ]);
  const table = tableCard(['At', 'Kind', 'Client', 'Room', 'What'], rows, 'Broken promises');
  const more = violations.length - rows.length;
  return more > 0
    ? html`${table}
        <p class="note">and ${count(more)} more</p>`
    : table;
}

function setup({ clients, rooms, rate, type: kind, isCalm, seconds, tookMs }) {
  const rows = [
    [
      'Servers',
      `two nodes of a generated ${kind} project, all features, behind its own nginx.conf`,
    ],
    ['Redis', 'one, which writes each change to its disk before it answers (appendfsync always)'],
    ['Clients', `${clients} of generate-client, in ${rooms} rooms; at most 2 s between attempts`],
    ['Load', `${figure(rate)} messages a second are published, by all clients together`],
    ['Faults', `for ${duration(seconds * 1000)}`],
    ['At the end', isCalm ? `all was well after ${duration(tookMs)}` : 'not all became well'],
    ['Machine', `${cpus()[0].model}, ${cpus().length} cores, shared by all of this`],
  ];
  return html`<div class="card wide">${facts(rows)}</div>`;
}

/** Figures over time, one for each second. */
function chartsOf({ log, faults, tookMs }) {
  const length = Math.ceil(tookMs / 1000);
  const zeros = () => Array(length).fill(0);
  const per = { sent: zeros(), message: zeros(), recovered: zeros(), told: zeros() };
  for (const { events } of log.streams) {
    for (const [type_, at, value] of events) {
      const name = type_ === 'recovered' && !value ? 'told' : type_;
      const second = Math.floor(at / 1000);
      if (name in per && second < length) per[name][second] += 1;
    }
  }
  const changes = log.clients.flatMap(({ states }) => {
    let isOpen = false;
    return states.flatMap(([at, state]) => {
      const before = isOpen;
      // A client that asks for what it missed is connected, too, but not there yet.
      isOpen = state === 'open';
      return isOpen === before ? [] : [{ at, by: isOpen ? 1 : -1 }];
    });
  });
  const open = zeros();
  for (const { at, by } of changes) {
    for (let second = Math.floor(at / 1000); second < length; second += 1) open[second] += by;
  }
  const inForce = open.map(
    (_, second) =>
      faults.filter(({ at, endedAt }) => at < (second + 1) * 1000 && endedAt >= second * 1000)
        .length,
  );
  const chart = (id, title, note, unit, label, series, logarithmic = false) => ({
    chart: { id, x: { kind: 'time' }, unit, label, logarithmic, series },
    ...{ title, note, wide: true },
    head: ['Second', ...series.map((each) => each.label)],
    rows: open.map((_, at) => [count(at + 1), ...series.map(({ values }) => count(values[at]))]),
  });
  const series = (label, tone, style, values) => ({ label, tone, style, values });
  return [
    chart(
      'clients',
      'Clients over time',
      'Clients that are connected, and have asked for all that they missed, at the end of each second.',
      'count',
      'clients',
      [series('open', 'a', 'area', open)],
    ),
    chart(
      'faults-over-time',
      'Faults over time',
      'Faults that were in force in each second.',
      'count',
      'faults',
      [series('in force', 'bad', 'step-area', inForce)],
    ),
    chart(
      'messages',
      'Messages over time',
      'Messages that clients published, and that were given to applications, in each second.',
      '/s',
      'messages per second',
      [series('delivered', 'a', 'area', per.message), series('published', 'b', 'line', per.sent)],
      true,
    ),
    chart(
      'told',
      'Told to applications',
      'Rooms whose client was told, in each second, that nothing was missed (recovered) or that something may be.',
      'count',
      'rooms of clients',
      [
        series('recovered', 'good', 'steps', per.recovered),
        series('told not recovered', 'bad', 'steps', per.told),
      ],
    ),
  ];
}
