import { describe, expect, it } from 'vitest';
import { Metrics } from '../../../../src/load/metrics.ts';
import type { LoadPlan } from '../../../../src/load/plan.ts';
import type { ServerUse } from '../../../../src/load/host/index.ts';
import { percentilesOf, summarize } from '../../../../src/load/stats/summarize.ts';
import { histogramOf, loadPlan, loadResult, secondSample } from '../../../support/load-results.ts';

const MS = 1_000_000;
const CLOSED = loadPlan({ load: { model: 'closed', depth: 1, seed: 1 } });

const RESULT = loadResult({
  phases: { connectMs: 250, warmupMs: 0, measureMs: 2000, drainMs: 5 },
  connections: { requested: 200, opened: 200, failed: 0, dropped: 0 },
  messages: {
    ...loadResult().messages,
    intended: 200,
    sent: 199,
    received: 198,
    inWindow: 190,
    lost: 1,
    unsent: 1,
  },
  latency: {
    connect: histogramOf(2 * MS),
    response: histogramOf(3 * MS),
    service: histogramOf(1 * MS),
    lateness: histogramOf(),
    lastDelivery: null,
  },
  errors: [{ kind: 'lost', detail: 'no reply', count: 1, first: 'message 7' }],
  seconds: [
    secondSample(0, { phase: 'connect', opened: 200, cpuMs: 500, rssBytes: 7 }),
    secondSample(1, {
      sent: 99,
      opened: 3,
      response: { p50: MS, p99: 2 * MS, max: 3 * MS },
      latenessP99: MS / 2,
    }),
  ],
  generator: { cpuMs: 199, peakRssBytes: 9, workers: [] },
  notes: ['a note'],
});

const SERVER: ServerUse = {
  pid: 77,
  command: 'server',
  cpuMs: 99,
  totalCpuMs: 120,
  startRssBytes: 10_000,
  peakRssBytes: 30_000,
  peakDescriptors: 210,
  seconds: [{ second: 1, phase: 'measure', cpu: 0.5, rssBytes: 30_000, descriptors: 210 }],
  endedAtSecond: null,
};

describe('summarize', () => {
  it('gives what the report declares', () => {
    expect(() => Metrics.parse(summarize(RESULT, loadPlan(), SERVER))).not.toThrow();
    expect(() => Metrics.parse(summarize(loadResult(), CLOSED, null))).not.toThrow();
  });

  it('takes rates per second of the measured phase', () => {
    const { rate, connections } = summarize(RESULT, loadPlan(), null);
    expect(rate).toEqual({ requested: 100, sent: 99.5, received: 95, reached: 0.995 });
    expect(connections.perSecond).toBe(800);
    expect(summarize(RESULT, CLOSED, null).rate).toMatchObject({ requested: null, reached: null });
  });

  it('asks for deliveries, not for publications, where it counts those', () => {
    const fanout = loadPlan({
      mode: 'fanout',
      load: { model: 'open', rate: 10, arrivals: 'constant', seed: 1 },
    });
    expect(summarize(RESULT, fanout, null).rate.requested).toBe(100);
  });

  it('asks of a rate per connection what is left for those that opened, and says so', () => {
    const load = { ...loadPlan().load, rate: 3000, perConnection: true } as LoadPlan['load'];
    const connections = { requested: 300, opened: 200, failed: 100, dropped: 0 };
    const some = summarize({ ...RESULT, connections }, loadPlan({ load }), null);
    expect(some.rate.requested).toBe(2000);
    expect(some.notes[0]).toBe(
      '100 of 300 connections did not open: the rate stays 10 messages per second on each open one, ' +
        '2,000/s in all in place of 3,000/s',
    );
    expect(summarize(RESULT, loadPlan({ load }), null).notes).toEqual(['a note']);
  });

  it('asks for no rate where none was given', () => {
    const load = { model: 'open', rate: 0, arrivals: 'constant', seed: 1 } as const;
    const { rate } = summarize(RESULT, loadPlan({ mode: 'connect', load }), null);
    expect(rate).toMatchObject({ requested: null, reached: null });
  });

  it('counts handshakes of the measured phase where they are what is measured', () => {
    expect(summarize(RESULT, loadPlan({ mode: 'connect' }), null).connections.perSecond).toBe(1.5);
  });

  it('has no rate of a run that was cut short before it measured', () => {
    const cut = loadResult({ phases: { connectMs: 0, warmupMs: 0, measureMs: 0, drainMs: 0 } });
    expect(summarize(cut, loadPlan(), null).rate).toMatchObject({ sent: 0, received: 0 });
  });

  it('turns nanoseconds into milliseconds and empty histograms into null', () => {
    const { latency, seconds } = summarize(RESULT, loadPlan(), null);
    expect(latency.connect?.p50).toBeCloseTo(2, 2);
    expect(latency.lateness).toBeNull();
    expect(latency.lastDelivery).toBeNull();
    expect(seconds[1]).toMatchObject({ p50: 1, p99: 2, max: 3, latenessP99: 0.5, sent: 99 });
    expect(seconds[0]).toMatchObject({ p50: null, generatorCpu: 0.5, generatorRssBytes: 7 });
  });

  it('divides CPU by messages sent', () => {
    expect(summarize(RESULT, loadPlan(), null).generator.cpuPerMessageUs).toBe(1000);
    expect(summarize(loadResult(), loadPlan(), null).generator.cpuPerMessageUs).toBeNull();
  });

  it('joins the seconds of the server to those of the run', () => {
    const { seconds, server } = summarize(RESULT, loadPlan(), SERVER);
    expect(seconds.map((row) => row.serverCpu)).toEqual([null, 0.5]);
    expect(seconds[1]).toMatchObject({ serverRssBytes: 30_000, serverDescriptors: 210 });
    expect(server).toMatchObject({ pid: 77, bytesPerConnection: 100 });
    expect(server?.messagesPerCpuSecond).toBeCloseTo(190 / 0.099);
  });

  it.each([
    ['few connections', { connections: { requested: 99, opened: 99, failed: 0, dropped: 0 } }, {}],
    ['no growth', {}, { peakRssBytes: 10_000 }],
    ['an unknown beginning', {}, { startRssBytes: 0 }],
  ])('does not tell the memory of a connection from %s', (_, result, server) => {
    const measured = summarize({ ...RESULT, ...result }, loadPlan(), { ...SERVER, ...server });
    expect(measured.server?.bytesPerConnection).toBeNull();
  });

  it('says when the server was gone', () => {
    const { notes } = summarize(RESULT, loadPlan(), { ...SERVER, endedAtSecond: 4 });
    expect(notes).toEqual(['a note', "the server's process 77 ended in second 4"]);
  });

  it('carries over what a scenario measured', () => {
    const scenario = {
      name: 'chat',
      iterations: { started: 3, completed: 2, failed: 1 },
      labels: [
        { label: 'join', count: 2, failed: 1, service: histogramOf(5 * MS), response: null },
      ],
      unasked: [{ name: 'presence', count: 4 }],
      total: { sent: 6, received: 7 },
    };
    const measured = summarize({ ...RESULT, engine: 'scenario', scenario }, CLOSED, null);
    expect(measured.scenario).toMatchObject({
      name: 'chat',
      labels: [{ label: 'join', count: 2, failed: 1, service: { count: 1 }, response: null }],
      unasked: [{ name: 'presence', count: 4 }],
      total: { sent: 6, received: 7 },
    });
    expect(summarize(RESULT, CLOSED, null)).not.toHaveProperty('scenario');
  });
});

describe('percentilesOf', () => {
  it('is null without values', () => {
    expect(percentilesOf(null)).toBeNull();
    expect(percentilesOf(histogramOf())).toBeNull();
  });

  it('ascends from the least to the highest', () => {
    const values = Array.from({ length: 1000 }, (_, i) => (i + 1) * MS);
    const { min, p50, p75, p90, p95, p99, p999, max, count } = percentilesOf(
      histogramOf(...values),
    ) ?? { count: 0, min: 0, p50: 0, p75: 0, p90: 0, p95: 0, p99: 0, p999: 0, max: 0 };
    expect(count).toBe(1000);
    const found = [min, p50, p75, p90, p95, p99, p999, max];
    for (const [at, exact] of [1, 500, 750, 900, 950, 990, 999, 1000].entries()) {
      expect(Math.abs((found[at] ?? NaN) - exact)).toBeLessThanOrEqual(exact / 1000);
    }
  });
});
