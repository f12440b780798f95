import { expect, it } from 'vitest';
import { LiveSeconds } from '../../../../src/load/distributed/live-seconds.ts';
import { printableRedisUrl } from '../../../../src/load/distributed/redis.ts';
import { Segments } from '../../../../src/load/distributed/segments.ts';
import { loadPlan } from '../../../support/load-results.ts';

function segments(count: number): Segments {
  const plans = Array.from({ length: count }, () => loadPlan());
  const all = new Segments(plans, new LiveSeconds(count, () => undefined));
  all.all.forEach((segment, index) => (segment.jobId = `job ${index}`));
  return all;
}

const join = (name: string) => ({ type: 'join', name, offsetMs: 0, errorMs: 0 });

it('tells workers of the same name apart', () => {
  const all = segments(3);
  for (const index of [0, 1, 2]) all.receive(`job ${index}`, join('w'));
  expect(all.all.map(({ worker }) => worker?.name)).toEqual(['w', 'w (2)', 'w (3)']);
});

it('leaves out what no worker can have meant', () => {
  const all = segments(1);
  all.receive('job 0', { type: 'stats', sample: { second: 'x' } });
  all.receive('job 7', join('w'));
  expect(all.all[0]).toMatchObject({ worker: undefined, seconds: [] });
});

it('takes an answer of another shape for a lost segment', () => {
  const all = segments(1);
  all.complete('job 0', { kind: 'something' });
  expect(all.all[0]?.end).toEqual({
    kind: 'lost',
    reason: 'returned something that is not a result',
  });
});

it('keeps the first end of a segment', () => {
  const all = segments(1);
  all.end('job 0', { kind: 'lost', reason: 'was lost' });
  all.complete('job 0', { kind: 'dismissed' });
  expect(all.all[0]?.end).toMatchObject({ kind: 'lost' });
});

it('waits until a condition holds, for so long, or until aborted', async () => {
  const all = segments(1);
  const done = (): boolean => all.running.length === 0;
  expect(await all.until(done, 1)).toBe(false);
  const controller = new AbortController();
  const aborted = all.until(done, 60_000, controller.signal);
  controller.abort();
  expect(await aborted).toBe(false);
  const held = all.until(done, 60_000);
  all.endAll({ kind: 'dismissed' });
  expect(await held).toBe(true);
  expect(await all.until(done, 60_000)).toBe(true);
});

it.each([
  ['redis://user:s3cret@redis:6379/2', 'redis://redis:6379/2'],
  ['rediss://:s3cret@redis.example.com', 'rediss://redis.example.com'],
  ['redis://redis?password=s3cret', 'redis://redis'],
  ['redis://localhost:6379/', 'redis://localhost:6379'],
])('prints %s without what is secret', (url, printed) => {
  expect(printableRedisUrl(url)).toBe(printed);
});
