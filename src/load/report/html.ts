import { createHash } from 'node:crypto';
import type { BenchmarkReport } from '../metrics.ts';
import { armsOf } from './arms.ts';
import type { Figure } from './chart.ts';
import { duration } from '../../report/format.ts';
import { histogramFigure } from './histogram-figure.ts';
import { escapeHtml, html } from '../../report/html.ts';
import type { NamedHistograms } from './named-histograms.ts';
import { percentileFigure } from './percentile-figure.ts';
import { reportAssets } from './report-assets.ts';
import { searchFigure } from './search-figure.ts';
import { figureMarkup, type Section } from './sections/figure.ts';
import {
  comparisonSection,
  repeatSection,
  searchSection,
  thresholdSection,
} from './sections/judgements.ts';
import { latencySection } from './sections/latency.ts';
import { environmentSection, resourceSection } from './sections/resources.ts';
import { scenarioSection } from './sections/scenario.ts';
import { summarySection } from './sections/summary.ts';
import { connectionSection, errorSection, throughputSection } from './sections/traffic.ts';
import { timeFigures, type Axis } from './time-figures.ts';

/**
 * Renders the page: one file that needs no other and asks the network for nothing.
 *
 * Its content security policy lets only this style and this script through, so what a server or a
 * command line says stays text even if an escape were missing.
 */
export function renderHtml(report: BenchmarkReport, histograms: NamedHistograms): string {
  const assets = reportAssets();
  const { axis, figures } = figuresOf(report, histograms);
  const sections = sectionsOf(report, figures);
  const values: Readonly<Record<string, string>> = {
    csp: `default-src 'none'; img-src data:; style-src ${sha256(assets.css)}; script-src ${sha256(assets.js)}; base-uri 'none'; form-action 'none'`,
    title: escapeHtml(`WebSocket benchmark: ${report.target}`),
    heading: escapeHtml(heading(report)),
    meta: escapeHtml(metaLine(report)),
    contents: contents(sections),
    main: [summarySection(report), ...sections].map(({ markup }) => markup).join('\n'),
    tool: escapeHtml(
      `websocket-skill ${report.environment.version} on Node ${report.environment.node}, ${report.environment.platform}`,
    ),
    data: `<script type="application/json" id="data">${embed({ axis, charts: [...figures.values()].map(({ chart }) => chart) })}</script>`,
    style: `<style>${assets.css}</style>`,
    script: `<script>${assets.js}</script>`,
  };
  // One pass: text of a server that looks like a placeholder is not looked at again.
  return assets.html.replace(
    /\{\{(\w+)\}\}|<!--(\w+)-->/g,
    (_, inText: string | undefined, block: string | undefined) =>
      values[inText ?? block ?? ''] ?? '',
  );
}

function figuresOf(
  report: BenchmarkReport,
  histograms: NamedHistograms,
): { axis: Axis; figures: Map<string, Figure> } {
  const { axis, figures } = timeFigures(armsOf(report));
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
  const arms = armsOf(report);
  const chart = (id: string): Figure | undefined => figures.get(id);
  return [
    ...comparisonSection(report),
    ...searchSection(report, figureMarkup(chart('search'))),
    ...repeatSection(report),
    ...thresholdSection(report),
    ...latencySection(arms, report.mode, {
      overTime: chart('latency'),
      percentiles: chart('percentiles'),
      histogram: chart('histogram'),
    }),
    ...scenarioSection(arms),
    ...throughputSection(arms, report.mode, chart('throughput')),
    ...errorSection(arms, chart('errors')),
    ...connectionSection(arms, {
      overTime: chart('connections'),
      toConnect: chart('connect-time'),
    }),
    ...resourceSection(arms, ['lateness', 'cpu', 'memory', 'descriptors'].map(chart)),
    ...environmentSection(report),
  ];
}

/** Links to the parts that the page has. */
function contents(sections: readonly Section[]): string {
  return sections.map(({ id, title }) => html`<a href="#${id}">${title}</a>`.markup).join('\n');
}

function heading({ target, comparison }: BenchmarkReport): string {
  return comparison === null ? target : `${comparison.a} against ${comparison.b}`;
}

function metaLine({ mode, load, startedAt, durationMs }: BenchmarkReport): string {
  const started = `${startedAt.slice(0, 10)} ${startedAt.slice(11, 16)} UTC`;
  return `${mode} · ${load} · ${started} · took ${duration(durationMs)}`;
}

function sha256(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

/** JSON that cannot end the script element it stands in. */
function embed(value: unknown): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
