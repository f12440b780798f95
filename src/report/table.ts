import { alignPoints } from './format.ts';
import { html, type Markup } from './html.ts';

/** The heading of a column; a numeric one is right-aligned, point under point. */
export type Column = string | { readonly numeric: string };

export type Cell = string | Markup;

/** Columns of numbers with these headings. */
export function numeric(...heads: readonly string[]): Column[] {
  return heads.map((head) => ({ numeric: head }));
}

/** Lays out a table; the first cell of a row is its heading. Wide ones scroll in their own box. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  label: string,
): Markup {
  const aligned = columns.map((column, at) => {
    const cells = rows.map((row) => row[at] ?? '');
    const texts = cells.map((cell) => (typeof cell === 'string' ? cell : ''));
    const padded = isNumeric(column) ? alignPoints(texts) : texts;
    return cells.map((cell, row) => (typeof cell === 'string' ? (padded[row] ?? '') : cell));
  });
  const body = rows.map((_, row) => {
    const cells = columns.map((column, at) => {
      const cell = aligned[at]?.[row] ?? '';
      const style = styleOf(column);
      return at === 0
        ? html`<th scope="row" class="${style}">${cell}</th>`
        : html`<td class="${style}">${cell}</td>`;
    });
    return html`<tr>
      ${cells}
    </tr>`;
  });
  return html`<div class="scroll">
    <table aria-label="${label}">
      ${heading(columns)}
      <tbody>
        ${body}
      </tbody>
    </table>
  </div>`;
}

function heading(columns: readonly Column[]): Markup | undefined {
  const heads = columns.map((column) => (isNumeric(column) ? column.numeric : column));
  if (heads.every((head) => head === '')) return undefined;
  const cells = columns.map(
    (column, at) => html`<th scope="col" class="${styleOf(column)}">${heads[at]}</th>`,
  );
  return html`<thead>
    <tr>
      ${cells}
    </tr>
  </thead>`;
}

function isNumeric(column: Column): column is { readonly numeric: string } {
  return typeof column !== 'string';
}

function styleOf(column: Column): 'number' | 'text' {
  return isNumeric(column) ? 'number' : 'text';
}
