import type { Histogram } from './histogram.ts';

/** One interval of one kind of latency. */
export interface HistogramLogRow {
  /** Such as `response`; commas and white space in it become `-`. */
  readonly tag: string;
  /** Milliseconds after the start of the run. */
  readonly startMs: number;
  readonly lengthMs: number;
  readonly histogram: Histogram;
}

const LEGEND = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"';

/**
 * A log in HdrHistogram's format 1.3, as HistogramLogProcessor and the readers of its ports take
 * it: times in seconds after the start, `Interval_Max` in milliseconds, the histograms in
 * nanoseconds. `startedAt` is ISO 8601.
 */
export function formatHistogramLog(rows: readonly HistogramLogRow[], startedAt: string): string {
  const start = Date.parse(startedAt) / 1000;
  const lines = [
    '#[Histograms in nanoseconds, written by websocket-skill]',
    '#[Histogram log format version 1.3]',
    `#[StartTime: ${start.toFixed(3)} (seconds since epoch), ${startedAt}]`,
    LEGEND,
    ...rows.map(formatRow),
  ];
  return `${lines.join('\n')}\n`;
}

function formatRow({ tag, startMs, lengthMs, histogram }: HistogramLogRow): string {
  return [
    // The format has no way to escape the separators of fields in a tag.
    `Tag=${tag.replaceAll(/[,\s]+/g, '-')}`,
    (startMs / 1000).toFixed(3),
    (lengthMs / 1000).toFixed(3),
    (histogram.max / 1_000_000).toFixed(3),
    histogram.toBase64(),
  ].join(',');
}
