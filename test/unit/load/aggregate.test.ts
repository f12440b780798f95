import { expect, it } from 'vitest';
import { aggregateResults } from '../../../src/load/aggregate.ts';
import type { LoadResult } from '../../../src/load/result.ts';
import { histogramOf, loadResult, secondSample } from '../../support/load-results.ts';

function merge(a: Partial<LoadResult>, b: Partial<LoadResult>): LoadResult {
  return aggregateResults([
    { machine: 'a', result: loadResult(a) },
    { machine: 'b', result: loadResult(b) },
  ]);
}

it('adds counts of connections, messages and bytes', () => {
  const counts = {
    intended: 9,
    sent: 8,
    received: 5,
    inWindow: 3,
    lost: 2,
    inFlight: 1,
    unsent: 1,
  };
  const messages = { ...counts, duplicated: 3, outOfOrder: 4, wrong: 6 };
  const connections = { requested: 7, opened: 6, failed: 1, dropped: 2 };
  const part = { messages, connections, bytes: { sent: 100, received: 50 } };
  expect(merge(part, part)).toMatchObject({
    messages: {
      intended: 18,
      sent: 16,
      received: 10,
      inWindow: 6,
      lost: 4,
      inFlight: 2,
      unsent: 2,
      duplicated: 6,
      outOfOrder: 8,
      wrong: 12,
    },
    connections: { requested: 14, opened: 12, failed: 2, dropped: 4 },
    bytes: { sent: 200, received: 100 },
  });
});

it('adds histograms, and keeps null what no machine has', () => {
  const empty = loadResult().latency;
  const { latency } = merge(
    { latency: { ...empty, connect: histogramOf(1000), response: histogramOf(5000) } },
    { latency: { ...empty, connect: histogramOf(3000), lateness: histogramOf(7) } },
  );
  expect(latency.connect.count).toBe(2);
  expect(latency.connect.min).toBe(histogramOf(1000).min);
  expect(latency.connect.max).toBe(histogramOf(3000).max);
  expect(latency.response?.count).toBe(1);
  expect(latency.lateness?.count).toBe(1);
  expect(latency.service).toBe(null);
  expect(latency.lastDelivery).toBe(null);
});

it('leaves the histograms of the parts as they were', () => {
  const connect = histogramOf(1000);
  merge({ latency: { ...loadResult().latency, connect } }, {});
  merge({ latency: { ...loadResult().latency, connect } }, {});
  expect(connect.count).toBe(1);
});

it('adds errors of the same kind and detail and keeps the first example', () => {
  const { errors } = merge(
    {
      errors: [
        { kind: 'status', detail: '503', count: 2, first: 'first of a' },
        { kind: 'status', detail: '401', count: 1, first: 'unauthorized' },
      ],
    },
    { errors: [{ kind: 'status', detail: '503', count: 3, first: 'first of b' }] },
  );
  expect(errors).toEqual([
    { kind: 'status', detail: '503', count: 5, first: 'first of a' },
    { kind: 'status', detail: '401', count: 1, first: 'unauthorized' },
  ]);
});

it('adds the same second of all machines and takes the highest of its percentiles', () => {
  const { seconds } = merge(
    {
      seconds: [
        secondSample(0, { phase: 'connect', opened: 3, connections: 3 }),
        secondSample(1, {
          sent: 10,
          received: 30,
          response: { p50: 100, p99: 200, max: 300 },
          latenessP99: 5,
          cpuMs: 100,
          rssBytes: 1000,
        }),
      ],
    },
    {
      seconds: [
        secondSample(1, {
          phase: 'connect',
          sent: 5,
          received: 10,
          response: { p50: 500, p99: 900, max: 950 },
          latenessP99: 7,
          cpuMs: 50,
          rssBytes: 500,
        }),
        secondSample(2, { phase: 'drain' }),
      ],
    },
  );
  expect(seconds.map(({ second, phase }) => [second, phase])).toEqual([
    [0, 'connect'],
    [1, 'measure'],
    [2, 'drain'],
  ]);
  expect(seconds[1]).toMatchObject({
    sent: 15,
    received: 40,
    response: { p50: 200, p99: 900, max: 950 },
    latenessP99: 7,
    cpuMs: 150,
    rssBytes: 1500,
  });
});

it('aligns seconds by when each machine started, on the clock they have in common', () => {
  const seconds = [secondSample(0, { sent: 1 }), secondSample(1, { sent: 2 })];
  const merged = aggregateResults([
    { machine: 'a', result: loadResult({ startedAt: '2026-01-01T00:00:10.000Z', seconds }) },
    {
      machine: 'b',
      // Its clock is an hour behind; it started a second later.
      result: loadResult({ startedAt: '2025-12-31T23:00:11.020Z', seconds }),
      clockOffsetMs: 3_600_000,
    },
  ]);
  expect(merged.seconds.map(({ second, sent }) => [second, sent])).toEqual([
    [0, 1],
    [1, 3],
    [2, 2],
  ]);
  expect(merged.startedAt).toBe('2026-01-01T00:00:10.000Z');
});

it('names threads after their machine and adds what they used', () => {
  const use = {
    name: '1',
    cpuMs: 5,
    measureMs: 1000,
    eventLoopUtilization: 0.5,
    gcMs: 1,
    waitMs: 2,
  };
  const generator = { cpuMs: 5, peakRssBytes: 100, workers: [use] };
  const merged = merge({ generator }, { generator });
  expect(merged.generator.workers.map(({ name }) => name)).toEqual(['a/1', 'b/1']);
  expect(merged.generator).toMatchObject({ cpuMs: 10, peakRssBytes: 200 });
});

it('takes the longest of each phase and the extremes of fairness', () => {
  const merged = merge(
    {
      phases: { connectMs: 5, warmupMs: 1, measureMs: 1000, drainMs: 9 },
      fairness: { min: 3, median: 10, max: 12 },
      connections: { requested: 1, opened: 1, failed: 0, dropped: 0 },
    },
    {
      phases: { connectMs: 1, warmupMs: 7, measureMs: 900, drainMs: 1 },
      fairness: { min: 1, median: 6, max: 20 },
      connections: { requested: 3, opened: 3, failed: 0, dropped: 0 },
    },
  );
  expect(merged.phases).toEqual({ connectMs: 5, warmupMs: 7, measureMs: 1000, drainMs: 9 });
  expect(merged.fairness).toEqual({ min: 1, median: 7, max: 20 });
});

it('says once what all machines say, and by name what one says', () => {
  const { notes } = merge({ notes: ['all', 'only a'] }, { notes: ['all'] });
  expect(notes).toEqual(['all', 'a: only a']);
});

it('is interrupted when one part was', () => {
  expect(merge({ interrupted: true }, {}).interrupted).toBe(true);
  expect(merge({}, {}).interrupted).toBe(false);
});

it('merges scenarios by label and handler', () => {
  const label = { label: 'join', count: 2, failed: 1, response: null };
  const scenario = {
    name: 'chat',
    iterations: { started: 3, completed: 2, failed: 1 },
    unasked: [{ name: 'news', count: 4 }],
    total: { sent: 9, received: 8 },
  };
  const merged = merge(
    { scenario: { ...scenario, labels: [{ ...label, service: histogramOf(1000) }] } },
    {
      scenario: {
        ...scenario,
        labels: [
          { ...label, label: 'leave', service: histogramOf(7) },
          { ...label, service: histogramOf(2000), response: histogramOf(3000) },
        ],
      },
    },
  );
  expect(merged.scenario).toMatchObject({
    name: 'chat',
    iterations: { started: 6, completed: 4, failed: 2 },
    unasked: [{ name: 'news', count: 8 }],
    total: { sent: 18, received: 16 },
  });
  expect(
    merged.scenario?.labels.map(({ label: name, count, service, response }) => [
      name,
      count,
      service.count,
      response?.count,
    ]),
  ).toEqual([
    ['join', 4, 2, 1],
    ['leave', 2, 1, undefined],
  ]);
});

it('makes an empty result of no parts', () => {
  const merged = aggregateResults([]);
  expect(merged.messages.sent).toBe(0);
  expect(merged.latency.connect.count).toBe(0);
  expect(Number.isNaN(Date.parse(merged.startedAt))).toBe(false);
});
