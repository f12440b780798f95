import { describe, expect, it } from 'vitest';
import { createSchedule } from '../../../../src/load/pacing/schedule.ts';
import type { ScheduleOptions } from '../../../../src/load/pacing/schedule.ts';

const base: ScheduleOptions = {
  rate: 100,
  arrivals: 'constant',
  seed: 1,
  index: 0,
  workers: 1,
  startMs: 1000,
};

function times(options: Partial<ScheduleOptions>, count: number): number[] {
  const schedule = createSchedule({ ...base, ...options });
  return Array.from({ length: count }, () => {
    const { next } = schedule;
    schedule.advance();
    return next;
  });
}

describe('createSchedule', () => {
  it('makes a message due at the start, and one each period', () => {
    expect(times({}, 3)).toEqual([1000, 1010, 1020]);
  });

  it('does not drift', () => {
    expect(times({ rate: 3 }, 30_001).at(-1)).toBe(1000 + 30_000 * (1000 / 3));
  });

  it('lets the workers take turns', () => {
    expect(times({ index: 1, workers: 2 }, 2)).toEqual([1005, 1015]);
  });

  it('comes to the rate with random arrivals, whose gaps are exponential', () => {
    const due = times({ arrivals: 'poisson' }, 20_000);
    const gaps = due.slice(1).map((time, i) => time - (due[i] ?? 0));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    expect(mean / 10).toBeGreaterThan(0.97);
    expect(mean / 10).toBeLessThan(1.03);
    const beyond = gaps.filter((gap) => gap > mean).length / gaps.length;
    expect(beyond).toBeGreaterThan(0.35);
    expect(beyond).toBeLessThan(0.39);
    expect(gaps.every((gap) => gap >= 0)).toBe(true);
  });

  it('gives the same random arrivals for the same seed, and others for other workers', () => {
    const due = times({ arrivals: 'poisson' }, 50);
    expect(times({ arrivals: 'poisson' }, 50)).toEqual(due);
    expect(times({ arrivals: 'poisson', seed: 2 }, 50)).not.toEqual(due);
    expect(times({ arrivals: 'poisson', index: 1 }, 50)).not.toEqual(due);
  });
});
