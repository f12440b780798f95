import type { Measured, BenchmarkReport } from '../../load/metrics.ts';
import type { NamedHistogram, NamedHistograms } from '../../load/report/index.ts';
import type { Run } from './run-plan.ts';
import type { Prepared } from './plan/index.ts';
import { judgeThresholds } from '../../load/stats/index.ts';
import { failuresOf } from './verdict.ts';

/** What came of all runs of one invocation. */
export interface Outcome {
  /** Those of the url or project, in their order. */
  readonly runs: readonly Run[];
  /** Those of the server it is compared with. */
  readonly otherRuns: readonly Run[];
  readonly measured: Measured;
  readonly repeats: BenchmarkReport['repeats'];
  readonly comparison: BenchmarkReport['comparison'];
  readonly search: BenchmarkReport['search'];
  /** Cut short by a signal. */
  readonly interrupted: boolean;
}

type Verdict = Pick<BenchmarkReport, 'status' | 'success' | 'thresholds' | 'notes'>;

/** Whether all that had to hold held, in every run; `strict` refuses a generator that was the limit. */
export function judge(outcome: Outcome, prepared: Prepared, strict: boolean): Verdict {
  const thresholds = judgeThresholds(prepared.thresholds, outcome.measured);
  // Of a run that was cut short nobody knows what it would have come to.
  const whole = [...outcome.runs, ...outcome.otherRuns].filter((run) => !run.result.interrupted);
  const failures = whole.flatMap(failuresOf);
  const missed =
    outcome.search?.best === null ? [`no rate was found at which ${outcome.search.slo} holds`] : [];
  const saturated = saturationOf(outcome);
  const failed =
    failures.length > 0 ||
    missed.length > 0 ||
    thresholds.some(({ verdict }) => verdict === 'fail');
  const status = outcome.interrupted
    ? 'interrupted'
    : strict && saturated
      ? 'invalid'
      : failed
        ? 'failed'
        : 'passed';
  return {
    status,
    success: status === 'passed',
    thresholds,
    notes: [...failures, ...missed, ...limitOf(outcome)],
  };
}

/** What ended a search. */
function limitOf({ search }: Outcome): string[] {
  return search?.limit === undefined ? [] : [search.limit];
}

/** A search goes up to where the generator or the server gives up: its last good level counts. */
function saturationOf({ measured, comparison }: Outcome): boolean {
  return measured.generator.saturated || comparison?.other.generator.saturated === true;
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
