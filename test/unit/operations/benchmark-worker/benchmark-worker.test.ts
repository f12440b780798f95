import { describe, expect, it } from 'vitest';
import { Settings } from '../../../../src/core/settings.ts';
import { resolveInput } from '../../../../src/core/derive/input.ts';
import { operation } from '../../../../src/operations/benchmark-worker/operation.ts';
import type { BenchmarkWorkerReport } from '../../../../src/operations/benchmark-worker/schema.ts';
import { viewBenchmarkWorker } from '../../../../src/operations/benchmark-worker/view.ts';
import { usageErrorOf } from '../../../support/usage-error.ts';

const given = { redis: 'redis://localhost' };

function resolve(args: object): unknown {
  return resolveInput(operation, { ...args }, Settings.parse({}), 'flag');
}

describe('the flags of benchmark-worker', () => {
  it('need a Redis, and are for one run at a time until it is told to leave', () => {
    expect(resolve(given)).toEqual({ ...given, once: false, concurrency: 1, allowTargets: [] });
  });

  it.each([
    [{}, '--redis is missing'],
    [{ redis: 'localhost:6379' }, '--redis is "localhost:6379", expected a redis:// or rediss://'],
    [{ ...given, name: 'a b' }, '--name is "a b", expected letters, digits'],
    [{ ...given, concurrency: 0 }, '--concurrency is 0, expected a whole number from 1 to 64'],
    [{ ...given, allowTargets: ['ws://x'] }, '--allow-target holds "ws://x", expected host or'],
  ])('refuse %j', (args, message) => {
    expect(usageErrorOf(() => resolve(args)).message).toContain(message);
  });

  it('do not print the password of a URL that is wrong', () => {
    const { message } = usageErrorOf(() => resolve({ redis: 'http://user:s3cret@redis:6379' }));
    expect(message).toContain('--redis is "http://***@redis:6379"');
  });
});

describe('the view of benchmark-worker', () => {
  const report: BenchmarkWorkerReport = {
    operation: 'benchmark-worker',
    status: 'passed',
    success: true,
    name: 'w1',
    redis: 'redis://localhost',
    shares: [],
    refused: 0,
    durationMs: 1234,
  };

  it('tells that there was nothing to do', () => {
    expect(viewBenchmarkWorker(report)).toEqual({
      title: 'benchmark-worker w1',
      facts: [
        ['Redis', 'redis://localhost'],
        ['runs', '0'],
        ['duration', '1.2 s'],
      ],
    });
  });

  it('lists the segments it ran and how many it refused', () => {
    const share = {
      target: 'ws://a/',
      connections: 2,
      sent: 20,
      received: 19,
      durationMs: 1000,
      verdict: 'pass' as const,
      note: 'ended early by an interrupt',
    };
    const view = viewBenchmarkWorker({ ...report, shares: [share], refused: 3 });
    expect(view.facts).toContainEqual(['refused', '3']);
    expect(view.table?.rows).toEqual([
      ['ws://a/', 'pass', '2', '20', '19', 'ended early by an interrupt'],
    ]);
  });
});
