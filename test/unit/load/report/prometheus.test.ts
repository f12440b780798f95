import { expect, it } from 'vitest';
import { Histogram } from '../../../../src/load/measure/histogram.ts';
import { renderPrometheus } from '../../../../src/load/report/prometheus.ts';
import {
  comparedRuns,
  hostileReport,
  named,
  reportOf,
  sampleRun,
} from '../../../support/load-reports.ts';

const run = sampleRun({ seconds: 5 });
const METRIC = /^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$/;

function familiesOf(text: string): Set<string> {
  return new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? ''));
}

it.each([
  ['a run', renderPrometheus(reportOf(run), named(run))],
  ['a comparison', renderPrometheus(comparedRuns().report, comparedRuns().histograms)],
  ['hostile names', renderPrometheus(hostileReport().report, hostileReport().histograms)],
])('writes the text format for %s: help and type once, then samples of that family', (_, text) => {
  expect(text.endsWith('\n')).toBe(true);
  const families = familiesOf(text);
  let current = '';
  const seen = new Set<string>();
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('# HELP ')) continue;
    if (line.startsWith('# TYPE ')) {
      current = line.split(' ')[2] ?? '';
      expect(seen).not.toContain(current);
      seen.add(current);
      continue;
    }
    const match = METRIC.exec(line);
    expect(match, line).not.toBeNull();
    expect(match?.[1]?.replace(/_(bucket|sum|count)$/, '')).toBe(current);
    expect(Number(match?.[3]), line).not.toBeNaN();
  }
  expect(seen).toEqual(families);
  expect(text.match(/^# HELP /gm)).toHaveLength(families.size);
});

it('repeats no sample, also when a threshold is given twice', () => {
  const { report, histograms } = comparedRuns();
  const { thresholds } = reportOf(run);
  const text = renderPrometheus(
    { ...report, thresholds: [...thresholds, ...thresholds] },
    histograms,
  );
  const keys = text
    .split('\n')
    .flatMap((line) => (line.startsWith('#') ? [] : [line.replace(/ \S+$/, '')]));
  expect(new Set(keys).size).toBe(keys.length);
});

it('escapes what stands in labels', () => {
  const report = reportOf(run, {
    thresholds: [
      {
        threshold: 'a"b\\c\nd\u0000',
        metric: 'p99',
        value: 1,
        bound: 2,
        unit: 'ms',
        verdict: 'pass',
      },
    ],
  });
  expect(renderPrometheus(report, [])).toContain(
    'websocket_benchmark_threshold_passed{threshold="a\\"b\\\\c\\nd\\\\0",metric="p99"} 1\n',
  );
});

it('counts cumulatively in seconds, up to all', () => {
  const histogram = new Histogram();
  histogram.record(1_500_000, 3);
  histogram.record(40_000_000, 2);
  histogram.record(3_000_000_000);
  const text = renderPrometheus(reportOf(run), [{ name: 'response', side: 'a', histogram }]);
  const buckets = new Map(
    [...text.matchAll(/response_seconds_bucket\{.*le="([^"]+)"\} (\d+)/g)].map(([, le, count]) => [
      le,
      Number(count),
    ]),
  );
  expect(buckets.get('0.001')).toBe(0);
  expect(buckets.get('0.002')).toBe(3);
  expect(buckets.get('0.02')).toBe(3);
  expect(buckets.get('0.05')).toBe(5);
  expect(buckets.get('2')).toBe(5);
  expect(buckets.get('5')).toBe(6);
  expect(buckets.get('+Inf')).toBe(6);
  expect([...buckets.values()]).toEqual([...buckets.values()].sort((a, b) => a - b));
  expect(text).toMatch(/response_seconds_count\{[^}]*\} 6\n/);
  const sum = Number(/response_seconds_sum\{[^}]*\} (\S+)/.exec(text)?.[1]);
  expect(Math.abs(sum - 3.0845)).toBeLessThan(0.004);
});

it('leaves out what was not measured', () => {
  const measured = {
    ...run.measured,
    server: null,
    rate: { ...run.measured.rate, requested: null, reached: null },
  };
  const text = renderPrometheus(reportOf({ ...run, measured }), []);
  expect(text).not.toMatch(/server_|_seconds_bucket|direction="requested"|rate_reached|null/);
});
