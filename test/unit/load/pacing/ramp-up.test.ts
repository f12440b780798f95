import { describe, expect, it } from 'vitest';
import { RampUp } from '../../../../src/load/pacing/ramp-up.ts';

function rampUp(options: { count: number; rampMs?: number; limit?: number }) {
  const begun: { position: number; earlyMs: number }[] = [];
  let isDone = false;
  const ramp = new RampUp({
    rampMs: 0,
    ...options,
    begin: (position, dueMs, nowMs) => begun.push({ position, earlyMs: dueMs - nowMs }),
    done: () => {
      isDone = true;
    },
  });
  return { ramp, begun, isDone: () => isDone };
}

describe('a ramp', () => {
  it('starts no more than its limit until one is settled', () => {
    const { ramp, begun, isDone } = rampUp({ count: 3, limit: 2 });
    ramp.start();
    expect(begun.map(({ position }) => position)).toEqual([0, 1]);
    ramp.settled();
    expect(begun.map(({ position }) => position)).toEqual([0, 1, 2]);
    ramp.settled();
    expect(isDone()).toBe(false);
    ramp.settled();
    expect(isDone()).toBe(true);
  });

  it('starts each at its time, or later', async () => {
    const { ramp, begun } = rampUp({ count: 4, rampMs: 40 });
    ramp.start();
    expect(begun).toHaveLength(1);
    await expect.poll(() => begun).toHaveLength(4);
    expect(begun.filter(({ earlyMs }) => earlyMs > 0)).toEqual([]);
  });

  it('starts none and is never done once it is stopped', () => {
    const { ramp, begun, isDone } = rampUp({ count: 3, limit: 1 });
    ramp.start();
    ramp.stop();
    ramp.settled();
    expect([begun.length, isDone()]).toEqual([1, false]);
  });

  it('is done at once when there is nothing to start', () => {
    const { ramp, isDone } = rampUp({ count: 0 });
    ramp.start();
    expect(isDone()).toBe(true);
  });
});
