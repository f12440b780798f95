import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { summarize } from '../../../../src/load/stats/summarize.ts';
import {
  judgeThresholds,
  parseThreshold,
  requireMeasurable,
} from '../../../../src/load/stats/threshold.ts';
import { METRICS } from '../../../../src/load/stats/threshold-metrics.ts';
import { histogramOf, loadPlan, loadResult } from '../../../support/load-results.ts';
import { usageErrorOf } from '../../../support/usage-error.ts';

/** Handshakes as fast as they can be. */
const STORM = loadPlan({
  mode: 'connect',
  load: { model: 'open', rate: 0, arrivals: 'constant', seed: 1 },
});
const CLOSED = loadPlan({ load: { model: 'closed', depth: 1, seed: 1 } });

/** 1,000 intended, 990 sent, 980 received over 2 seconds; latencies of 10 and 20 ms. */
const MEASURED = summarize(
  loadResult({
    phases: { connectMs: 500, warmupMs: 0, measureMs: 2000, drainMs: 0 },
    connections: { requested: 20, opened: 15, failed: 5, dropped: 1 },
    messages: {
      intended: 1000,
      sent: 990,
      received: 980,
      inWindow: 980,
      lost: 10,
      inFlight: 0,
      unsent: 10,
      duplicated: 2,
      outOfOrder: 3,
      wrong: 4,
    },
    errors: [
      { kind: 'lost', detail: '', count: 10, first: '' },
      { kind: 'scenario', detail: 'join', count: 5, first: '' },
      { kind: 'worker', detail: 'b', count: 1, first: '' },
    ],
    latency: {
      connect: histogramOf(1_000_000),
      response: histogramOf(10_000_000, 20_000_000),
      service: histogramOf(5_000_000),
      lateness: histogramOf(100_000),
      lastDelivery: histogramOf(40_000_000),
    },
    generator: {
      cpuMs: 990,
      peakRssBytes: 1,
      workers: [
        {
          name: 'worker 1',
          cpuMs: 500,
          measureMs: 2000,
          eventLoopUtilization: 0.1,
          gcMs: 0,
          waitMs: 0,
        },
        {
          name: 'worker 2',
          cpuMs: 1000,
          measureMs: 2000,
          eventLoopUtilization: 0.1,
          gcMs: 0,
          waitMs: 0,
        },
      ],
    },
  }),
  loadPlan({ load: { model: 'open', rate: 500, arrivals: 'constant', seed: 1 } }),
  {
    pid: 1,
    command: 'server',
    cpuMs: 500,
    totalCpuMs: 600,
    startRssBytes: 1,
    peakRssBytes: 2,
    peakDescriptors: 3,
    seconds: [],
    endedAtSecond: null,
  },
);

/** The only row of a threshold. */
function judged(text: string, measured = MEASURED) {
  const [row] = judgeThresholds([parseThreshold(text)], measured);
  if (row === undefined) throw new Error('no row');
  return row;
}

describe('parseThreshold', () => {
  it.each([
    ['p99<20ms', { metric: 'p99', operator: '<', bound: 20, unit: 'ms' }],
    [' P99.9 <= 1.5 s ', { metric: 'p99.9', operator: '<=', bound: 1500, unit: 'ms' }],
    ['service-p50<250us', { metric: 'service-p50', operator: '<', bound: 0.25, unit: 'ms' }],
    ['cpu-per-message<7us', { metric: 'cpu-per-message', bound: 0.007, unit: 'ms' }],
    ['errors<0.1%', { metric: 'errors', operator: '<', bound: 0.1, unit: '%' }],
    ['errors<=0', { metric: 'errors', operator: '<=', bound: 0, unit: 'count' }],
    ['rate>=0.99', { metric: 'rate', operator: '>=', bound: 0.99, unit: 'ratio' }],
    ['rate>=99.9%', { metric: 'rate', operator: '>=', bound: 0.999, unit: 'ratio' }],
    ['throughput>1e5/s', { metric: 'throughput', operator: '>', bound: 100_000, unit: '/s' }],
    ['connect-rate>=.5', { metric: 'connect-rate', operator: '>=', bound: 0.5, unit: '/s' }],
  ])('reads %j', (text, expected) => {
    expect(parseThreshold(text)).toMatchObject({ text, ...expected });
  });

  it.each([
    ['', 'column 1: no metric'],
    ['<20ms', 'column 1: no metric'],
    ['p98<20ms', 'column 1: unknown metric "p98"'],
    ['  servce-p99<20ms', 'column 3: unknown metric "servce-p99"'],
    ['p99', 'column 4: nothing where <, <=, > or >= is expected'],
    ['p99=20ms', 'column 4: "=" where <, <=, > or >= is expected'],
    ['p99 => 20ms', 'column 5: "=>" where <, <=, > or >= is expected'],
    ['p99<', 'column 5: nothing where a number from 0 on is expected'],
    ['p99 < fast', 'column 7: nothing where a number from 0 on is expected'],
    ['p99<-1ms', 'column 5: "-1" where a number from 0 on is expected'],
    ['p99<1.2.3ms', 'column 5: "1.2.3" where a number from 0 on is expected'],
    ['p99<1e999ms', 'column 5: "1e999" where a number from 0 on is expected'],
    ['p99<20', 'column 7: no unit, p99 takes us, ms, or s'],
    ['p99<20 parsecs', 'column 8: unit "parsecs", p99 takes us, ms, or s'],
    ['rate>=1/s', 'column 8: unit "/s", rate takes no unit or %'],
    ['connections>5%', 'column 14: unit "%", connections takes no unit'],
    ['p99<1toString', 'column 6: unit "toString"'],
    ['p99<20ms and more', 'column 7: unit "ms and more"'],
  ])('refuses %j, naming the place', (text, message) => {
    const error = usageErrorOf(() => parseThreshold(text));
    expect(error.code).toBe('WSK_ERR_INVALID_INPUT');
    expect(error.message).toContain(`threshold ${JSON.stringify(text)}, ${message}`);
  });

  it.each([
    ['p999.9<1ms', 'p99.9'],
    ['servce-p99<20ms', 'service-p99'],
    ['eror<1%', 'errors'],
    ['last-delivry-p99<1ms', 'last-delivery-p99'],
  ])('says for %j that %s may have been meant', (text, metric) => {
    expect(usageErrorOf(() => parseThreshold(text)).hint).toContain(metric);
  });

  it('knows every percentile, maximum and mean of every latency', () => {
    for (const prefix of ['', 'service-', 'connect-', 'lateness-', 'last-delivery-']) {
      for (const name of ['p50', 'p75', 'p90', 'p95', 'p99', 'p99.9', 'max', 'mean']) {
        expect(METRICS.has(prefix + name)).toBe(true);
      }
    }
  });
});

it('has every metric in the documentation', () => {
  const page = readFileSync(
    new URL('../../../../skills/websocket/references/benchmark.md', import.meta.url),
    'utf8',
  );
  const prefixes = ['service-', 'connect-', 'lateness-', 'last-delivery-'];
  for (const name of METRICS.keys()) {
    const prefix = prefixes.find(
      (one) => name.startsWith(one) && METRICS.has(name.slice(one.length)),
    );
    const parts = prefix === undefined ? [name] : [prefix, name.slice(prefix.length)];
    for (const part of parts) expect(page).toContain(`\`${part}\``);
  }
});

describe('judgeThresholds', () => {
  it('gives value, bound and verdict in the unit of the threshold', () => {
    expect(judged('connections>=15')).toEqual({
      threshold: 'connections>=15',
      metric: 'connections',
      value: 15,
      bound: 15,
      unit: 'count',
      verdict: 'pass',
    });
  });

  it.each([
    ['errors<=41', 41],
    ['errors<4.1%', (41 / 1020) * 100],
    ['lost<=10', 10],
    ['lost<2%', (10 / 990) * 100],
    ['rate>=0.99', 0.99],
    ['throughput>=490', 490],
    ['connect-rate>=30', 30],
    ['cpu<=50%', 50],
    ['cpu-per-message<=1ms', 1],
    ['server-cpu<=25%', 25],
  ])('holds %j against %d', (text, value) => {
    expect(judged(text).value).toBeCloseTo(value, 9);
    expect(judged(text).verdict).toBe('pass');
  });

  it.each([
    ['p50', 10],
    ['max', 20],
    ['mean', 15],
    ['service-p99', 5],
    ['connect-p99', 1],
    ['lateness-p99', 0.1],
    ['last-delivery-p95', 40],
  ])('takes %s in milliseconds from its own histogram', (metric, value) => {
    expect(Math.abs((judged(`${metric}<1s`).value ?? NaN) / value - 1)).toBeLessThan(0.001);
  });

  it.each([
    ['connections<15', 'fail'],
    ['connections<=15', 'pass'],
    ['connections>15', 'fail'],
    ['connections>=15', 'pass'],
    ['connections<16', 'pass'],
    ['connections>14', 'pass'],
  ])('finds that 15 connections make %j a %s', (text, verdict) => {
    expect(judged(text).verdict).toBe(verdict);
  });

  it('fails what was not measured, however it is asked', () => {
    const nothing = summarize(loadResult(), CLOSED, null);
    for (const text of [
      'p99<1s',
      'p99>=0ms',
      'rate>=0',
      'lost<=100%',
      'cpu<100%',
      'server-cpu<1%',
    ]) {
      expect(judged(text, nothing)).toMatchObject({ value: null, verdict: 'fail' });
    }
  });
});

it('counts a handshake that failed once, where handshakes are the messages', () => {
  const storm = summarize(
    loadResult({
      connections: { requested: 100, opened: 90, failed: 10, dropped: 0 },
      messages: { ...loadResult().messages, intended: 100, sent: 100, received: 90, lost: 10 },
    }),
    STORM,
    null,
  );
  expect(judged('errors<=10', storm).value).toBe(10);
  expect(judged('errors<=10%', storm).value).toBe(10);
});

describe('requireMeasurable', () => {
  const check = (text: string, plan: typeof CLOSED) => () => {
    requireMeasurable([parseThreshold(text)], plan);
  };

  it.each([
    ['rate>=0.99', CLOSED, 'a closed loop (--pipeline) has no rate to keep'],
    ['lateness-p99<1ms', CLOSED, 'a closed loop'],
    ['lateness-p99<1ms', STORM, 'without --rate there is none to keep'],
    ['p99<1ms', loadPlan({ mode: 'idle' }), 'the mode idle sends no messages'],
    ['lost<=0', loadPlan({ mode: 'idle' }), 'the mode idle sends no messages'],
    ['last-delivery-p99<1ms', loadPlan(), 'only the mode fanout measures it'],
  ])('refuses %j where it cannot be measured', (text, plan, message) => {
    expect(usageErrorOf(check(text, plan)).message).toContain(message);
  });

  it('lets through what can be measured', () => {
    expect(check('rate>=0.99', loadPlan())).not.toThrow();
    expect(check('p99<1ms', CLOSED)).not.toThrow();
    expect(check('connect-p99<1ms', loadPlan({ mode: 'idle' }))).not.toThrow();
    expect(check('p99<1ms', STORM)).not.toThrow();
    expect(check('last-delivery-p99<1ms', loadPlan({ mode: 'fanout' }))).not.toThrow();
  });
});
