import type { BenchmarkReport } from '../metrics.ts';
import { shorten, type Figure } from './chart.ts';
import { short } from '../../report/format.ts';

/** The levels that `--find-max` tried, in the order in which it tried them. */
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
        label: 'step',
        values: steps,
        names: steps.map((step) => `step ${step}`),
        ticks: steps.filter((step) => (step - 1) % every === 0).map((step) => [step, String(step)]),
      },
      unit: '/s',
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
    note: 'Messages per second at each step of the search.',
    wide: true,
    head: ['Step', 'Messages per second', 'Held'],
    rows: levels.map(({ rate, held }, at) => [String(at + 1), short(rate), held ? 'yes' : 'no']),
  };
}
