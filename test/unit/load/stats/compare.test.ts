import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../../src/load/random.ts';
import type { Comparison, Metrics } from '../../../../src/load/metrics.ts';
import { compareRuns } from '../../../../src/load/stats/compare.ts';
import { measuredRun } from '../../../support/measured.ts';

/** Compares with runs that `run` makes of the URL and the number of the run. */
async function compare(
  run: (url: string, at: number, side: 'a' | 'b') => Metrics,
  { blocks = 4, minEffect = 5 } = {},
): Promise<Comparison> {
  let at = 0;
  return compareRuns({
    a: 'a',
    b: 'b',
    blocks,
    minEffect,
    random: createRandom(1),
    run: (url, side) => Promise.resolve(run(url, at++, side)),
  });
}

function row(comparison: Comparison, metric: string): Comparison['rows'][number] {
  const found = comparison.rows.find((one) => one.metric === metric);
  if (found === undefined) throw new Error(`no row ${metric}`);
  return found;
}

/** A factor of log-normal noise. */
function noise(random: () => number, deviation: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return Math.exp(deviation * radius * Math.cos(2 * Math.PI * random()));
}

describe('compareRuns', () => {
  it('runs A B B A in each block', async () => {
    const order: string[] = [];
    const comparison = await compare(
      (url, _, side) => {
        order.push(url, side);
        return measuredRun(100, 1);
      },
      { blocks: 3 },
    );
    expect(order.join('')).toBe('aabbbbaa'.repeat(3));
    expect(row(comparison, 'p99').a.runs).toHaveLength(6);
  });

  it('says which is better, by what of the figure is better', async () => {
    const random = createRandom(5);
    const comparison = await compare((url) =>
      url === 'a'
        ? measuredRun(Math.round(1000 * noise(random, 0.02)), 2 * noise(random, 0.02))
        : measuredRun(Math.round(1500 * noise(random, 0.02)), 3 * noise(random, 0.02)),
    );
    expect(row(comparison, 'rate').verdict).toBe('b is better');
    expect(row(comparison, 'p99').verdict).toBe('a is better');
    expect(row(comparison, 'p99').ratio.median).toBeCloseTo(1.5, 1);
    expect(comparison.other.rate.received).toBeGreaterThan(1300);
  });

  it('gives no verdict on less than the least effect, however sure it is', async () => {
    const run = (url: string) => measuredRun(url === 'a' ? 1000 : 1040, 1);
    expect(row(await compare(run), 'rate').verdict).toBe('no difference shown');
    expect(row(await compare(run, { minEffect: 3 }), 'rate').verdict).toBe('b is better');
  });

  it('gives no verdict when the interval holds 1, however large the effect', async () => {
    const factors = [1, 3, 3, 1, 1, 0.8, 0.8, 1, 1, 2, 2, 1, 1, 0.7, 0.7, 1];
    const { ratio, verdict } = row(
      await compare((_, at) => measuredRun(Math.round(1000 * (factors[at] ?? 1)), 1)),
      'rate',
    );
    expect(ratio.median).toBeGreaterThan(1.2);
    expect(ratio.low).toBeLessThan(1);
    expect(verdict).toBe('no difference shown');
  });

  it('is not misled by load that drifts evenly or comes half way', async () => {
    const drifting = await compare((_, at) => measuredRun(1000 - 40 * at, 1));
    expect(row(drifting, 'rate').ratio.median).toBeCloseTo(1, 1);
    expect(row(drifting, 'rate').verdict).toBe('no difference shown');
    const halved = await compare((_, at) => measuredRun(at < 8 ? 1000 : 500, 1));
    expect(row(halved, 'rate').ratio).toEqual({ median: 1, low: 1, high: 1 });
  });

  it('shows a difference in at most a tenth of comparisons of equal servers under drifting load', async () => {
    const random = createRandom(2026);
    let verdicts = 0;
    for (let trial = 0; trial < 40; trial++) {
      const [phase, step, from] = [random() * 6, random() < 0.5 ? 0 : 0.7, random() * 16];
      const comparison = await compare((_, at) => {
        const drift = Math.exp(0.2 * Math.sin(at / 3 + phase) + (at > from ? step : 0));
        return measuredRun(Math.round(10_000 * drift * noise(random, 0.12)), 1);
      });
      if (row(comparison, 'rate').verdict !== 'no difference shown') verdicts++;
    }
    expect(verdicts).toBeLessThanOrEqual(4);
  });

  it("leaves out what has no ratio, what is the generator's alone, and the far tail", async () => {
    const { rows } = await compare(() => measuredRun(100, 1));
    const names = rows.map(({ metric }) => metric);
    expect(names).toContain('answered');
    for (const name of ['errors', 'cpuPerMessageUs', 'serverBytesPerConnection', 'p999', 'max']) {
      expect(names).not.toContain(name);
    }
  });

  it('makes two blocks at least, as one has no spread', async () => {
    const comparison = await compare(() => measuredRun(100, 1), { blocks: 1 });
    expect(row(comparison, 'rate').a.runs).toHaveLength(4);
  });

  it('ends with what a run throws', async () => {
    await expect(
      compare(() => {
        throw new Error('stopped');
      }),
    ).rejects.toThrow('stopped');
  });
});
