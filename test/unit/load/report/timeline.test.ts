import { expect, it } from 'vitest';
import { spans, stepFor } from '../../../../src/load/report/timeline.ts';
import { sampleRun } from '../../../support/load-reports.ts';

const { seconds } = sampleRun({ seconds: 20 }).measured;

it('keeps seconds as they are while there is room for all', () => {
  expect(stepFor(3600, 3600)).toBe(1);
  expect(spans(seconds, 1)).toHaveLength(27);
  expect(spans(seconds, 1)[8]).toMatchObject({
    second: 8,
    p99: seconds[8]?.p99,
    sent: seconds[8]?.sent,
  });
});

it('joins seconds: means of rates, sums of errors, the worst of latencies, the end of counts', () => {
  const rows = [
    { p50: 1, p99: 2, max: 9, sent: 100, errors: 1, connections: 10 },
    { p50: null, p99: null, max: null, sent: 0, errors: 0, connections: 8 },
    { p50: 3, p99: 40, max: 41, sent: 200, errors: 2, connections: 9 },
  ].map((own, second) => ({ ...(seconds[8] ?? never()), ...own, second }));
  expect(spans(rows, 3)).toMatchObject([
    { second: 0, p50: 3, p99: 40, max: 41, sent: 100, errors: 3, connections: 9 },
  ]);
});

it('has nothing where nothing was measured', () => {
  const rows = seconds.slice(0, 2).map((row) => ({ ...row, p99: null, serverCpu: null }));
  expect(spans(rows, 2)).toMatchObject([{ p99: null, serverCpu: null }]);
  expect(spans([], 5)).toEqual([]);
});

function never(): never {
  throw new Error('the sample has this second');
}
