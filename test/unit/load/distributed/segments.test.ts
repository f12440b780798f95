import { expect, it } from 'vitest';
import { LiveSeconds } from '../../../../src/load/distributed/live-seconds.ts';
import { printableRedisUrl } from '../../../../src/load/distributed/redis.ts';
import { Shares } from '../../../../src/load/distributed/segments.ts';
import { loadPlan } from '../../../support/load-results.ts';

function shares(count: number): Shares {
  const plans = Array.from({ length: count }, () => loadPlan());
  const all = new Shares(plans, new LiveSeconds(count, () => undefined));
  all.all.forEach((share, index) => (share.jobId = `job ${index}`));
  return all;
}

const ready = (name: string) => ({ type: 'ready', name, offsetMs: 0, errorMs: 0 });

it('tells workers of the same name apart', () => {
  const all = shares(3);
  for (const index of [0, 1, 2]) all.hear(`job ${index}`, ready('w'));
  expect(all.all.map(({ worker }) => worker?.name)).toEqual(['w', 'w (2)', 'w (3)']);
});

it('leaves out what no worker can have meant', () => {
  const all = shares(1);
  all.hear('job 0', { type: 'second', sample: { second: 'x' } });
  all.hear('job 7', ready('w'));
  expect(all.all[0]).toMatchObject({ worker: undefined, seconds: [] });
});

it('takes an answer of another shape for a lost share', () => {
  const all = shares(1);
  all.complete('job 0', { kind: 'something' });
  expect(all.all[0]?.end).toEqual({
    kind: 'lost',
    reason: 'answered something else than a result',
  });
});

it('keeps the first end of a share', () => {
  const all = shares(1);
  all.end('job 0', { kind: 'lost', reason: 'was lost' });
  all.complete('job 0', { kind: 'dismissed' });
  expect(all.all[0]?.end).toMatchObject({ kind: 'lost' });
});

it('waits until a condition holds, for so long, or until aborted', async () => {
  const all = shares(1);
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
