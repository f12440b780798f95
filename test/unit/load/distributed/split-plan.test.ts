import { expect, it } from 'vitest';
import { splitPlan } from '../../../../src/load/distributed/split-plan.ts';
import { loadPlan } from '../../../support/load-results.ts';

const plan = loadPlan({ connections: 10, workers: 4 });
const { target } = plan;

it('splits connections as evenly as can be, the remainder over the first', () => {
  expect(splitPlan(plan, 3).map(({ connections }) => connections)).toEqual([4, 3, 3]);
  expect(splitPlan(plan, 10).every(({ connections }) => connections === 1)).toBe(true);
  expect(splitPlan(plan, 1).map(({ connections }) => connections)).toEqual([10]);
});

it('splits the rate by connections, so that each connection carries the same', () => {
  const rates = splitPlan(plan, 3).map(({ load }) => (load.model === 'open' ? load.rate : NaN));
  expect(rates).toEqual([40, 30, 30]);
});

it('leaves the depth of a closed loop, which is of each connection', () => {
  const closed = loadPlan({ load: { model: 'closed', depth: 16, seed: 1 } });
  expect(splitPlan(closed, 2).map(({ load }) => load)).toMatchObject([
    { depth: 16 },
    { depth: 16 },
  ]);
});

it('gives each segment its number and a seed of its own, the same each time', () => {
  const segments = splitPlan(plan, 3);
  expect(segments.map(({ segment }) => segment)).toEqual([
    { index: 0, of: 3 },
    { index: 1, of: 3 },
    { index: 2, of: 3 },
  ]);
  const seeds = segments.map(({ load }) => load.seed);
  expect(new Set(seeds).size).toBe(3);
  expect(splitPlan(plan, 3).map(({ load }) => load.seed)).toEqual(seeds);
  expect(seeds[0]).toBe(plan.load.seed);
});

it('gives each connection the token it would have on one machine', () => {
  const tokens = ['a', 'b', 'c'];
  const segments = splitPlan({ ...plan, target: { ...target, tokens } }, 3);
  const used = segments.flatMap((segment) =>
    Array.from({ length: segment.connections }, (_, index) => segment.target.tokens[index % 3]),
  );
  expect(used.join('')).toBe('abcabcabca');
});

it('has no more threads than connections in a segment', () => {
  expect(splitPlan(plan, 3).map(({ workers }) => workers)).toEqual([4, 3, 3]);
});

it('refuses more remote workers than connections', () => {
  expect(() => splitPlan(plan, 11)).toThrow(
    '10 connections cannot be split over 11 remote workers',
  );
});

it('refuses the mode fanout', () => {
  expect(() => splitPlan(loadPlan({ mode: 'fanout' }), 2)).toThrow(/fanout cannot be distributed/);
});
