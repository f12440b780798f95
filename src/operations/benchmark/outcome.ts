import type { Metrics, BenchmarkReport } from '../../load/metrics.ts';
import type { NamedHistogram, NamedHistograms } from '../../load/report/index.ts';
import type { Run } from './run-plan.ts';
import type { Prepared } from './plan/prepare.ts';
import { judgeThresholds } from '../../load/stats/index.ts';
import { count } from '../../report/format.ts';

/** The results of all runs of one invocation. */
export interface Outcome {
  /** Runs of the url or project, in their order. */
  readonly runs: readonly Run[];
  /** Runs of the server it is compared with. */
  readonly otherRuns: readonly Run[];
  readonly measured: Metrics;
  readonly repeats: BenchmarkReport['repeats'];
  readonly comparison: BenchmarkReport['comparison'];
  readonly search: BenchmarkReport['search'];
  /** Stopped early by a signal. */
  readonly interrupted: boolean;
}

type Verdict = Pick<BenchmarkReport, 'status' | 'success' | 'thresholds' | 'notes'>;

/** The verdict over all runs; with `strict`, a generator that did not keep up makes it invalid. */
export function judge(outcome: Outcome, prepared: Prepared, strict: boolean): Verdict {
  const thresholds = judgeThresholds(prepared.thresholds, outcome.measured);
  // Interrupted runs have incomplete counts, so they cannot fail.
  const completed = [...outcome.runs, ...outcome.otherRuns].filter(
    (run) => !run.result.interrupted,
  );
  const failures = completed.flatMap(failuresOf);
  const { search } = outcome;
  const missed = search?.best === null ? [`no rate was found at which ${search.slo} holds`] : [];
  const failed =
    failures.length > 0 ||
    missed.length > 0 ||
    thresholds.some(({ verdict }) => verdict === 'fail');
  const status = outcome.interrupted
    ? 'interrupted'
    : strict && isDoubtful(outcome)
      ? 'invalid'
      : failed
        ? 'failed'
        : 'passed';
  return {
    status,
    success: status === 'passed',
    thresholds,
    notes: [...failures, ...missed, ...(search?.limit === undefined ? [] : [search.limit])],
  };
}

/** The generator was saturated or disturbed in a run that the report shows. */
export function isDoubtful({
  measured,
  comparison,
}: Pick<Outcome, 'measured' | 'comparison'>): boolean {
  return [measured, comparison?.other].some(
    (run) => run !== undefined && (run.generator.saturated || run.generator.disturbed),
  );
}

/** The histograms of the runs that the report shows. */
export function histogramsOf({ runs, otherRuns, measured, comparison }: Outcome): NamedHistograms {
  const a = runs.find((run) => run.measured === measured) ?? runs.at(-1);
  const b = otherRuns.find((run) => run.measured === comparison?.other);
  return [...(a === undefined ? [] : named(a, 'a')), ...(b === undefined ? [] : named(b, 'b'))];
}

function named({ result: { latency } }: Run, side: NamedHistogram['side']): NamedHistogram[] {
  const names = ['response', 'service', 'lateness', 'connect', 'lastDelivery'] as const;
  return names.flatMap((name) => {
    const histogram = latency[name];
    return histogram === null ? [] : [{ name, side, histogram }];
  });
}

/** Why a run fails whatever its thresholds: the server or a worker was lost, or nothing was answered. */
function failuresOf({ measured, plan, server }: Run): string[] {
  const { connections, messages, errors } = measured;
  const reasons: string[] = [];
  if (server !== null && server.endedAtSecond !== null) {
    reasons.push(`the server's process ${server.pid} ended in second ${server.endedAtSecond}`);
  }
  if (connections.opened > 0 && connections.dropped >= connections.opened) {
    reasons.push(`all ${count(connections.opened)} connections were dropped before the end`);
  }
  const awaitsReplies = plan.mode === 'echo' || plan.mode === 'fanout';
  if (awaitsReplies && messages.received === 0) {
    const { sent } = messages;
    reasons.push(
      sent === 0 ? 'no message was sent' : `none of ${count(sent)} messages was answered`,
    );
  }
  const lostWorkers = errors.filter(({ kind }) => kind === 'worker');
  return [...reasons, ...lostWorkers.map(({ first }) => `a worker was lost: ${first}`)];
}
