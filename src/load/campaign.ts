import { createRandom } from './engine/random.ts';
import type { Outcome } from './outcome.ts';
import type { LoadPlan } from './plan.ts';
import type { Measured } from './report.ts';
import { runPlan } from './run/index.ts';
import type { Run, RunOptions } from './run/index.ts';
import type { Reached } from './setup/index.ts';
import type { Prepared } from './setup/index.ts';
import { aggregate, compareRuns, findMax } from './statistics/index.ts';

/** Blocks A B B A of a comparison: eight runs of each server, the least for a sound interval. */
const DEFAULT_BLOCKS = 4;

/** Where a search begins when no rate was given: each connection once a second. */
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
  const { input, prepared, reached } = campaign;
  const blocks = input.repeat ?? DEFAULT_BLOCKS;
  const plans = new Map([
    [reached.url, planOf(campaign)],
    [b, prepared.planFor({ url: b, contract: reached.contract })],
  ]);
  const runs = new Map<string, Run[]>([
    [reached.url, []],
    [b, []],
  ]);
  let made = 0;
  const comparison = await compareRuns({
    a: reached.url,
    b,
    blocks,
    minEffect: input.minEffect,
    random: createRandom(input.seed),
    run: async (url) => {
      campaign.context.signal.throwIfAborted();
      made += 1;
      const label = `run ${made} of ${blocks * 4}, ${url === b ? 'B' : 'A'}, `;
      const run = await runPlan(plans.get(url) as LoadPlan, campaign, label);
      runs.get(url)?.push(run);
      return run.measured;
    },
  });
  const [ofA = [], ofB = []] = [runs.get(reached.url), runs.get(b)];
  const { repeats, median } = aggregate(ofA.map(measuredOf));
  return {
    runs: ofA,
    otherRuns: ofB,
    measured: median,
    repeats,
    comparison,
    search: null,
    interrupted: isCutShort(campaign, [...ofA, ...ofB]),
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
