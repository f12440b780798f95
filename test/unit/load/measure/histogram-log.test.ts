import { HistogramLogReader, listTags } from 'hdr-histogram-js';
import { expect, it } from 'vitest';
import { formatHistogramLog } from '../../../../src/load/measure/histogram-log.ts';
import { Histogram } from '../../../../src/load/measure/histogram.ts';

const STARTED_AT = '2026-05-01T10:00:00.250Z';

function histogramOf(...values: number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram;
}

const LOG = formatHistogramLog(
  [
    { tag: 'response', startMs: 1500, lengthMs: 1000, histogram: histogramOf(1_000, 2_000_000) },
    { tag: 'step join, room 1', startMs: 2500, lengthMs: 500, histogram: histogramOf(77) },
  ],
  STARTED_AT,
);

it('writes version, start time, legend and one line for each interval', () => {
  const lines = LOG.split('\n');
  expect(lines.slice(1, 4)).toEqual([
    '#[Histogram log format version 1.3]',
    `#[StartTime: ${(Date.parse(STARTED_AT) / 1000).toFixed(3)} (seconds since epoch), ${STARTED_AT}]`,
    '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
  ]);
  expect(lines[4]).toMatch(/^Tag=response,1\.500,1\.000,2\.001,HISTF[\w+/]+=*$/);
  expect(lines.at(-1)).toBe('');
});

it('is read by the log reader of hdr-histogram-js, times and tags included', () => {
  const reader = new HistogramLogReader(LOG, 64);
  const first = reader.nextIntervalHistogram();
  expect(first?.tag).toBe('response');
  expect(first?.totalCount).toBe(2);
  expect(first?.startTimeStampMsec).toBe(Date.parse(STARTED_AT) + 1500);
  expect(first?.endTimeStampMsec).toBe(Date.parse(STARTED_AT) + 2500);
  expect(reader.nextIntervalHistogram()?.maxValue).toBe(77);
  expect(reader.nextIntervalHistogram()).toBeNull();
  expect(listTags(LOG)).toEqual(['response', 'step-join-room-1']);
});
