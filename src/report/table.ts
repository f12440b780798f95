import { alignPoints } from './format.ts';
import { html, type Markup } from './html.ts';

export interface Column {
  readonly head: string;
  /** Right-aligned, point under point. */
  readonly numeric?: boolean;
}

export type Cell = string | Markup;

/** Lays out a table; the first cell of a row is its heading. Wide ones scroll in their own box. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  label: string,
): Markup {
  const aligned = columns.map(({ numeric }, at) => {
    const cells = rows.map((row) => row[at] ?? '');
    const texts = cells.map((cell) => (typeof cell === 'string' ? cell : ''));
    const padded = numeric === true ? alignPoints(texts) : texts;
    return cells.map((cell, row) => (typeof cell === 'string' ? (padded[row] ?? '') : cell));
  });
  const body = rows.map((_, row) => {
    const cells = columns.map(({ numeric }, at) => {
      const cell = aligned[at]?.[row] ?? '';
      const style = numeric === true ? 'number' : 'text';
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
  if (columns.every(({ head }) => head === '')) return undefined;
  const cells = columns.map(
    ({ head, numeric }) =>
      html`<th scope="col" class="${numeric === true ? 'number' : 'text'}">${head}</th>`,
  );
  return html`<thead>
    <tr>
      ${cells}
    </tr>
  </thead>`;
}
