import { html, type Markup } from './html.ts';
import { table, type Cell, type Column } from './table.ts';

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

/** A figure of a summary. */
export function tile(label: string, value: Markup | string, sub: string): Markup {
  return html`<div class="tile">
    <p class="label">${label}</p>
    <p class="value">${value}</p>
    <p class="sub">${sub}</p>
  </div>`;
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

const SIGNS: Readonly<Record<string, string>> = { pass: '✓', fail: '✕', warn: '!', wait: '…' };
const STYLES = [...Object.keys(SIGNS), 'info', 'skip'];

/** A verdict, which may be any word, with a sign, so that nobody has to see colours. */
export function mark(verdict: string, text = verdict): Markup {
  const style = STYLES.includes(verdict) ? verdict : '';
  return html`<span class="mark ${style}"
    ><span aria-hidden="true">${SIGNS[style] ?? '·'}</span> ${text}</span
  >`;
}

/** Links to the parts that a page has. */
export function contents(sections: readonly Section[]): Markup {
  const links = sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`);
  return html`<nav class="contents" aria-label="Contents">${links}</nav>`;
}
