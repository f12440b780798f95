import { expect, it } from 'vitest';
import { LiveSeconds } from '../../../../src/load/distributed/live-seconds.ts';
import { secondSample } from '../../../support/load-results.ts';

function watch(machines: number): { live: LiveSeconds; told: [second: number, sent: number][] } {
  const told: [number, number][] = [];
  const live = new LiveSeconds(machines, ({ second, sent }) => void told.push([second, sent]));
  return { live, told };
}

it('tells a second once all machines have told theirs, in order', () => {
  const { live, told } = watch(2);
  live.add(0, secondSample(0, { sent: 1 }));
  live.add(0, secondSample(1, { sent: 2 }));
  expect(told).toEqual([]);
  live.add(1, secondSample(0, { sent: 10 }));
  expect(told).toEqual([[0, 11]]);
  live.add(1, secondSample(1, { sent: 20 }));
  expect(told).toEqual([
    [0, 11],
    [1, 22],
  ]);
});

it('does not wait for a machine that is done or lost', () => {
  const { live, told } = watch(2);
  live.add(0, secondSample(0, { sent: 1 }));
  live.add(0, secondSample(1, { sent: 2 }));
  live.end(1);
  expect(told).toEqual([
    [0, 1],
    [1, 2],
  ]);
});

it('tells what is left when the last machine is done', () => {
  const { live, told } = watch(2);
  live.add(0, secondSample(0, { sent: 1 }));
  live.end(0);
  live.end(1);
  expect(told).toEqual([[0, 1]]);
});
