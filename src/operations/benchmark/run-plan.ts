import type { OperationContext } from '../../core/operation.ts';
import type { LoadPlan } from '../../load/plan.ts';
import type { Metrics } from '../../load/metrics.ts';
import type { LoadControl, LoadResult, SecondSample } from '../../load/result.ts';
import { runLocally } from '../../load/run/index.ts';
import type { Scenario } from '../../load/scenario/scenario.ts';
import { findServer, ServerWatch } from '../../load/host/index.ts';
import type { ServerUse } from '../../load/host/index.ts';
import type { BenchmarkInput } from './schema.ts';
import { summarize } from '../../load/stats/index.ts';
import { count, duration } from '../../report/format.ts';

/** One plan and what it measured. */
export interface Run {
  readonly plan: LoadPlan;
  readonly result: LoadResult;
  readonly measured: Metrics;
  readonly server: ServerUse | null;
}

/** What is the same for all runs of one invocation. */
export interface RunOptions {
  readonly input: BenchmarkInput;
  readonly scenario: Scenario | null;
  readonly context: OperationContext;
}

/**
 * Runs `plan` and sums up what was measured; `label` names the run in the live view.
 *
 * Throws `EnvironmentError` when no connection can be opened.
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
  const result = await execute(plan, control, options);
  const server = watch?.use() ?? null;
  return { plan, result, measured: summarize(result, plan, server), server };
}

function serverOf(plan: LoadPlan, input: BenchmarkInput): number[] {
  // `--pid` is the process of `--url`, not of the server it is compared with.
  const pid = plan.target.url === input.compare ? undefined : input.pid;
  return findServer({ url: plan.target.url, pid });
}

/** On this machine, or split over machines, whose code is loaded only then. */
async function execute(
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

/** One second in one line, for logs: `measure 12/60 s, 9,998/s, p50 0.240 ms, p99 1.10 ms`. */
function describeSecond(sample: SecondSample, { mode, phases }: LoadPlan): string {
  const { phase, second, opened, received, errors, connections, response } = sample;
  const total = Math.ceil((phases.rampMs + phases.warmupMs + phases.durationMs) / 1000);
  const parts = [
    `${phase} ${Math.min(second, total)}/${total} s`,
    ...(phase === 'connect' || mode === 'connect' ? [`${count(opened)} opened`] : []),
    ...(mode === 'echo' || mode === 'fanout' ? [`${count(received)}/s`] : []),
    ...(response === null
      ? []
      : [`p50 ${duration(response.p50 / 1e6)}`, `p99 ${duration(response.p99 / 1e6)}`]),
    `${count(connections)} connections`,
    ...(errors === 0 ? [] : [`${count(errors)} errors`]),
  ];
  return parts.join(', ');
}
