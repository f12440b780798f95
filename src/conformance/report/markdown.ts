import type { AgentResults, ConformanceRun } from '../result.ts';
import { countVerdicts, HEADINGS, VERDICTS } from '../verdict.ts';
import { describeBehaviors, summarizeComparison, worstFirst, type Comparison } from './compare.ts';
import {
  problemsOf,
  reasonGroups,
  staleRows,
  verdictSentence,
  type Problem,
} from './expectations.ts';
import { printable } from '../../report/printable.ts';
import { listCases, reasonOf } from './reason.ts';
import { rfcReference } from './rfc-reference.ts';

/** A comment on a pull request has a limit of 65536 characters. */
const MAX_ROWS = 60;
const MAX_CELL = 240;

/** Renders a summary for people, short enough for a comment on a pull request. */
export function renderMarkdown(run: ConformanceRun, comparison?: Comparison): string {
  const problems = run.agents.flatMap((agent) => problemsOf(run, agent));
  const expected = problems.filter((problem) => problem.expected !== undefined);
  const blocks = [
    `# WebSocket conformance: ${headline(run, problems)}`,
    [verdictSentence(run), ...notices(run), facts(run)].join('\n\n'),
    countTable(run),
    section('Reasons', reasonTable(run)),
    section(
      'What failed',
      problemTable(
        run,
        problems.filter((problem) => problem.expected === undefined),
      ),
    ),
    section('Expected failures', expectedTable(run, expected)),
    section('No longer failing', staleTable(run)),
    comparison === undefined ? '' : comparisonBlock(run, comparison),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

function headline(run: ConformanceRun, problems: readonly Problem[]): string {
  const failed = problems.filter(({ expected }) => expected === undefined).length;
  const stale = staleRows(run).length;
  if (failed > 0) return `${failed} failed`;
  if (stale > 0) return `${stale} no longer failing`;
  return run.interrupted ? 'interrupted' : 'passed';
}

function notices(run: ConformanceRun): string[] {
  return [
    ...(run.interrupted ? ['**Interrupted**: the missing cases did not run.'] : []),
    ...(run.options.quick ? ['**Quick**: sections 12 and 13 ran with fewer messages.'] : []),
    ...(run.machineTooBusy === null ? [] : [`**Busy machine**: ${code(run.machineTooBusy)}`]),
    ...run.notes.map((note) => `Note: ${code(note)}`),
  ];
}

function facts({ options, environment, agents, startedAt, durationMs }: ConformanceRun): string {
  const count = agents.reduce((sum, { cases }) => sum + cases.length, 0);
  return `${count} results for the ${options.role} at ${code(options.target)} on ${startedAt.slice(0, 10)} in ${(durationMs / 1000).toFixed(1)} s, by websocket-skill ${environment.version}.`;
}

function countTable(run: ConformanceRun): string {
  const rows = run.agents.map(({ agent, cases }) => {
    const counts = countVerdicts(cases);
    return [
      code(agent),
      ...VERDICTS.map((verdict) => String(counts[verdict])),
      String(cases.length),
    ];
  });
  return table(['Agent', ...VERDICTS.map((verdict) => HEADINGS[verdict]), 'Cases'], rows);
}

/** Empty when each reason has one case: the table of cases says the same. */
function reasonTable(run: ConformanceRun): string {
  const groups = reasonGroups(run);
  if (groups.every(({ cases }) => cases.length === 1)) return '';
  const rows = groups.map(({ verdict, reason, cases }) => [
    String(cases.length),
    verdict,
    code(reason),
    listCases(cases.map(plain)),
  ]);
  return table(['Cases', 'Verdict', 'Why', 'Which'], rows);
}

function problemTable(run: ConformanceRun, problems: readonly Problem[]): string {
  const rows = problems.map(({ result }) => [
    ...agentCell(run, result.agent),
    result.id,
    plain(result.title),
    code(reasonOf(result)),
    link(result.rfc),
  ]);
  return table([...agentHeading(run), 'Case', 'Title', 'Reason', 'RFC'], rows);
}

function expectedTable(run: ConformanceRun, problems: readonly Problem[]): string {
  const rows = problems.map(({ result, expected }) => [
    ...agentCell(run, result.agent),
    result.id,
    code(expected ?? ''),
    link(result.rfc),
  ]);
  return table([...agentHeading(run), 'Case', 'Why it is expected', 'RFC'], rows);
}

function staleTable(run: ConformanceRun): string {
  const rows = staleRows(run).map((row) => [
    code(row.case),
    code(row.agent ?? 'any'),
    code(row.reason),
  ]);
  return table(['Case', 'Agent', 'Remove this reason'], rows);
}

function comparisonBlock(run: ConformanceRun, comparison: Comparison): string {
  const rows = worstFirst(comparison.changes).map(({ agent, id, before, after, direction }) => [
    direction,
    ...agentCell(run, agent),
    id,
    describeBehaviors(before),
    describeBehaviors(after),
  ]);
  const heading = `## Compared with ${code(comparison.file)}\n\n${summarizeComparison(comparison)}.`;
  const changes = table(['', ...agentHeading(run), 'Case', 'Before', 'Now'], rows);
  return changes === '' ? heading : `${heading}\n\n${changes}`;
}

/** A single agent is named only in the table of counts. */
function agentCell({ agents }: { readonly agents: readonly AgentResults[] }, agent: string) {
  return agents.length > 1 ? [code(agent)] : [];
}

function agentHeading({ agents }: ConformanceRun): string[] {
  return agents.length > 1 ? ['Agent'] : [];
}

function section(title: string, content: string): string {
  return content === '' ? '' : `## ${title}\n\n${content}`;
}

/** Empty for no rows; rows above `MAX_ROWS` are only counted. */
function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rest = rows.length - MAX_ROWS;
  return [
    line(columns),
    line(columns.map(() => '---')),
    ...rows.slice(0, MAX_ROWS).map(line),
    ...(rest > 0 ? ['', `… and ${rest} more in \`index.html\`.`] : []),
  ].join('\n');
}

function link(rfc: string): string {
  const { label, url } = rfcReference(rfc);
  return `[${label}](${url})`;
}

/**
 * Shows text that may come from a peer as inline code, in which neither HTML nor links nor
 * mentions work. A pipe would end the cell of a table even there.
 */
function code(text: string): string {
  const whole = printable(text);
  const shown = whole.length > MAX_CELL ? `${whole.slice(0, MAX_CELL)}…` : whole;
  const fence = '`'.repeat(
    1 + Math.max(0, ...[...shown.matchAll(/`+/g)].map(([ticks]) => ticks.length)),
  );
  const pad = /^`|`$|^ .* $/.test(shown) || shown === '' ? ' ' : '';
  // `\\|` would be an escaped backslash and the end of the cell.
  const cell = shown.replaceAll('\\|', '\\u007c').replaceAll('|', '\\|');
  return `${fence}${pad}${cell}${pad}${fence}`;
}

function plain(text: string): string {
  return printable(text).replace(/[\\`*_[\]<>#|@~]/g, '\\$&');
}
