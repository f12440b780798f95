import path from 'node:path';
import type { Run } from '../../babysitter/run-folder.ts';
import { ownCommand } from '../../core/own-command.ts';
import { VERSION } from '../../core/version.ts';
import { bytes, count, duration, exact, minute, short } from '../../report/format.ts';
import { html, type Markup } from '../../report/html.ts';
import { renderPage } from '../../report/page.ts';
import {
  card,
  contents,
  facts,
  mark,
  section,
  tableCard,
  tile,
  type Section,
} from '../../report/parts.ts';
import { numeric, table, type Cell } from '../../report/table.ts';
import { took, verdictOf, type Row, type Step } from './read-run.ts';
import { reportAssets } from './report-assets.ts';
import type { StepVerdict } from './schema.ts';

/** Rows of a table of checks; a page stays small enough to be opened. */
const MAX_ROWS = 1000;

/** What the page is about, besides the steps. */
export interface RunPage {
  readonly run: Pick<Run, 'dir' | 'runId' | 'processId' | 'createdAt'>;
  /** The name of the project. */
  readonly name: string;
  readonly steps: readonly Step[];
  /** Folder of the page, from which its links go; absolute. */
  readonly folder: string;
}

/** Renders the page of a run; see `renderPage`. */
export function renderRunPage({ run, name, steps, folder }: RunPage): string {
  const sections = [
    ...stepSection(steps, folder),
    ...failureSection(steps),
    ...builtSection(steps, folder),
    ...loadSection(steps),
    ...checkSection(steps),
  ];
  return renderPage({
    kind: 'Babysitter run',
    heading: name,
    meta: [run.processId, `run ${run.runId}`, minute(run.createdAt), ...total(steps)].join(' · '),
    skip: { to: 'summary', text: 'Skip to the result' },
    contents: contents(sections),
    main: html`${summary(steps, run.dir)} ${sections}`,
    keys: html``,
    tool: {
      version: VERSION,
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
    },
    data: {},
    assets: reportAssets(),
  });
}

function total(steps: readonly Step[]): string[] {
  const ms = steps.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0);
  return ms === 0 ? [] : [`tasks took ${duration(ms)}`];
}

const RESULTS: Readonly<Record<StepVerdict, string>> = {
  pass: 'Passed',
  fail: 'Failed',
  wait: 'Unfinished',
};

function summary(steps: readonly Step[], runDir: string): Markup {
  const verdict = verdictOf(steps);
  const of = (wanted: StepVerdict): Step[] => steps.filter((step) => step.verdict === wanted);
  const waiting = of('wait');
  const sub =
    verdict === 'pass'
      ? `all ${count(steps.length)} tasks`
      : verdict === 'fail'
        ? of('fail')
            .map(({ title }) => title)
            .join(', ')
        : `${count(of('pass').length)} of ${count(steps.length)} tasks are done`;
  return html`<section id="summary" aria-label="Summary">
    ${
      waiting.length > 0 &&
      html`<p class="note">
        ${waiting.map(({ title }) => title).join(', ')}: without a result yet. Go on with
        <code>${ownCommand('resume', runDir)}</code>
      </p>`
    }
    <div class="tiles">
      ${tile('Result', mark(verdict, RESULTS[verdict]), sub)} ${steps.flatMap(tilesOf)}
    </div>
  </section>`;
}

function tilesOf({ title, operation, rows, result, verdict }: Step): Markup[] {
  if (operation === 'benchmark') return loadTiles(result, verdict);
  if (operation === 'autobahn-test') {
    const { autobahnPassed, autobahnFailed } = result.compliance;
    return shareTile(title, autobahnPassed ?? 0, autobahnFailed ?? 0, 'cases passed');
  }
  const of = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length;
  const what = operation === 'validate-handshake' ? 'rules kept' : 'checks passed';
  const warnings = of('warn');
  const some = `${count(warnings)} ${warnings === 1 ? 'warning' : 'warnings'}`;
  const sub = warnings === 0 ? what : `${what}, ${some}`;
  return shareTile(title, of('pass'), of('fail'), sub);
}

function shareTile(title: string, passed: number, failed: number, what: string): Markup[] {
  const all = passed + failed;
  return all === 0 ? [] : [tile(title, `${count(passed)}/${count(all)}`, what)];
}

function loadTiles({ measured }: Step['result'], verdict: StepVerdict): Markup[] {
  const { response } = measured?.latency ?? {};
  const rate = measured?.rate.received ?? null;
  if (rate === null) return verdict === 'wait' ? [] : [tile('Load', '–', 'was not measured')];
  const p99 = response?.['p99'];
  const doubts = measured?.generator.reasons.length ?? 0;
  return [
    tile('Received', `${short(rate)}/s`, doubts === 0 ? 'under load' : 'in doubt: see Load'),
    ...(typeof p99 === 'number' ? [tile('Latency p99', duration(p99), 'under load')] : []),
  ];
}

/** A link to a file or folder, from the folder of the page. */
function link(target: string, folder: string, words: string): Markup {
  const parts = path.relative(folder, target).split(path.sep).map(encodeURIComponent);
  const href = parts.join('/').replaceAll('%2E', '.');
  return html`<a href="${href === '' ? './' : href}">${words}</a>`;
}

/** The page of a task that writes one. */
function reportLink({ result }: Step, folder: string): Cell {
  const page = result.reports.find((file) => file.endsWith('.html'));
  return page === undefined ? '' : link(page, folder, 'report');
}

function stepSection(steps: readonly Step[], folder: string): Section[] {
  const rows = steps.map((step) => [
    step.title,
    mark(step.verdict),
    step.detail,
    took(step),
    reportLink(step, folder),
  ]);
  const columns = ['Task', 'Verdict', 'Result', ...numeric('Took'), 'Report'];
  return section('verdicts', 'Verdicts', tableCard(columns, rows, 'Verdicts'));
}

function failureSection(steps: readonly Step[]): Section[] {
  const rows = steps.flatMap(({ title, rows, result }) => [
    ...rows
      .filter(({ verdict }) => verdict === 'fail')
      .map((row) => [title, html`<code>${row.id}</code>`, row.title, row.detail]),
    ...result.thresholds
      .filter(({ verdict }) => verdict !== 'pass')
      .map(({ threshold, value, unit }) => [
        title,
        html`<code>${threshold}</code>`,
        'threshold',
        value === null ? 'was not measured' : `measured ${exact(value)} ${unit}`,
      ]),
  ]);
  const columns = ['Task', 'Check', 'What has to hold', 'What was seen'];
  return section(
    'failed',
    'What failed',
    tableCard(columns, rows.slice(0, MAX_ROWS), 'What failed'),
  );
}

function builtSection(steps: readonly Step[], folder: string): Section[] {
  return section('built', 'What was built', ...steps.map((step) => builtCard(step, folder)));
}

function builtCard(step: Step, folder: string): Markup | undefined {
  const { operation, result, input } = step;
  if (operation === 'agent') return handlersCard(step);
  if (operation !== 'generate-server' && operation !== 'generate-client') return undefined;
  const noun = operation === 'generate-server' ? 'server' : 'client';
  const features = Array.isArray(input['features']) ? input['features'].map(String) : [];
  const rows: (readonly [string, string | Markup])[] = [
    ['Type', result.type],
    ['Language', result.language],
    ['Features', features.join(', ')],
    ['Subprotocols', Array.isArray(input['subprotocols']) ? input['subprotocols'].join(', ') : ''],
    ['Port', typeof input['port'] === 'number' ? String(input['port']) : ''],
    ['Folder', result.output === '' ? '' : link(`${result.output}/`, folder, result.output)],
  ];
  const size = result.files.reduce((sum, file) => sum + file.bytes, 0);
  return card(
    `The ${noun}`,
    html`${facts(rows.filter(([, value]) => value !== ''))}
      ${result.notes.map((note) => html`<p class="quiet-text">${note}</p>`)}
      ${
        result.commands.length > 0 &&
        html`<ul class="commands">
          ${result.commands.map((command) => html`<li><code>${command}</code></li>`)}
        </ul>`
      }
      <details class="rows">
        <summary>${count(result.files.length)} files, ${bytes(size)}</summary>
        ${table(
          ['File', ...numeric('Bytes')],
          result.files.map((file) => [
            link(path.join(result.output, file.path), folder, file.path),
            count(file.bytes),
          ]),
          'Files',
        )}
      </details>`,
  );
}

function handlersCard({ detail, result }: Step): Markup {
  return card(
    'Custom handlers',
    html`<p>${detail}</p>
      <p class="quiet-text">${result.filesChanged.join(', ')}</p>`,
  );
}

const PERCENTILES = ['p50', 'p90', 'p95', 'p99', 'p999', 'max'];

function loadSection(steps: readonly Step[]): Section[] {
  return steps
    .filter(({ operation }) => operation === 'benchmark')
    .flatMap(({ result: { measured, thresholds, mode, load } }) => {
      const response = measured?.latency.response ?? {};
      const latency = PERCENTILES.flatMap((name) => {
        const value = response[name];
        return typeof value === 'number' ? [[name, value] as const] : [];
      });
      const { rate, messages, connections } = measured ?? {};
      const numbers: (readonly [string, number | null | undefined])[] = [
        ['Connections', connections?.opened],
        ['Sent', messages?.sent],
        ['Received', messages?.received],
        ['Lost', messages?.lost],
      ];
      const known = numbers.flatMap(([label, value]) =>
        typeof value === 'number' ? [[label, count(value)] as const] : [],
      );
      const speed = typeof rate?.received === 'number' ? `${short(rate.received)}/s` : '';
      return section(
        'load',
        'Load',
        card(
          'What was measured',
          html`${facts(
            [['Mode', mode], ['Load', load], ...known, ['Received per second', speed]].filter(
              ([, value]) => value !== '',
            ) as [string, string][],
          )}
          ${measured?.generator.reasons.map((reason) => html`<p class="warn">${reason}</p>`)}`,
        ),
        latency.length === 0
          ? undefined
          : card(
              'Latency',
              table(
                ['Percentile', ...numeric('ms')],
                latency.map(([name, value]) => [name, value.toFixed(value < 10 ? 3 : 1)]),
                'Latency',
              ),
            ),
        thresholdCard(thresholds),
      );
    });
}

function thresholdCard(thresholds: Step['result']['thresholds']): Markup | undefined {
  return tableCard(
    ['Threshold', 'Verdict', ...numeric('Measured'), 'Unit'],
    thresholds.map(({ threshold, verdict, value, unit }) => [
      html`<code>${threshold}</code>`,
      mark(verdict),
      value === null ? '–' : exact(value),
      unit,
    ]),
    'Thresholds',
  );
}

function checkSection(steps: readonly Step[]): Section[] {
  const cards = steps
    .filter(({ rows }) => rows.length > 0)
    .map(
      ({ title, rows, detail }) =>
        html`<details class="card wide rows">
          <summary><strong>${title}</strong> <span class="quiet-text">${detail}</span></summary>
          ${table(
            ['Check', 'Verdict', 'What has to hold', 'What was seen', 'Where it is said'],
            worstFirst(rows)
              .slice(0, MAX_ROWS)
              .map((row) => [
                html`<code>${row.id}</code>`,
                mark(row.verdict),
                row.title,
                row.detail,
                row.section,
              ]),
            title,
          )}
        </details>`,
    );
  return section('checks', 'Every check', ...cards);
}

const ORDER = ['fail', 'warn', 'skip', 'info', 'pass'];

function worstFirst(rows: readonly Row[]): Row[] {
  return [...rows].sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict));
}
