import { expect, it } from 'vitest';
import { renderView } from '../../../../src/cli/render.ts';
import { generatorNotes } from '../../../../src/load/stats/index.ts';
import { viewBenchmark } from '../../../../src/operations/benchmark/view.ts';
import { benchmarkReport, measuredOf } from '../../../support/load-measured.ts';

const PERCENTILES = {
  count: 10,
  min: 0.1,
  mean: 0.2,
  p50: 0.2,
  p75: 0.3,
  p90: 0.4,
  p95: 0.5,
  p99: 1,
  p999: 2,
  max: 2500,
};

function shown(report: ReturnType<typeof benchmarkReport>): string {
  return renderView(viewBenchmark(report), report).replace(/\u001b\[\d+m/g, '');
}

it('shows response and service side by side, counts and thresholds', () => {
  const blank = measuredOf();
  const text = shown(
    benchmarkReport({
      measured: measuredOf({
        rate: { requested: 1000, sent: 999.5, received: 998, reached: 0.9995 },
        connections: { requested: 100, opened: 99, failed: 1, dropped: 2, perSecond: 500 },
        messages: { ...blank.messages, intended: 10_000, sent: 10_000, received: 9998, lost: 2 },
        latency: { ...blank.latency, response: PERCENTILES, service: { ...PERCENTILES, p99: 0.5 } },
        errors: [{ kind: 'close', detail: '1011', count: 2, first: 'closed with 1011' }],
      }),
      thresholds: [
        {
          threshold: 'p99<20ms',
          metric: 'p99',
          value: 1,
          bound: 20,
          unit: 'ms',
          verdict: 'pass',
        },
        {
          threshold: 'connect-p99<1ms',
          metric: 'connect-p99',
          value: null,
          bound: 1,
          unit: 'ms',
          verdict: 'fail',
        },
      ],
    }),
  );
  expect(text).toContain(
    'rate         1,000/s sent of 1,000/s requested (99.95 %), 998/s received',
  );
  expect(text).toContain('connections  99 of 100 opened, 500/s, 1 failed, 2 dropped');
  expect(text).toContain('messages     10,000 sent, 9,998 received, 2 lost');
  expect(text).toMatch(/^ +response +service$/m);
  expect(text).toMatch(/^ +p99 +1\.00 ms +0\.500 ms$/m);
  expect(text).toMatch(/^ +max +2\.5 s +2\.5 s$/m);
  expect(text).toMatch(/^ +close 1011 +2 +closed with 1011$/m);
  expect(text).toMatch(/^ +p99<20ms +pass +1\.00 ms$/m);
  expect(text).toMatch(/^ +connect-p99<1ms +fail +nothing$/m);
});

it('says loudly that the generator was the limit, with the rate it can hold', () => {
  const generator = {
    ...measuredOf().generator,
    saturated: true,
    reasons: ['messages left late'],
    heldRate: 4000,
  };
  const report = benchmarkReport({
    measured: measuredOf({ generator }),
    notes: generatorNotes(generator),
  });
  const text = shown(report);
  expect(text).toMatch(/^! /);
  expect(text).toContain(
    'GENERATOR SATURATED: these figures are of this generator, which can hold 4,000 messages/s',
  );
  expect(text).toContain('· messages left late');
});

it('shows what was searched and how two servers compare', () => {
  const interval = { median: 2, low: 1, high: 3, runs: [1, 2, 3] };
  const text = shown(
    benchmarkReport({
      repeats: { p99: interval },
      search: {
        slo: 'p99<50ms',
        best: 1000,
        levels: [{ rate: 1000, held: true, detail: 'p99 is 3 ms' }],
      },
      comparison: {
        a: 'ws://a',
        b: 'ws://b',
        rows: [
          {
            metric: 'p99',
            unit: 'ms',
            a: interval,
            b: interval,
            ratio: { median: 1.2, low: 1.1, high: 1.3 },
            verdict: 'a is better',
          },
        ],
        other: measuredOf(),
      },
    }),
  );
  expect(text).toMatch(/^ +p99 +2\.00 +1\.00 to 3\.00$/m);
  expect(text).toMatch(/^ +p99, ms +2\.00 +2\.00 +1\.20 \(1\.10 to 1\.30\) +a is better$/m);
  expect(text).toMatch(/^ +1,000 +yes +p99 is 3 ms$/m);
});
