import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { atMost } from '../../../src/contract/at-most.ts';

it('runs so many at a time, in their order, whatever becomes of them', async () => {
  const started: number[] = [];
  const ends: (() => void)[] = [];
  const limited = atMost(2, async (n: number) => {
    started.push(n);
    await new Promise<void>((resolve) => (ends[n] = resolve));
    if (n === 0) throw new Error('the first');
    return n * 10;
  });
  const outcomes = Promise.allSettled([0, 1, 2, 3].map((n) => limited(n)));
  await turn();
  expect(started).toEqual([0, 1]);
  ends[0]?.();
  await turn();
  expect(started).toEqual([0, 1, 2]);
  ends[2]?.();
  await turn();
  expect(started).toEqual([0, 1, 2, 3]);
  ends[1]?.();
  ends[3]?.();
  expect((await outcomes).map((outcome) => ('value' in outcome ? outcome.value : 'no'))).toEqual([
    'no',
    10,
    20,
    30,
  ]);
});
