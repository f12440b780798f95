import type { Side } from '../sides.ts';
import type { Figure } from '../chart.ts';
import { html, type Markup } from '../../../report/html.ts';
import { numeric, table } from '../../../report/table.ts';

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

/** The letter of a run of a comparison. */
export function sideBadge({ key, label }: Pick<Side, 'key' | 'label'>): Markup | undefined {
  return label === '' ? undefined : html`<span class="side ${key}">${label}</span> `;
}
