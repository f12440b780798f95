import { describe, expect, it } from 'vitest';
import { histogramsOf, judge } from '../../../../src/operations/benchmark/outcome.ts';
import type { Outcome } from '../../../../src/operations/benchmark/outcome.ts';
import type { LoadPlan } from '../../../../src/load/plan.ts';
import type { Metrics } from '../../../../src/load/metrics.ts';
import type { LoadResult } from '../../../../src/load/result.ts';
import type { Run } from '../../../../src/operations/benchmark/run-plan.ts';
import type { ServerUse } from '../../../../src/load/host/index.ts';
import type { Prepared } from '../../../../src/operations/benchmark/plan/prepare.ts';
import { parseThreshold, summarize } from '../../../../src/load/stats/index.ts';
import { histogramOf, loadPlan, loadResult } from '../../../support/load-results.ts';

const ALL_WELL: Partial<LoadResult> = {
  connections: { requested: 10, opened: 10, failed: 0, dropped: 0 },
  messages: { ...loadResult().messages, intended: 100, sent: 100, received: 100 },
};

function runOf(
  changes: Partial<LoadResult> = {},
  { plan = loadPlan(), server = null }: { plan?: LoadPlan; server?: ServerUse | null } = {},
): Run {
  const result = loadResult({ ...ALL_WELL, ...changes });
  return { plan, result, measured: summarize(result, plan, server), server };
}

function outcomeOf(runs: readonly Run[], changes: Partial<Outcome> = {}): Outcome {
  return {
    runs,
    otherRuns: [],
    measured: runs[0]?.measured as Metrics,
    repeats: null,
    comparison: null,
    search: null,
    interrupted: false,
    ...changes,
  };
}

const prepared = (...thresholds: string[]): Prepared =>
  ({ thresholds: thresholds.map(parseThreshold) }) as unknown as Prepared;

const judged = (run: Run, strict = false) => judge(outcomeOf([run]), prepared(), strict);

const SATURATED: Partial<LoadResult> = {
  latency: { ...loadResult().latency, lateness: histogramOf(500e6), response: histogramOf(500e6) },
};

const GONE: ServerUse = {
  pid: 7,
  command: 'node',
  cpuMs: 0,
  totalCpuMs: 0,
  startRssBytes: 0,
  peakRssBytes: 0,
  peakDescriptors: 0,
  seconds: [],
  endedAtSecond: 4,
};

describe('the verdict of a run', () => {
  it('is passed when nothing failed', () => {
    expect(judged(runOf())).toMatchObject({ status: 'passed', success: true, notes: [] });
  });

  it('is failed by one threshold that does not hold', () => {
    const rules = prepared('errors<=0', 'lost<=0');
    const messages = { ...loadResult().messages, intended: 100, sent: 100, received: 99, lost: 1 };
    const verdict = judge(outcomeOf([runOf({ messages })]), rules, false);
    expect(verdict).toMatchObject({ status: 'failed', success: false });
    expect(verdict.thresholds.map((row) => row.verdict)).toEqual(['fail', 'fail']);
  });

  it('is failed when nothing came back, though no threshold is about that', () => {
    const messages = { ...loadResult().messages, intended: 9, sent: 9, lost: 9 };
    expect(judged(runOf({ messages }))).toMatchObject({
      status: 'failed',
      notes: ['none of 9 messages was answered'],
    });
    expect(judged(runOf({ messages: loadResult().messages })).notes).toEqual([
      'no message was sent',
    ]);
  });

  it('does not wait for messages in the modes that send none', () => {
    const plan = loadPlan({ mode: 'idle' });
    expect(judged(runOf({ messages: loadResult().messages }, { plan })).status).toBe('passed');
  });

  it('is failed when every connection was dropped, or the process is gone', () => {
    const connections = { requested: 10, opened: 10, failed: 0, dropped: 10 };
    expect(judged(runOf({ connections })).notes).toEqual([
      'all 10 connections were dropped before the end',
    ]);
    expect(judged(runOf({}, { server: GONE }))).toMatchObject({
      status: 'failed',
      notes: ["the server's process 7 ended in second 4"],
    });
  });

  it('is failed when a worker was lost', () => {
    const errors = [{ kind: 'worker', detail: 'w2', count: 1, first: 'w2 is gone' }] as const;
    expect(judged(runOf({ errors }))).toMatchObject({
      status: 'failed',
      notes: ['a worker was lost: w2 is gone'],
    });
  });

  it('is invalid when the generator was the limit and that is refused', () => {
    expect(judged(runOf(SATURATED), true)).toMatchObject({ status: 'invalid', success: false });
    expect(judged(runOf(SATURATED)).status).toBe('passed');
  });

  it('is interrupted whatever else happened', () => {
    const run = runOf({ ...SATURATED, interrupted: true, messages: loadResult().messages });
    const verdict = judge(outcomeOf([run], { interrupted: true }), prepared('p99<1us'), true);
    expect(verdict).toMatchObject({ status: 'interrupted', success: false, notes: [] });
  });

  it('is failed when one of several runs or the other server did', () => {
    const connections = { requested: 10, opened: 10, failed: 0, dropped: 10 };
    const bad = runOf({ connections });
    expect(judge(outcomeOf([runOf(), bad]), prepared(), false).status).toBe('failed');
    const other = outcomeOf([runOf()], { otherRuns: [bad] });
    expect(judge(other, prepared(), false).status).toBe('failed');
  });

  it('is failed when a search found no rate, and says what ended it', () => {
    const search = { slo: 'p99<1ms', best: null, levels: [], limit: 'the server is the limit' };
    expect(judge(outcomeOf([runOf()], { search }), prepared(), false)).toMatchObject({
      status: 'failed',
      notes: ['no rate was found at which p99<1ms holds', 'the server is the limit'],
    });
  });
});

it('hands on the histograms of the runs that are shown', () => {
  const [first, median, other] = [runOf(), runOf(SATURATED), runOf()];
  const outcome = outcomeOf([first, median], {
    measured: median.measured,
    otherRuns: [other],
    comparison: { a: 'a', b: 'b', rows: [], other: other.measured },
  });
  const named = histogramsOf(outcome);
  expect(named.map(({ name, side }) => `${name} ${side}`)).toEqual([
    'response a',
    'lateness a',
    'connect a',
    'connect b',
  ]);
  expect(named[1]?.histogram).toBe(median.result.latency.lateness);
});
