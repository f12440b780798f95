import type { Side } from '../sides.ts';
import type { Figure } from '../chart.ts';
import { html, type Markup } from '../../../report/html.ts';
import { numeric, table, type Cell, type Column } from '../../../report/table.ts';

/** The place of a chart, which the page's script draws, and its figures as a table. */
export function figureMarkup(figure: Figure | undefined): Markup | undefined {
  if (figure === undefined) return undefined;
  const { chart, title, note, wide, head, rows } = figure;
  const [first, ...others] = head;
  return html`<figure
    class="chart card ${wide ? 'wide' : ''}"
    id="figure-${chart.id}"
    aria-labelledby="title-${chart.id}"
  >
    <figcaption>
      <h3 id="title-${chart.id}">${title}</h3>
      <p class="quiet-text">${note}</p>
    </figcaption>
    <div class="drawn" data-chart="${chart.id}"></div>
    <details class="data">
      <summary>Figures as a table</summary>
      ${table([first, ...numeric(...others)], rows, title)}
    </details>
  </figure>`;
}

/** A part of the page that the contents link to. */
export interface Section extends Markup {
  readonly id: string;
  readonly title: string;
}

/** A part of the page; empty if it has no content. */
export function section(id: string, title: string, ...parts: (Markup | undefined)[]): Section[] {
  const filled = parts.filter((part) => part !== undefined);
  if (filled.length === 0) return [];
  const { markup } = html`<section id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    <div class="parts">${filled}</div>
  </section>`;
  return [{ id, title, markup }];
}

/** A card with a heading of its own. */
export function card(title: string, content: Markup, style = ''): Markup {
  return html`<div class="card ${style}">
    <h3>${title}</h3>
    ${content}
  </div>`;
}

/** A card with a table, over the whole width; nothing for no rows. */
export function tableCard(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  label: string,
): Markup | undefined {
  if (rows.length === 0) return undefined;
  return html`<div class="card wide">${table(columns, rows, label)}</div>`;
}

/** Labels and values. */
export function facts(rows: readonly (readonly [label: string, value: string | Markup])[]): Markup {
  const items = rows.map(
    ([label, value]) =>
      html`<div>
        <dt>${label}</dt>
        <dd>${value}</dd>
      </div>`,
  );
  return html`<dl class="facts">${items}</dl>`;
}

/** A verdict with a sign, so that nobody has to see colours. */
export function mark(verdict: 'pass' | 'fail' | 'warn', text: string): Markup {
  const sign = { pass: '✓', fail: '✕', warn: '!' }[verdict];
  return html`<span class="mark ${verdict}"><span aria-hidden="true">${sign}</span> ${text}</span>`;
}

/** The letter of a run of a comparison. */
export function sideBadge({ key, label }: Pick<Side, 'key' | 'label'>): Markup | undefined {
  return label === '' ? undefined : html`<span class="side ${key}">${label}</span> `;
}
