import { expect, it } from 'vitest';
import type { LoadPlan } from '../../../../src/load/plan.ts';
import { liveLines } from '../../../../src/load/report/index.ts';
import type { SecondSample } from '../../../../src/load/result.ts';
import { loadPlan } from '../../../support/load-results.ts';

const PLAN = loadPlan({
  connections: 1000,
  load: { model: 'open', rate: 20_000, arrivals: 'constant', seed: 1 },
  phases: { rampMs: 0, warmupMs: 0, durationMs: 60_000, drainMs: 5000, connectTimeoutMs: 5000 },
});

function second(at: number, own: Partial<SecondSample> = {}): SecondSample {
  return {
    second: at,
    phase: 'measure',
    intended: 20_000,
    sent: 19_998,
    received: 19_997,
    errors: 0,
    connections: 1000,
    opened: 0,
    response: { p50: 240_000, p99: 1_090_000, max: 3_400_000 },
    latenessP99: 180_000,
    cpuMs: 380,
    rssBytes: 92 * 1024 * 1024,
    ...own,
  };
}

it('tells rate, latency, errors, connections and health of the last second', () => {
  expect(liveLines([second(0), second(1, { received: 10_000 }), second(2)], PLAN, 100)).toEqual([
    'echo     ws://127.0.0.1:8080/  1,000 connections  20,000/s constant',
    'phase    measuring  3 s of 60 s',
    'rate     sent 19,998/s  received 19,997/s  of 20,000/s intended',
    'latency  p50 0.240 ms  p99 1.09 ms  highest 3.40 ms',
    'errors   none',
    'open     1,000 of 1,000 connections',
    'health   on time  lateness p99 0.180 ms  CPU 38 %  92 MiB',
    'rate     █▅█ top 19,997/s',
    'p99      ███ top 1.09 ms',
  ]);
});

it('says that the generator is late when it is, and not when the server is slow', () => {
  const health = (own: Partial<SecondSample>): string =>
    liveLines([second(0, own)], PLAN, 120).find((line) => line.startsWith('health')) ?? '';
  expect(health({ latenessP99: 45_000_000 })).toContain('GENERATOR IS LATE');
  expect(health({ latenessP99: 1_100_000, response: { p50: 1, p99: 9e6, max: 9e6 } })).toContain(
    'on time',
  );
});

it('counts all errors and those of the last second', () => {
  const lines = liveLines([second(0, { errors: 4 }), second(1, { errors: 1 })], PLAN, 80);
  expect(lines).toContain('errors   5  1 in the last second');
});

it('has something to say before the first second, without replies and in a closed loop', () => {
  expect(liveLines([], PLAN, 80)).toEqual([
    'echo     ws://127.0.0.1:8080/  1,000 connections  20,000/s constant',
    'phase    connecting  0 ms',
  ]);
  const quiet = second(0, { response: null, latenessP99: null, sent: 0, received: 0, intended: 0 });
  const closed: LoadPlan = { ...PLAN, load: { model: 'closed', depth: 16, seed: 1 } };
  const lines = liveLines([quiet], closed, 80);
  expect(lines[0]).toContain('closed loop, 16 in flight each');
  expect(lines).toContain('latency  no replies in the last second');
  expect(lines.join('\n')).not.toContain('intended');
});

it('tells handshakes where there are no messages', () => {
  const lines = liveLines(
    [second(0, { phase: 'connect', opened: 812, response: null })],
    { ...PLAN, mode: 'connect' },
    80,
  );
  expect(lines).toContain('rate     812 handshakes/s');
});

it.each([40, 41, 57, 80, 132, 400])('fits %i columns, without colour codes', (columns) => {
  const samples = Array.from({ length: 700 }, (_, at) =>
    second(at, {
      received: at * 1_000_003,
      errors: 12_345_678,
      response: at % 7 === 0 ? null : { p50: 1e9 * at, p99: 3e9 * at, max: 3.6e12 },
      latenessP99: 3.6e12,
    }),
  );
  const plan: LoadPlan = {
    ...PLAN,
    connections: 1_000_000,
    target: { ...PLAN.target, url: `ws://localhost/\u001b[31m${'long/'.repeat(90)}` },
  };
  for (const line of liveLines(samples, plan, columns)) {
    expect(line.length, line).toBeLessThanOrEqual(columns);
    expect(line).not.toMatch(/\p{Cc}/u);
  }
});

it('cuts nothing but the address at 40 columns', () => {
  const lines = liveLines([second(0, { errors: 3 })], PLAN, 40);
  expect(lines.join('\n')).not.toContain('…');
  expect(lines.join(' ')).toContain('of 20,000/s intended');
});
