import colors from 'picocolors';
import { EnvironmentError, UsageError } from '../core/errors.ts';
import type { Report, View } from '../core/operation.ts';
import { redact } from '../core/redact.ts';
import { printable, printableJson, printableLines } from '../report/printable.ts';

const REPORT_BUGS = 'this is a bug in websocket-skill: please report it with the lines above';

/**
 * Lays a view out for a terminal of `width` characters. Text of peers and files is escaped, secrets
 * are masked.
 *
 * Colours follow NO_COLOR, FORCE_COLOR and whether it is a terminal.
 */
export function renderView(unsafe: View | undefined, report: Report, width = 100): string {
  if (unsafe === undefined) return '';
  const view = safeView(unsafe);
  const blocks = [
    `${badge(report.status, view.doubtful)} ${colors.bold(view.title)}`,
    renderFacts(view.facts ?? []),
    view.table === undefined ? '' : renderTable(view.table, width),
    ...(view.moreTables ?? []).map((table) => renderTable(table, width)),
    (view.text ?? '').trimEnd(),
    (view.notes ?? []).map((note) => `  ${colors.dim('·')} ${note}`).join('\n'),
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

const safe = (text: string): string => printable(redact(text));
const safeLines = (text: string): string => printableLines(redact(text));

function safeView(view: View): View {
  const { title, facts = [], table, moreTables = [], text, notes = [], doubtful } = view;
  const safeTable = ({ columns, rows }: View.Table): View.Table => ({
    columns,
    rows: rows.map((row) => row.map(safe)),
  });
  return {
    title: safe(title),
    facts: facts.map(([label, value]) => [safe(label), safe(value)]),
    ...(table === undefined ? {} : { table: safeTable(table) }),
    moreTables: moreTables.map(safeTable),
    ...(text === undefined ? {} : { text: safeLines(text) }),
    notes: notes.map(safeLines),
    ...(doubtful === undefined ? {} : { doubtful }),
  };
}

/** One JSON document; what a terminal would obey is escaped, secrets are masked. */
export function renderJson(document: unknown): string {
  const text = JSON.stringify(
    document,
    (_, value: unknown) => (typeof value === 'string' ? redact(value) : value),
    2,
  );
  return `${printableJson(text)}\n`;
}

function badge(status: Report['status'], doubtful = false): string {
  switch (status) {
    case 'passed':
      return doubtful ? colors.yellow('!') : colors.green('✔');
    case 'failed':
    case 'invalid':
      return colors.red('✘');
    case 'interrupted':
    case 'waiting':
      return colors.yellow('…');
  }
}

function renderFacts(facts: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...facts.map(([label]) => label.length));
  return facts.map(([label, value]) => `  ${colors.dim(label.padEnd(width))}  ${value}`).join('\n');
}

/** Wider cells are broken into several lines; the last column gets what the terminal has left. */
const MAX_CELL = 44;

function renderTable({ columns, rows }: View.Table, width: number): string {
  const last = columns.length - 1;
  const all = [columns, ...rows];
  const head = all.map((row) => row.slice(0, last).map((cell) => wrap(cell, MAX_CELL)));
  const widths = columns
    .slice(0, last)
    .map((_, at) => Math.max(...head.flatMap((row) => (row[at] ?? []).map((line) => line.length))));
  const taken = widths.reduce((sum, cell) => sum + cell + 2, 2);
  const tail = Math.max(MAX_CELL, width - taken);
  return all
    .flatMap((row, at) => {
      const cells = [...(head[at] ?? []), wrap(row[last] ?? '', tail)];
      return layRow(cells, widths, at === 0 ? colors.dim : paintVerdict);
    })
    .join('\n');
}

/** The lines of one row, cell beside cell. */
function layRow(
  row: readonly string[][],
  widths: readonly number[],
  paint: (cell: string) => string,
): string[] {
  const height = Math.max(...row.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const cells = row.map((lines, at) => paint((lines[line] ?? '').padEnd(widths[at] ?? 0)));
    return `  ${cells.join('  ')}`.trimEnd();
  });
}

/** Breaks at spaces, and inside a word only where the word alone is too long. */
function wrap(text: string, limit: number): string[] {
  const pieces = text.match(new RegExp(`.{1,${limit}}(?:\\s+|$)|.{1,${limit}}`, 'g')) ?? [''];
  return pieces.map((piece) => piece.trimEnd());
}

function paintVerdict(cell: string): string {
  switch (cell.trim()) {
    case 'pass':
      return colors.green(cell);
    case 'fail':
      return colors.red(cell);
    case 'warn':
      return colors.yellow(cell);
    case 'info':
      return colors.cyan(cell);
    case 'skip':
      return colors.dim(cell);
    default:
      return cell;
  }
}

/** What stands on stderr: one line, a hint, and a stack only where the error is our own bug. */
export function renderError(error: unknown): string {
  if (error instanceof UsageError || error instanceof EnvironmentError) {
    const hint =
      error.hint === undefined ? '' : `\n  ${colors.yellow('hint')} ${safeLines(error.hint)}`;
    return `${colors.red('error')} ${safeLines(error.message)} ${colors.dim(`[${error.code}]`)}${hint}\n`;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${safeLines(stack)}\n${REPORT_BUGS}\n`;
}

/** The one JSON document that `--json` prints for an error. */
export function errorDocument(error: unknown): object {
  if (error instanceof UsageError || error instanceof EnvironmentError) {
    const { name, code, message, hint } = error;
    return { error: { name, code, message, ...(hint === undefined ? {} : { hint }) } };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { error: { name: 'InternalError', code: 'WSK_ERR_INTERNAL', message } };
}
