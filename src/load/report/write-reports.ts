import path from 'node:path';
import { writeReportFiles } from '../../report/files.ts';
import { formatHistogramLog } from '../measure/histogram-log.ts';
import type { BenchmarkReport } from '../metrics.ts';
import { renderHtml } from './html.ts';
import { renderJunit } from './junit.ts';
import { sidesOf, type NamedHistograms } from './sides.ts';
import { renderPrometheus } from './prometheus.ts';
import { printableJson } from '../../report/printable.ts';

/** The files of a report, the page first. */
const FILES: Readonly<
  Record<string, (report: BenchmarkReport, histograms: NamedHistograms) => string>
> = {
  'index.html': renderHtml,
  'report.json': renderJson,
  'junit.xml': renderJunit,
  'metrics.prom': renderPrometheus,
  'histograms.hlog': renderHistogramLog,
};

/**
 * Writes every form of `report` into `folder` and returns the paths, the page first; `reports` in
 * `report.json` names them. Each file is replaced as a whole, so a reader never sees half of one.
 * Throws EnvironmentError WSK_ERR_OUTPUT_NOT_WRITABLE.
 */
export function writeReports(
  report: BenchmarkReport,
  histograms: NamedHistograms,
  folder: string,
): Promise<string[]> {
  const reports = Object.keys(FILES).map((name) => path.join(folder, name));
  const named = { ...report, reports };
  const files = Object.entries(FILES).map(([name, render]) => ({
    name,
    render: () => render(named, histograms),
  }));
  return writeReportFiles(folder, files);
}

/** Indented, with one line for each second: a long run has thousands of them. */
function renderJson(report: BenchmarkReport): string {
  const seconds: unknown[][] = [];
  const leaveOut = (key: string, value: unknown): unknown => {
    if (key !== 'seconds' || !Array.isArray(value)) return value;
    seconds.push(value);
    return [];
  };
  const text = JSON.stringify(report, leaveOut, 2);
  // Quotes inside a JSON string have backslashes, so this matches keys only.
  const whole = text.replace(/( *)"seconds": \[\]/g, (_, indent: string) => {
    const rows = (seconds.shift() ?? []).map((row) => `${indent}  ${JSON.stringify(row)}`);
    return rows.length === 0
      ? `${indent}"seconds": []`
      : `${indent}"seconds": [\n${rows.join(',\n')}\n${indent}]`;
  });
  return `${printableJson(whole)}\n`;
}

/** The tag of a histogram is its name; in a comparison `a-` or `b-` precedes it. */
function renderHistogramLog(report: BenchmarkReport, histograms: NamedHistograms): string {
  const sides = sidesOf(report);
  const rows = histograms.flatMap(({ name, side: key, histogram }) => {
    const side = sides.find((one) => one.key === key);
    if (side === undefined || histogram.count === 0) return [];
    const { connectMs, warmupMs, measureMs } = side.measured.phases;
    const tag = side.label === '' ? name : `${key}-${name}`;
    const connecting = name === 'connect';
    return [
      {
        tag,
        startMs: connecting ? 0 : connectMs + warmupMs,
        lengthMs: connecting ? connectMs : measureMs,
        histogram,
      },
    ];
  });
  return formatHistogramLog(rows, report.startedAt);
}
