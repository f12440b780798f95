import type { OperationDefinition } from '../operation.ts';
import { flagsOf, type Flag } from './flags.ts';

/** A Markdown table of the operation's flags, for the skill's references. */
export function flagTable(operation: Pick<OperationDefinition, 'input'>): string {
  const rows = flagsOf(operation).map((flag) => [
    flag.positional ? `\`<${flag.name}>\`` : `\`${escape(usage(flag))}\``,
    escape(flag.description).replaceAll('*', '\\*'),
    escape(
      flag.required ? 'required' : flag.defaultText === undefined ? '' : `\`${flag.defaultText}\``,
    ),
  ]);
  return table(['flag', 'meaning', 'default'], rows);
}

/** A Markdown table with `columns` and `rows`, formatted as Prettier does. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, index) =>
    Math.max(3, column.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join(' | ')} |`;
  const rule = widths.map((width) => '-'.repeat(width));
  return [line(columns), line(rule), ...rows.map(line)].join('\n');
}

/** `--port <port>`, `--force`, and `--[no-]echo` where the default is not false. */
export function usage(flag: Flag): string {
  if (flag.kind !== 'boolean') return `--${flag.name} <${flag.placeholder}>`;
  return flag.default === false ? `--${flag.name}` : `--[no-]${flag.name}`;
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|');
}
