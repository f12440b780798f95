import type { Interval } from '../../metrics.ts';
import { html, type Markup } from '../../../report/html.ts';

/** Positions are attributes, since the content security policy forbids style attributes. */
const WIDTH = 120;
const HEIGHT = 18;
const MIDDLE = HEIGHT / 2;
const EDGE = 5;

/** Runs as dots and their interval as a bar. */
export function intervalPlot({ low, median, high, runs }: Interval): Markup {
  const all = [low, high, ...runs];
  const from = Math.min(...all);
  const range = Math.max(...all) - from;
  const at = (value: number): string =>
    (range === 0 ? WIDTH / 2 : EDGE + ((WIDTH - 2 * EDGE) * (value - from)) / range).toFixed(1);
  const dots = runs.map((run) => html`<circle class="dot" cx="${at(run)}" cy="${MIDDLE}" r="3" />`);
  return html`<svg
    class="interval"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    width="${WIDTH}"
    height="${HEIGHT}"
    aria-hidden="true"
  >
    <line class="span" x1="${at(low)}" x2="${at(high)}" y1="${MIDDLE}" y2="${MIDDLE}" />
    ${dots}
    <line class="median" x1="${at(median)}" x2="${at(median)}" y1="2" y2="${HEIGHT - 2}" />
  </svg>`;
}

/** The interval of a ratio on a logarithmic scale, `span` powers of two to each side of 1. */
export function ratioPlot(
  { low, median, high }: { low: number; median: number; high: number },
  span: number,
): Markup {
  const at = (value: number): string => {
    const power = Number.isFinite(value) && value > 0 ? Math.log2(value) : -span;
    const clipped = Math.min(Math.max(power, -span), span);
    return (WIDTH / 2 + ((WIDTH / 2 - EDGE) * clipped) / span).toFixed(1);
  };
  return html`<svg
    class="interval"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    width="${WIDTH}"
    height="${HEIGHT}"
    aria-hidden="true"
  >
    <line class="one" x1="${WIDTH / 2}" x2="${WIDTH / 2}" y1="0" y2="${HEIGHT}" />
    <line class="span" x1="${at(low)}" x2="${at(high)}" y1="${MIDDLE}" y2="${MIDDLE}" />
    <circle class="dot full" cx="${at(median)}" cy="${MIDDLE}" r="4" />
  </svg>`;
}
