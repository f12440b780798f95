import { createHash } from 'node:crypto';
import type { ConformanceRun } from '../result.ts';
import { countVerdicts, VERDICTS, type Verdict } from '../verdict.ts';
import type { CaseFiles } from './case-files.ts';
import { describeJudgement, summarizeComparison, type Change, type Comparison } from './compare.ts';
import { problemsOf, staleRows } from './expectations.ts';
import { pageData } from './page-data.ts';
import { HEADINGS } from './headings.ts';
import { printable } from '../../report/printable.ts';
import { reasonOf } from './reason.ts';
import { reportAssets } from './report-assets.ts';

/** Rows of tables that are written for readers without scripts, and of the comparison. */
const MAX_ROWS = 200;

/** Up to how many improvements are shown unfolded. */
const MAX_OPEN = 12;

/** The name of a verdict as a class of the style sheet. */
const CLASSES: Readonly<Record<Verdict, string>> = {
  fail: 'fail',
  'non-strict': 'nonstrict',
  unimplemented: 'unimplemented',
  informational: 'info',
  pass: 'pass',
};

/**
 * Renders the page: one file that needs no other and asks the network for nothing.
 *
 * Its content security policy lets only this style and this script through, so what a peer says
 * stays text even if an escape were missing.
 */
export function renderHtml(run: ConformanceRun, files: CaseFiles, comparison?: Comparison): string {
  const { html, css, js } = reportAssets();
  const names = run.agents.map(({ agent }) => printable(agent)).join(', ');
  const values: Readonly<Record<string, string>> = {
    csp: `default-src 'none'; img-src data:; style-src ${sha256(css)}; script-src ${sha256(js)}; base-uri 'none'; form-action 'none'`,
    title: escapeHtml(`WebSocket conformance: ${names}`),
    heading: escapeHtml(heading(run)),
    meta: escapeHtml(metaLine(run)),
    notes: notes(run),
    summary: summary(run),
    comparison: comparison === undefined ? '' : comparisonCard(comparison, run.agents.length > 1),
    noscript: `<noscript>${failureTable(run)}</noscript>`,
    tool: escapeHtml(
      `websocket-skill ${run.environment.version} on Node ${run.environment.node}, ${run.environment.platform}`,
    ),
    data: `<script type="application/json" id="data">${embed(pageData(run, files, comparison))}</script>`,
    style: `<style>${css}</style>`,
    script: `<script>${js}</script>`,
  };
  // One pass: text of a peer that looks like a placeholder is not looked at again.
  return html.replace(
    /\{\{(\w+)\}\}|<!--(\w+)-->/g,
    (_, inText: string | undefined, block: string | undefined) =>
      values[inText ?? block ?? ''] ?? '',
  );
}

function sha256(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** JSON that cannot end the script element it stands in. */
function embed(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

function heading(run: ConformanceRun): string {
  const [first] = run.agents;
  if (first === undefined) return printable(run.options.target);
  if (run.agents.length === 1) return printable(first.agent) || run.options.role;
  return `${run.agents.length} ${run.options.role}s`;
}

function metaLine({ options, agents, startedAt, durationMs }: ConformanceRun): string {
  const count = new Set(agents.flatMap(({ cases }) => cases.map(({ id }) => id))).size;
  const started = `${startedAt.slice(0, 10)} ${startedAt.slice(11, 16)} UTC`;
  return printable(
    `${count} case${count === 1 ? '' : 's'} against the ${options.role} at ${options.target}, ${started}, ${(durationMs / 1000).toFixed(1)} s`,
  );
}

function notes(run: ConformanceRun): string {
  const stale = staleRows(run);
  return [
    ...(run.interrupted ? ['The run was interrupted: cases that are missing were not run.'] : []),
    ...(run.options.quick ? ['Quick run: sections 12 and 13 ran with fewer messages.'] : []),
    ...(run.machineTooBusy === null ? [] : [run.machineTooBusy]),
    ...run.notes,
    ...stale.map(
      (row) => `Case ${row.case} does not fail any more: remove its row (${row.reason}).`,
    ),
  ]
    .map((note) => `<p class="note">${escapeHtml(printable(note))}</p>`)
    .join('\n');
}

function summary(run: ConformanceRun): string {
  const rows = run.agents.map(({ agent, cases }) => {
    const counts = countVerdicts(cases);
    const cells = VERDICTS.map((verdict) => {
      const count = counts[verdict];
      const style = count === 0 ? 'number zero' : `number ${CLASSES[verdict]}`;
      return `<td class="${style}" data-label="${HEADINGS[verdict].toLowerCase()}">${count}</td>`;
    });
    return `<tr><th scope="row">${escapeHtml(printable(agent))}</th><td class="bar">${bar(counts, cases.length)}</td>${cells.join('')}</tr>`;
  });
  const heads = VERDICTS.map(
    (verdict) => `<th scope="col" class="number">${HEADINGS[verdict]}</th>`,
  );
  return `<section class="card summary" aria-label="Summary"><table><thead><tr><th scope="col">Agent</th><th scope="col" class="bar"></th>${heads.join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></section>`;
}

/** A bar of the verdicts; widths are attributes, as the policy forbids style attributes. */
function bar(counts: Readonly<Record<Verdict, number>>, total: number): string {
  let at = 0;
  const parts = [...VERDICTS].reverse().map((verdict) => {
    const width = total === 0 ? 0 : (100 * counts[verdict]) / total;
    const part = `<rect class="fill-${CLASSES[verdict]}" x="${at.toFixed(3)}" y="0" width="${width.toFixed(3)}" height="1"/>`;
    at += width;
    return width === 0 ? '' : part;
  });
  return `<svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">${parts.join('')}</svg>`;
}

function comparisonCard(comparison: Comparison, several: boolean): string {
  const { changes } = comparison;
  const better = changes.filter(({ direction }) => direction === 'better');
  const order = ['worse', 'other'];
  const rest = changes
    .filter(({ direction }) => direction !== 'better')
    .sort((a, b) => order.indexOf(a.direction) - order.indexOf(b.direction));
  const folded = `<details${better.length <= MAX_OPEN ? ' open' : ''}><summary>${better.length} better</summary>${changeTable(better, several)}</details>`;
  return [
    '<section class="card comparison" aria-labelledby="compared">',
    `<h2 id="compared">Compared with ${escapeHtml(printable(comparison.file))}</h2>`,
    `<p>${escapeHtml(summarizeComparison(comparison))}</p>`,
    rest.length === 0 ? '' : changeTable(rest, several),
    better.length === 0 ? '' : folded,
    '</section>',
  ].join('');
}

const CHANGES: Readonly<Record<Change['direction'], readonly [style: string, label: string]>> = {
  worse: ['fail', '▼ worse'],
  better: ['pass', '▲ better'],
  other: ['nonstrict', '◆ changed'],
};

function changeTable(changes: readonly Change[], several: boolean): string {
  const cell = (text: string): string => `<td>${escapeHtml(text)}</td>`;
  const rows = changes.slice(0, MAX_ROWS).map(({ agent, id, before, after, direction }) => {
    const [style, label] = CHANGES[direction];
    return `<tr><td class="${style}">${label}</td>${several ? cell(printable(agent)) : ''}<th scope="row">${escapeHtml(id)}</th>${cell(describeJudgement(before))}${cell(describeJudgement(after))}</tr>`;
  });
  const heads = ['', ...(several ? ['Agent'] : []), 'Case', 'Before', 'Now'];
  const rest = changes.length - rows.length;
  return [
    `<table><thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join('')}</tr></thead>`,
    `<tbody>${rows.join('')}</tbody></table>`,
    rest > 0 ? `<p>and ${rest} more</p>` : '',
  ].join('');
}

/** What failed, for readers without scripts. */
function failureTable(run: ConformanceRun): string {
  const problems = run.agents.flatMap((agent) => problemsOf(run, agent));
  if (problems.length === 0) return '<p>Every case passed; the list of them needs JavaScript.</p>';
  const rows = problems
    .slice(0, MAX_ROWS)
    .map(
      ({ result }) =>
        `<tr><th scope="row">${escapeHtml(result.id)}</th><td>${escapeHtml(printable(result.agent))}</td><td>${escapeHtml(result.title)}</td><td>${escapeHtml(reasonOf(result))}</td></tr>`,
    );
  return `<p>The ${problems.length} cases that fail; the rest of the page needs JavaScript.</p><table><tbody>${rows.join('')}</tbody></table>`;
}

function escapeHtml(text: string): string {
  return text.replace(
    /[<>&"']/g,
    (character) =>
      ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&#39;' })[character] ?? '',
  );
}
