import type { OperationContext } from '../../core/operation.ts';
import type { LoadPlan } from '../../load/plan.ts';
import type { Measured } from '../../load/metrics.ts';
import type { LoadControl, LoadResult, SecondSample } from '../../load/result.ts';
import { runLocally } from '../../load/run/index.ts';
import type { Scenario } from '../../load/scenario/scenario.ts';
import { findServer, ServerWatch } from '../../load/host/index.ts';
import type { ServerUse } from '../../load/host/index.ts';
import type { BenchmarkInput } from './schema.ts';
import { summarize } from '../../load/stats/index.ts';
import { describeSecond } from './describe-second.ts';

/** One plan, carried out. */
export interface Run {
  readonly plan: LoadPlan;
  readonly result: LoadResult;
  readonly measured: Measured;
  readonly server: ServerUse | null;
}

/** What is the same for all runs of one invocation. */
export interface RunOptions {
  readonly input: BenchmarkInput;
  readonly scenario: Scenario | null;
  readonly context: OperationContext;
}

/**
 * Carries out `plan` and sums up what was measured; `label` tells runs apart while they go on.
 *
 * Throws `EnvironmentError` when not one connection could be opened.
 */
export async function runPlan(plan: LoadPlan, options: RunOptions, label = ''): Promise<Run> {
  const { input, context } = options;
  const pids = input.distributed === undefined ? serverOf(plan, input) : [];
  const watch = pids.length === 0 ? null : new ServerWatch(pids);
  const { liveLines } = await import('../../load/report/index.ts');
  const samples: SecondSample[] = [];
  const control: LoadControl = {
    signal: context.signal,
    startAt: null,
    onSecond: (sample) => {
      samples.push(sample);
      watch?.sample(sample);
      context.emit({
        stage: `${label}${describeSecond(sample, plan)}`,
        lines: (columns) => [
          ...(label === '' ? [] : [label.replace(/, $/, '')]),
          ...liveLines(samples, plan, columns),
        ],
      });
    },
  };
  const result = await carryOut(plan, control, options);
  const server = watch?.use() ?? null;
  return { plan, result, measured: summarize(result, plan, server), server };
}

function serverOf(plan: LoadPlan, input: BenchmarkInput): number[] {
  // A process that was named is that of the url, not of the server it is compared with.
  const pid = plan.target.url === input.compare ? undefined : input.pid;
  return findServer({ url: plan.target.url, pid });
}

/** Here, or split over machines; what that takes is loaded then alone. */
async function carryOut(
  plan: LoadPlan,
  control: LoadControl,
  { input, scenario, context }: RunOptions,
): Promise<LoadResult> {
  if (input.distributed !== undefined) {
    const { runDistributed } = await import('../../load/distributed/run-distributed.ts');
    const { distributed: redis, remoteWorkers: workers = 1, workerTimeoutMs: timeoutMs } = input;
    const expected = workers === 1 ? 'a benchmark-worker' : `${workers} benchmark-workers`;
    context.emit({ stage: `waiting for ${expected}` });
    return runDistributed(
      plan,
      { redis, workers, timeoutMs, cwd: context.cwd, ...(scenario !== null && { scenario }) },
      control,
    );
  }
  return runLocally(plan, scenario, control);
}
