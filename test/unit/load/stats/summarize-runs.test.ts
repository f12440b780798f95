import { describe, expect, it } from 'vitest';
import { summarizeRuns } from '../../../../src/load/stats/summarize.ts';
import { measuredRun } from '../../../support/measured.ts';

describe('summarizeRuns', () => {
  it('gives each figure over the runs, in their order', () => {
    const { repeats } = summarizeRuns([
      measuredRun(100, 3),
      measuredRun(300, 1),
      measuredRun(200, 2),
    ]);
    expect(repeats['rate']).toMatchObject({
      median: 200,
      low: 100,
      high: 300,
      runs: [100, 300, 200],
    });
    expect(repeats['p99']?.median).toBeCloseTo(2, 2);
    expect(repeats['errors']?.runs).toEqual([0, 0, 0]);
  });

  it('leaves out what one of the runs did not measure', () => {
    const { repeats } = summarizeRuns([measuredRun(100, 3), measuredRun(0, 3)]);
    expect(Object.keys(repeats)).not.toContain('rate');
    expect(Object.keys(repeats)).not.toContain('serverBytesPerConnection');
  });

  it('shows the run whose p99 is the median, of four the lower of both', () => {
    const runs = [9, 1, 5, 7].map((p99) => measuredRun(100, p99));
    expect(summarizeRuns(runs).median).toBe(runs[2]);
    expect(summarizeRuns(runs.slice(0, 3)).median).toBe(runs[2]);
  });

  it('takes the rate of handshakes where there is no latency', () => {
    const runs = [300, 100, 200].map((perSecond) => {
      const run = measuredRun(0, 1);
      return {
        ...run,
        latency: { ...run.latency, response: null },
        connections: { ...run.connections, perSecond },
      };
    });
    expect(summarizeRuns(runs).median.connections.perSecond).toBe(200);
  });

  it('gives the same intervals for the same runs', () => {
    const runs = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((p99) => measuredRun(100, p99));
    expect(summarizeRuns(runs)).toEqual(summarizeRuns(runs));
  });

  it('refuses no runs', () => {
    expect(() => summarizeRuns([])).toThrow(RangeError);
  });
});
