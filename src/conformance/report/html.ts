import { minute } from '../../report/format.ts';
import { html, type Markup } from '../../report/html.ts';
import { renderPage } from '../../report/page.ts';
import { printable } from '../../report/printable.ts';
import { numeric, table } from '../../report/table.ts';
import type { ConformanceRun } from '../result.ts';
import { countVerdicts, HEADINGS, VERDICTS, type Verdict } from '../verdict.ts';
import type { CaseFiles } from './case-files.ts';
import {
  describeBehaviors,
  summarizeComparison,
  worstFirst,
  type Change,
  type Comparison,
} from './compare.ts';
import { problemsOf, reasonGroups, staleRows, verdictSentence } from './expectations.ts';
import { pageData } from './page-data.ts';
import { listCases, reasonOf } from './reason.ts';
import { reportAssets } from './report-assets.ts';

/** Rows of the table for browsers without scripts, and of the comparison. */
const MAX_ROWS = 200;

/** With more improvements than this, their table starts closed. */
const MAX_OPEN = 12;

/** The name of a verdict as a class of the style sheet. */
const CLASSES: Readonly<Record<Verdict, string>> = {
  fail: 'fail',
  'non-strict': 'warn',
  unimplemented: 'unimplemented',
  informational: 'info',
  pass: 'pass',
};

/** Renders the page of a conformance run; see `renderPage`. */
export function renderHtml(run: ConformanceRun, files: CaseFiles, comparison?: Comparison): string {
  return renderPage({
    kind: 'WebSocket conformance',
    heading: heading(run),
    meta: metaLine(run),
    skip: { to: 'cases', text: 'Skip to the cases' },
    main: html`<p class="verdict">${verdictSentence(run)}</p>
      ${notes(run)} ${summary(run)} ${reasonsCard(run)}
      ${comparison && comparisonCard(comparison, run.agents.length > 1)} ${casesSection(run)}`,
    keys: html`<kbd>j</kbd> <kbd>k</kbd> or arrows move · <kbd>Enter</kbd> opens ·
      <kbd>Esc</kbd> closes · <kbd>n</kbd> next failure · <kbd>/</kbd> searches`,
    tool: run.environment,
    data: pageData(run, files, comparison),
    assets: reportAssets(),
  });
}

/** What did not pass, by its reason: of a hundred cases that fail alike one line. */
function reasonsCard(run: ConformanceRun): Markup | false {
  const groups = reasonGroups(run);
  if (groups.length === 0) return false;
  const rows = groups
    .slice(0, MAX_ROWS)
    .map(({ verdict, reason, cases }) => [
      String(cases.length),
      html`<span class="${CLASSES[verdict]}">${verdict}</span>`,
      reason,
      listCases(cases),
    ]);
  return html`<section class="card reasons">
    <h2>Reasons</h2>
    ${table([...numeric('Cases'), 'Verdict', 'Why', 'Which'], rows, 'Reasons')}
  </section>`;
}

/** The matrix of cases with its filters, which the page's script fills. */
function casesSection(run: ConformanceRun): Markup {
  return html`<section id="cases" aria-labelledby="cases-title">
      <div class="cases-head">
        <h2 id="cases-title">Cases</h2>
        <output id="count" class="count"></output>
      </div>
      <div class="toolbar" role="search">
        <input
          id="search"
          type="search"
          placeholder="Search id, title, reason"
          aria-label="Search cases by id, title or reason"
          autocomplete="off"
          spellcheck="false"
        />
        <select id="section" aria-label="Section"></select>
        <div id="verdicts" class="chips" role="group" aria-label="Verdicts to show"></div>
        <label class="fold"><input id="fold" type="checkbox" checked /> Fold passes</label>
      </div>
      <noscript>${failureTable(run)}</noscript>
      <div id="workspace" class="workspace">
        <div class="list">
          <table id="grid" role="grid" aria-labelledby="cases-title"></table>
          <p id="none" class="none" hidden>
            No case matches. <button type="button" class="quiet" id="reset">Show all</button>
          </p>
        </div>
        <aside id="detail" tabindex="-1" aria-labelledby="detail-title" hidden></aside>
      </div>
    </section>
    <div id="print"></div>`;
}

function heading(run: ConformanceRun): string {
  const { role, target } = run.options;
  if (role === 'server') return printable(target);
  const [first] = run.agents;
  return run.agents.length === 1 ? printable(first?.agent ?? '') : `${run.agents.length} clients`;
}

function metaLine({ options, agents, startedAt, durationMs }: ConformanceRun): string {
  const who =
    options.role === 'server' ? (agents[0]?.agent ?? 'the server') : `clients of ${options.target}`;
  const count = new Set(agents.flatMap(({ cases }) => cases.map(({ id }) => id))).size;
  return printable(
    `${count} case${count === 1 ? '' : 's'} against ${who}, ${minute(startedAt)}, ${(durationMs / 1000).toFixed(1)} s`,
  );
}

function notes(run: ConformanceRun): Markup[] {
  const stale = staleRows(run);
  return [
    ...(run.interrupted ? ['The run was interrupted: the missing cases did not run.'] : []),
    ...(run.options.quick ? ['Quick run: sections 12 and 13 ran with fewer messages.'] : []),
    ...(run.machineTooBusy === null ? [] : [run.machineTooBusy]),
    ...run.notes,
    ...stale.map(
      (row) =>
        `Case ${row.case} no longer fails: remove its row from the file of expected failures (${row.reason}).`,
    ),
  ].map((note) => html`<p class="note">${note}</p>`);
}

function summary(run: ConformanceRun): Markup {
  const rows = run.agents.map(({ agent, cases }) => {
    const counts = countVerdicts(cases);
    const cells = VERDICTS.map((verdict) => {
      const count = counts[verdict];
      const style = count === 0 ? 'zero' : CLASSES[verdict];
      const label = HEADINGS[verdict].toLowerCase();
      return html`<td class="number ${style}" data-label="${label}">${count}</td>`;
    });
    return html`<tr>
      <th scope="row">${agent}</th>
      <td class="bar">${bar(counts, cases.length)}</td>
      ${cells}
    </tr>`;
  });
  const heads = VERDICTS.map(
    (verdict) => html`<th scope="col" class="number">${HEADINGS[verdict]}</th>`,
  );
  return html`<section class="card summary" aria-label="Summary">
    <table>
      <thead>
        <tr>
          <th scope="col">Agent</th>
          <th scope="col" class="bar"></th>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </section>`;
}

/** A bar of the verdicts; widths are attributes, as the policy forbids style attributes. */
function bar(counts: Readonly<Record<Verdict, number>>, total: number): Markup {
  let at = 0;
  const parts = [...VERDICTS].reverse().flatMap((verdict) => {
    const width = total === 0 ? 0 : (100 * counts[verdict]) / total;
    const x = at.toFixed(3);
    at += width;
    if (width === 0) return [];
    return html`<rect
      class="fill-${CLASSES[verdict]}"
      x="${x}"
      y="0"
      width="${width.toFixed(3)}"
      height="1"
    />`;
  });
  return html`<svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
    ${parts}
  </svg>`;
}

function comparisonCard(comparison: Comparison, several: boolean): Markup {
  const { changes } = comparison;
  const better = changes.filter(({ direction }) => direction === 'better');
  const rest = worstFirst(changes.filter(({ direction }) => direction !== 'better'));
  const folded = html`<details ${better.length <= MAX_OPEN ? 'open' : ''}>
    <summary>${better.length} better</summary>
    ${changeTable(better, several)}
  </details>`;
  return html`<section class="card comparison" aria-labelledby="compared">
    <h2 id="compared">Compared with ${comparison.file}</h2>
    <p>${summarizeComparison(comparison)}</p>
    ${rest.length > 0 && changeTable(rest, several)} ${better.length > 0 && folded}
  </section>`;
}

const CHANGES: Readonly<Record<Change['direction'], readonly [style: string, label: string]>> = {
  worse: ['fail', '▼ worse'],
  better: ['pass', '▲ better'],
  changed: ['warn', '◆ changed'],
};

function changeTable(changes: readonly Change[], several: boolean): Markup {
  const rows = changes.slice(0, MAX_ROWS).map(({ agent, id, before, after, direction }) => {
    const [style, label] = CHANGES[direction];
    return html`<tr>
      <td class="${style}">${label}</td>
      ${several && html`<td>${agent}</td>`}
      <th scope="row">${id}</th>
      <td>${describeBehaviors(before)}</td>
      <td>${describeBehaviors(after)}</td>
    </tr>`;
  });
  const heads = ['', ...(several ? ['Agent'] : []), 'Case', 'Before', 'Now'];
  const rest = changes.length - rows.length;
  return html`<table>
      <thead>
        <tr>
          ${heads.map((head) => html`<th scope="col">${head}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
    ${rest > 0 && html`<p>and ${rest} more</p>`}`;
}

/** What failed, for browsers without scripts. */
function failureTable(run: ConformanceRun): Markup {
  const problems = run.agents.flatMap((agent) => problemsOf(run, agent));
  if (problems.length === 0) {
    return html`<p>Every case passed; the list of them needs JavaScript.</p>`;
  }
  const rows = problems.slice(0, MAX_ROWS).map(
    ({ result }) =>
      html`<tr>
        <th scope="row">${result.id}</th>
        <td>${result.agent}</td>
        <td>${result.title}</td>
        <td>${reasonOf(result)}</td>
      </tr>`,
  );
  return html`<p>The ${problems.length} cases that fail; the rest of the page needs JavaScript.</p>
    <table>
      <tbody>
        ${rows}
      </tbody>
    </table>`;
}
