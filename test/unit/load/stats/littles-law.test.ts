import { describe, expect, it } from 'vitest';
import type { LoadResult } from '../../../../src/load/result.ts';
import { littlesLaw } from '../../../../src/load/stats/littles-law.ts';
import { histogramOf, loadPlan, loadResult } from '../../../support/load-results.ts';

const MS = 1_000_000;
const CLOSED = loadPlan({ load: { model: 'closed', depth: 4, seed: 1 } });

/** 10 connections that got 20,000 replies in a second: with depth 4, 2 ms each. */
function run(serviceMs: number, changes: Partial<LoadResult> = {}): LoadResult {
  const result = loadResult();
  return loadResult({
    connections: { requested: 12, opened: 10, failed: 2, dropped: 0 },
    messages: {
      ...result.messages,
      intended: 20_000,
      sent: 20_000,
      received: 20_040,
      inWindow: 20_000,
    },
    latency: { ...result.latency, service: histogramOf(serviceMs * MS) },
    ...changes,
  });
}

describe('littlesLaw', () => {
  it.each([
    [2, true],
    [2.19, true],
    [1.81, true],
    [2.21, false],
    [1.79, false],
    [0.5, false],
  ])('says of a mean service of %d ms where 2 ms must be: %s', (serviceMs, holds) => {
    const law = littlesLaw(run(serviceMs), CLOSED);
    expect(law?.expectedMs).toBe(2);
    expect(law?.holds).toBe(holds);
  });

  it('does not apply in open loop, to a scenario, to other modes or without replies', () => {
    expect(littlesLaw(run(2), loadPlan())).toBeNull();
    expect(littlesLaw(run(2, { engine: 'scenario' }), CLOSED)).toBeNull();
    expect(littlesLaw(run(2), { ...CLOSED, mode: 'connect' })).toBeNull();
    expect(littlesLaw(loadResult(), CLOSED)).toBeNull();
  });
});
