import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../../../../src/core/errors.ts';
import type { Metrics, Search } from '../../../../src/load/metrics.ts';
import { findMax } from '../../../../src/load/stats/find-max.ts';
import { parseThreshold } from '../../../../src/load/stats/threshold.ts';
import { measuredRun } from '../../../support/measured.ts';

interface Options {
  readonly start?: number;
  readonly slo?: string;
  readonly signal?: AbortSignal;
}

async function search(
  run: (rate: number, at: number) => Metrics,
  { start = 1000, slo = 'p99<50ms', signal = new AbortController().signal }: Options = {},
): Promise<Search> {
  let at = 0;
  return findMax({
    slo: parseThreshold(slo),
    start,
    signal,
    // A run that throws rejects.
    run: (rate) => Promise.resolve().then(() => run(rate, at++)),
  });
}

/** A server whose latency jumps beyond `limit` messages per second. */
function serverUpTo(limit: number) {
  return (rate: number): Metrics => measuredRun(Math.round(rate), rate <= limit ? 2 : 400);
}

function judged(run: Metrics, state: 'saturated' | 'disturbed'): Metrics {
  const generator = { ...run.generator, [state]: true, reasons: ['messages left late'] };
  return { ...run, generator };
}

/** A run in which messages left so late that the threshold did not hold. */
function late(rate: number, state: 'saturated' | 'disturbed'): Metrics {
  return judged(measuredRun(Math.round(rate), 400), state);
}

describe('findMax', () => {
  it.each([700, 1000, 5300, 123_456])('finds a limit of %i to within 5 %%', async (limit) => {
    const { best, limit: why } = await search(serverUpTo(limit));
    expect(best).toBeLessThanOrEqual(limit);
    expect(best).toBeGreaterThan(limit / 1.06);
    expect(why).toContain('the server is the limit');
  });

  it('goes down from a start that is far too high, to fractions of a message if it has to', async () => {
    expect((await search(serverUpTo(3), { start: 10_000 })).best).toBeGreaterThan(2.8);
    expect((await search(serverUpTo(0.5), { start: 100 })).best).toBeGreaterThan(0.47);
  });

  it('has no best rate when not even the lowest holds', async () => {
    const { best, levels } = await search(serverUpTo(0));
    expect(best).toBeNull();
    expect(levels.every(({ held }) => !held)).toBe(true);
  });

  it('runs the rate it found once more', async () => {
    const { best, levels } = await search(serverUpTo(5300));
    expect(levels.at(-1)).toMatchObject({ rate: best, held: true });
    expect(levels.filter(({ rate }) => rate === best)).toHaveLength(2);
  });

  it('falls back to a lower rate when the one it found does not hold again', async () => {
    const seen = new Set<number>();
    const { best } = await search((rate) => {
      const lucky = rate > 3000 && rate <= 5300 && !seen.has(rate);
      seen.add(rate);
      return serverUpTo(lucky ? 5300 : 3000)(rate);
    });
    expect(best).toBe(2000);
  });

  const run = measuredRun(1000, 2);
  it.each([
    ['loses messages', { messages: { ...run.messages, lost: 1 } }, '1 messages were lost'],
    ['is not sent 99 %', { rate: { ...run.rate, reached: 0.98 } }, '98.0 % of the messages'],
    [
      'fails connections',
      { connections: { ...run.connections, failed: 2 } },
      '2 connections failed',
    ],
    [
      'drops them',
      { connections: { ...run.connections, dropped: 3 } },
      '3 connections were dropped',
    ],
  ])('does not take a level that %s for held', async (_, changes, detail) => {
    const { levels, best } = await search((rate) =>
      measuredRun(Math.round(rate), 2, rate > 1500 ? changes : {}),
    );
    expect(best).toBeLessThanOrEqual(1500);
    expect(levels.find(({ rate }) => rate === 2000)?.detail).toContain(detail);
  });

  it.each([
    ['saturated', 'the generator is the limit, the server may hold more'],
    ['disturbed', 'the generator was disturbed, the server may hold more'],
  ] as const)('says that the generator was %s where that broke the SLO', async (state, words) => {
    const { best, limit, levels } = await search((rate) =>
      rate > 3000 ? late(rate, state) : serverUpTo(1e9)(rate),
    );
    expect(best).toBeGreaterThan(2800);
    expect(limit).toContain(words);
    expect(levels.find(({ rate }) => rate === 4000)?.detail).toBe(
      `p99 is 400 ms; GENERATOR ${state.toUpperCase()}: messages left late`,
    );
  });

  it.each(['saturated', 'disturbed'] as const)(
    'holds a level within its SLO though the generator was %s, as response includes lateness',
    async (state) => {
      const { best, levels } = await search((rate) => judged(serverUpTo(5300)(rate), state));
      expect(best).toBeGreaterThan(5000);
      expect(levels.find(({ rate }) => rate === 4000)).toEqual({
        rate: 4000,
        held: true,
        detail: 'p99 is 2 ms',
      });
    },
  );

  it('finds the limit of the server below that of the generator', async () => {
    const { best, limit } = await search((rate) =>
      rate > 3000 ? late(rate, 'saturated') : serverUpTo(2500)(rate),
    );
    expect(best).toBeLessThanOrEqual(2500);
    expect(limit).toContain('the server is the limit');
  });

  it('runs a level again that the generator did not hold, as a neighbour may have stalled it', async () => {
    const { best, levels } = await search((rate, at) =>
      at === 1 ? late(rate, 'disturbed') : serverUpTo(5300)(rate),
    );
    expect(best).toBeGreaterThan(5000);
    expect(levels.slice(1, 3)).toMatchObject([
      { rate: 2000, held: false },
      { rate: 2000, held: true },
    ]);
  });

  it('does not give up the rate it found for a stall of the generator', async () => {
    const seen = new Map<number, number>();
    const { best, levels } = await search((rate) => {
      const times = (seen.get(rate) ?? 0) + 1;
      seen.set(rate, times);
      return times === 2 ? late(rate, 'disturbed') : serverUpTo(5300)(rate);
    });
    expect(best).toBeGreaterThan(5000);
    expect(levels.slice(-2)).toMatchObject([
      { rate: best, held: false },
      { rate: best, held: true },
    ]);
  });

  it('takes any threshold', async () => {
    const { best, slo } = await search(serverUpTo(5300), { slo: 'throughput<=2500' });
    expect(slo).toBe('throughput<=2500');
    expect(best).toBeLessThanOrEqual(2500);
    expect(best).toBeGreaterThan(2350);
  });

  it('returns what it found when it is stopped, without the run that was cut short', async () => {
    const controller = new AbortController();
    const { best, levels, limit } = await search(
      (rate, at) => {
        if (at === 2) controller.abort();
        return serverUpTo(1e9)(rate);
      },
      { signal: controller.signal },
    );
    expect(best).toBe(2000);
    expect(levels).toHaveLength(2);
    expect(limit).toBe('the search was stopped');
  });

  const gone = () => {
    throw new EnvironmentError('WSK_ERR_REFUSED', 'nothing listens', { cause: undefined });
  };

  it('reports a server that a rate brought down', async () => {
    const { best, limit } = await search((rate) => (rate > 4000 ? gone() : serverUpTo(1e9)(rate)));
    expect(best).toBe(4000);
    expect(limit).toContain(
      'the server was no longer reachable after these levels: nothing listens',
    );
  });

  it('throws when the server never was there', async () => {
    await expect(search(gone)).rejects.toThrow(EnvironmentError);
  });

  it('throws what is a defect', async () => {
    await expect(
      search((rate) => {
        if (rate > 1000) throw new TypeError('a defect');
        return serverUpTo(1e9)(rate);
      }),
    ).rejects.toThrow(TypeError);
  });
});
