import { createRandom } from '../../load/random.ts';
import type { Outcome } from './outcome.ts';
import type { LoadPlan } from '../../load/plan.ts';
import type { Measured } from '../../load/metrics.ts';
import { runPlan } from './run-plan.ts';
import type { Run, RunOptions } from './run-plan.ts';
import type { Prepared, Reached } from './plan/index.ts';
import { aggregate, compareRuns, findMax } from '../../load/stats/index.ts';

/** Blocks A B B A of a comparison: eight runs of each server, the least for a sound interval. */
const DEFAULT_BLOCKS = 4;

const NO_COMPARISON = { otherRuns: [], repeats: null, comparison: null, search: null } as const;

interface Campaign extends RunOptions {
  readonly prepared: Prepared;
  readonly reached: Reached;
}

/** Makes as many runs as the input asks for: one, several, those of a comparison or of a search. */
export async function carryOutAll(campaign: Campaign): Promise<Outcome> {
  const { input } = campaign;
  if (input.findMax) return search(campaign);
  if (input.compare !== undefined) return compare(campaign, input.compare);
  return input.repeat === undefined || input.repeat === 1
    ? once(campaign)
    : repeat(campaign, input.repeat);
}

async function once(campaign: Campaign): Promise<Outcome> {
  const run = await runPlan(planOf(campaign), campaign);
  return {
    ...NO_COMPARISON,
    runs: [run],
    measured: run.measured,
    interrupted: isCutShort(campaign, [run]),
  };
}

async function repeat(campaign: Campaign, times: number): Promise<Outcome> {
  const plan = planOf(campaign);
  const runs: Run[] = [];
  while (runs.length < times && !campaign.context.signal.aborted) {
    runs.push(await runPlan(plan, campaign, `run ${runs.length + 1} of ${times}, `));
  }
  // What was cut short would pull the figures of the whole ones down.
  const whole = runs.filter(({ result }) => !result.interrupted);
  const { repeats, median } = aggregate((whole.length > 0 ? whole : runs).map(measuredOf));
  return {
    ...NO_COMPARISON,
    runs,
    measured: median,
    repeats,
    interrupted: isCutShort(campaign, runs),
  };
}

async function compare(campaign: Campaign, b: string): Promise<Outcome> {
  const { input, prepared, reached, context } = campaign;
  const blocks = input.repeat ?? DEFAULT_BLOCKS;
  const a = { url: reached.url, plan: planOf(campaign), runs: [] as Run[] };
  const other = { url: b, plan: prepared.planFor({ ...reached, url: b }), runs: [] as Run[] };
  const compared = await compareRuns({
    a: a.url,
    b,
    blocks,
    minEffect: input.minEffect,
    random: createRandom(input.seed),
    run: async (_url, side) => {
      context.signal.throwIfAborted();
      const { plan, runs } = side === 'a' ? a : other;
      const made = a.runs.length + other.runs.length + 1;
      const label = `run ${made} of ${blocks * 4}, ${side.toUpperCase()}, `;
      const run = await runPlan(plan, campaign, label);
      runs.push(run);
      // A run that was cut short is no match for a whole one.
      context.signal.throwIfAborted();
      return run.measured;
    },
  }).catch((error: unknown) => {
    if (context.signal.aborted && a.runs.length > 0) return null;
    throw error;
  });
  const { repeats, median } = aggregate(a.runs.map(measuredOf));
  return {
    runs: a.runs,
    otherRuns: other.runs,
    measured: median,
    repeats,
    comparison: compared,
    search: null,
    interrupted: isCutShort(campaign, [...a.runs, ...other.runs]),
  };
}

async function search(campaign: Campaign): Promise<Outcome> {
  const { prepared, context } = campaign;
  const plan = planOf(campaign);
  const { load } = plan;
  const { slo } = prepared;
  if (slo === null || load.model !== 'open') throw new Error('a search without a rate or an SLO');
  const runs = new Map<number, Run>();
  const found = await findMax({
    slo,
    start: load.rate,
    signal: context.signal,
    run: async (rate) => {
      const label = `${Math.round(rate)} messages per second, `;
      const run = await runPlan({ ...plan, load: { ...load, rate } }, campaign, label);
      runs.set(rate, run);
      return run.measured;
    },
  });
  const best = found.best === null ? undefined : runs.get(found.best);
  const shown = best ?? [...runs.values()].at(-1);
  if (shown === undefined) throw context.signal.reason;
  return {
    ...NO_COMPARISON,
    // Levels that did not hold have failed on purpose: they judge the rate, not the server.
    runs: best === undefined ? [] : [best],
    measured: shown.measured,
    search: found,
    interrupted: context.signal.aborted,
  };
}

function planOf({ prepared, reached }: Campaign): LoadPlan {
  return prepared.planFor(reached);
}

function measuredOf({ measured }: Run): Measured {
  return measured;
}

function isCutShort({ context }: Campaign, runs: readonly Run[]): boolean {
  return context.signal.aborted || runs.some(({ result }) => result.interrupted);
}
