import type { BenchmarkReport } from '../metrics.ts';
import type { Figure } from './chart.ts';
import { duration, minute } from '../../report/format.ts';
import { histogramFigure } from './histogram-figure.ts';
import { html } from '../../report/html.ts';
import { renderPage } from '../../report/page.ts';
import { sidesOf, type NamedHistograms } from './sides.ts';
import { percentileFigure } from './percentile-figure.ts';
import { reportAssets } from './report-assets.ts';
import { contents, type Section } from '../../report/parts.ts';
import { comparisonSection, repeatSection } from './sections/comparison.ts';
import { latencySection } from './sections/latency.ts';
import { environmentSection, resourceSection } from './sections/resources.ts';
import { scenarioSection } from './sections/scenario.ts';
import { searchFigure, searchSection } from './sections/search.ts';
import { summarySection, thresholdSection } from './sections/summary.ts';
import { connectionSection, errorSection, throughputSection } from './sections/traffic.ts';
import { timeFigures, type Axis } from './time-figures.ts';

/** Renders the page of a benchmark; see `renderPage`. */
export function renderHtml(report: BenchmarkReport, histograms: NamedHistograms): string {
  const { axis, figures } = figuresOf(report, histograms);
  const sections = sectionsOf(report, figures);
  return renderPage({
    kind: 'WebSocket benchmark',
    heading: heading(report),
    meta: metaLine(report),
    skip: { to: 'summary', text: 'Skip to the figures' },
    contents: contents(sections),
    main: html`<noscript
        ><p class="note">The charts need JavaScript; the tables hold the same figures.</p></noscript
      >
      ${summarySection(report)} ${sections}`,
    keys: html`In a chart: <kbd>←</kbd> <kbd>→</kbd> read the points · drag to zoom, double-click to
      see all`,
    tool: report.environment,
    data: { axis, charts: [...figures.values()].map(({ chart }) => chart) },
    assets: reportAssets(),
  });
}

function figuresOf(
  report: BenchmarkReport,
  histograms: NamedHistograms,
): { axis: Axis; figures: Map<string, Figure> } {
  const { axis, figures } = timeFigures(sidesOf(report));
  const others = [
    percentileFigure(histograms),
    histogramFigure(histograms, 'response'),
    histogramFigure(histograms, 'connect'),
    searchFigure(report.search),
  ];
  for (const figure of others) if (figure !== undefined) figures.set(figure.chart.id, figure);
  return { axis, figures };
}

function sectionsOf(report: BenchmarkReport, figures: ReadonlyMap<string, Figure>): Section[] {
  const sides = sidesOf(report);
  const chart = (id: string): Figure | undefined => figures.get(id);
  return [
    ...comparisonSection(report),
    ...searchSection(report, chart('search')),
    ...repeatSection(report),
    ...thresholdSection(report),
    ...latencySection(sides, report.mode, {
      overTime: chart('latency'),
      percentiles: chart('percentiles'),
      histogram: chart('histogram'),
    }),
    ...scenarioSection(sides),
    ...throughputSection(sides, report.mode, chart('throughput')),
    ...errorSection(sides, chart('errors')),
    ...connectionSection(sides, {
      overTime: chart('connections'),
      toConnect: chart('connect-time'),
    }),
    ...resourceSection(sides, ['lateness', 'cpu', 'memory', 'descriptors'].map(chart)),
    ...environmentSection(report),
  ];
}

function heading({ target, comparison }: BenchmarkReport): string {
  return comparison === null ? target : `${comparison.a} against ${comparison.b}`;
}

function metaLine({ mode, load, startedAt, durationMs }: BenchmarkReport): string {
  return `${mode} · ${load} · ${minute(startedAt)} · took ${duration(durationMs)}`;
}
