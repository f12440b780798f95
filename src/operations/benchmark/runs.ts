import { createRandom } from '../../load/random.ts';
import type { Outcome } from './outcome.ts';
import type { LoadPlan } from '../../load/plan.ts';
import type { Metrics } from '../../load/metrics.ts';
import { runPlan } from './run-plan.ts';
import type { Run, RunOptions } from './run-plan.ts';
import type { Prepared, Reached } from './plan/prepare.ts';
import { compareRuns, findMax, summarizeRuns } from '../../load/stats/index.ts';

/** Blocks A B B A of a comparison: eight runs of each server, as BCa intervals need. */
const DEFAULT_BLOCKS = 4;

const NO_COMPARISON = { otherRuns: [], repeats: null, comparison: null, search: null } as const;

interface Options extends RunOptions {
  readonly prepared: Prepared;
  readonly reached: Reached;
}

/** Makes all runs of the input: one, several, or those of a comparison or a search. */
export async function runAll(options: Options): Promise<Outcome> {
  const { input } = options;
  if (input.findMax) return search(options);
  if (input.compare !== undefined) return compare(options, input.compare);
  return input.repeat === undefined || input.repeat === 1
    ? once(options)
    : repeat(options, input.repeat);
}

async function once(options: Options): Promise<Outcome> {
  const run = await runPlan(planOf(options), options);
  return {
    ...NO_COMPARISON,
    runs: [run],
    measured: run.measured,
    interrupted: wasInterrupted(options, [run]),
  };
}

async function repeat(options: Options, times: number): Promise<Outcome> {
  const plan = planOf(options);
  const runs: Run[] = [];
  while (runs.length < times && !options.context.signal.aborted) {
    runs.push(await runPlan(plan, options, `run ${runs.length + 1} of ${times}, `));
  }
  // Interrupted runs have incomplete counts.
  const completed = runs.filter(({ result }) => !result.interrupted);
  const { repeats, median } = summarizeRuns(
    (completed.length > 0 ? completed : runs).map(measuredOf),
  );
  return {
    ...NO_COMPARISON,
    runs,
    measured: median,
    repeats,
    interrupted: wasInterrupted(options, runs),
  };
}

async function compare(options: Options, b: string): Promise<Outcome> {
  const { input, prepared, reached, context } = options;
  const blocks = input.repeat ?? DEFAULT_BLOCKS;
  const a = { url: reached.url, plan: planOf(options), runs: [] as Run[] };
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
      const run = await runPlan(plan, options, label);
      runs.push(run);
      // An interrupted run cannot be compared with a complete one.
      context.signal.throwIfAborted();
      return run.measured;
    },
  }).catch((error: unknown) => {
    if (context.signal.aborted && a.runs.length > 0) return null;
    throw error;
  });
  const { repeats, median } = summarizeRuns(a.runs.map(measuredOf));
  return {
    runs: a.runs,
    otherRuns: other.runs,
    measured: median,
    repeats,
    comparison: compared,
    search: null,
    interrupted: wasInterrupted(options, [...a.runs, ...other.runs]),
  };
}

async function search(options: Options): Promise<Outcome> {
  const { prepared, context } = options;
  const plan = planOf(options);
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
      const run = await runPlan({ ...plan, load: { ...load, rate } }, options, label);
      runs.set(rate, run);
      return run.measured;
    },
  });
  const best = found.best === null ? undefined : runs.get(found.best);
  const shown = best ?? [...runs.values()].at(-1);
  if (shown === undefined) throw context.signal.reason;
  return {
    ...NO_COMPARISON,
    // Levels that did not hold are part of the search and do not fail it.
    runs: best === undefined ? [] : [best],
    measured: shown.measured,
    search: found,
    interrupted: context.signal.aborted,
  };
}

function planOf({ prepared, reached }: Options): LoadPlan {
  return prepared.planFor(reached);
}

function measuredOf({ measured }: Run): Metrics {
  return measured;
}

function wasInterrupted({ context }: Options, runs: readonly Run[]): boolean {
  return context.signal.aborted || runs.some(({ result }) => result.interrupted);
}
