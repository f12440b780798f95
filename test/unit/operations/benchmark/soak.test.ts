import { expect, it } from 'vitest';
import type { Metrics } from '../../../../src/load/metrics.ts';
import { driftNotes } from '../../../../src/operations/benchmark/soak.ts';
import { secondSample, loadPlan, loadResult } from '../../../support/load-results.ts';
import { summarize } from '../../../../src/load/stats/index.ts';

/** Forty seconds in which the server's memory grows by `growth` MiB each. */
function soak(growth: number, seconds = 40): Metrics {
  const samples = Array.from({ length: seconds }, (_, at) => secondSample(at + 1));
  const measured = summarize(loadResult({ seconds: samples }), loadPlan(), null);
  return {
    ...measured,
    seconds: measured.seconds.map((row) => ({
      ...row,
      p99: 2,
      serverRssBytes: (100 + growth * row.second) * 1024 * 1024,
      serverDescriptors: 20,
    })),
  };
}

it('names what grew from the first to the last quarter', () => {
  expect(driftNotes(soak(1))).toEqual([
    "the server's memory grew from 106 MiB in the first quarter to 136 MiB in the last (28.3 %)",
  ]);
});

it('says that nothing grew, or that nobody can tell', () => {
  expect(driftNotes(soak(0))).toEqual([
    'nothing grew by 10 % or more from the first quarter to the last',
  ]);
  expect(driftNotes(soak(1, 19))).toEqual(['the soak was too short to show growth']);
});
