import type { BenchmarkReport } from '../../metrics.ts';
import { shorten, type Figure } from '../chart.ts';
import { short } from '../../../report/format.ts';
import { html } from '../../../report/html.ts';
import { numeric, table } from '../../../report/table.ts';
import { figureMarkup } from './figure.ts';
import { card, mark, section, type Section } from '../../../report/parts.ts';

/** The levels that `--find-max` tried, in order. */
export function searchFigure(search: BenchmarkReport['search']): Figure | undefined {
  if (search === null || search.levels.length === 0) return undefined;
  const { levels, best } = search;
  const steps = levels.map((_, at) => at + 1);
  const every = Math.ceil(steps.length / 12);
  const only = (held: boolean): (number | null)[] =>
    levels.map((level) => (level.held === held ? shorten(level.rate) : null));
  return {
    chart: {
      id: 'search',
      x: {
        kind: 'scale',
        label: 'step of the search',
        values: steps,
        names: steps.map((step) => `step ${step}`),
        ticks: steps.filter((step) => (step - 1) % every === 0).map((step) => [step, String(step)]),
      },
      unit: '/s',
      label: 'messages per second',
      logarithmic: false,
      series: [
        ...(best === null
          ? []
          : [
              {
                label: 'highest that held',
                tone: 'grey',
                style: 'dashed',
                values: levels.map(() => shorten(best)),
              } as const,
            ]),
        { label: 'held', tone: 'good', style: 'dots', values: only(true) },
        { label: 'did not hold', tone: 'bad', style: 'rings', values: only(false) },
      ],
    },
    title: 'Levels tried',
    note: 'Messages per second of each step of the search.',
    wide: true,
    head: ['Step', 'Messages per second', 'Held'],
    rows: levels.map(({ rate, held }, at) => [String(at + 1), short(rate), held ? 'yes' : 'no']),
  };
}

/** The levels that `--find-max` tried. */
export function searchSection({ search }: BenchmarkReport, chart: Figure | undefined): Section[] {
  if (search === null) return [];
  const best =
    search.best === null
      ? html`<p class="conclusion">
          Even the lowest rate did not hold <code>${search.slo}</code>.
        </p>`
      : html`<p class="conclusion">
          ${short(search.best)} messages per second is the highest rate that held
          <code>${search.slo}</code>.
        </p>`;
  const columns = [...numeric('Step', 'Messages per second'), 'Verdict', 'Figures'];
  const rows = search.levels.map(({ rate, held, detail }, at) => [
    String(at + 1),
    short(rate),
    held ? mark('pass', 'held') : mark('fail', 'did not hold'),
    detail,
  ]);
  return section(
    'search',
    'Highest rate',
    figureMarkup(chart),
    card(
      'Levels',
      html`${best}${search.limit !== undefined && html`<p class="quiet-text">${search.limit}</p>`}${table(columns, rows, 'Levels')}`,
      'wide',
    ),
  );
}
