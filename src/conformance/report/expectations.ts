import type { AgentResults, CaseResult, ConformanceRun, ExpectedFailure } from '../result.ts';
import { isFailure, verdictOf } from '../verdict.ts';

/** A result that fails at the run's strictness. */
export interface Problem {
  readonly result: CaseResult;
  /** The reason from the file of expected failures; undefined for an unexpected one. */
  readonly expected: string | undefined;
}

/** Results that fail at the run's strictness, expected or not, in the order of the cases. */
export function problemsOf(run: ConformanceRun, { cases }: AgentResults): Problem[] {
  return cases
    .filter((result) => isFailure(verdictOf(result), run.options.failOn))
    .map((result) => ({ result, expected: expectedReason(run, result) }));
}

/** Why the file of expected failures lists this case of this agent. */
export function expectedReason(run: ConformanceRun, result: CaseResult): string | undefined {
  return run.expectedFailures.find(
    (row) =>
      row.outcome === 'failed as expected' &&
      row.case === result.id &&
      (row.agent === undefined || row.agent === result.agent),
  )?.reason;
}

/** Rows whose case no longer fails: they fail the run until they are removed. */
export function staleRows(run: ConformanceRun): readonly ExpectedFailure[] {
  return run.expectedFailures.filter(({ outcome }) => outcome === 'stale');
}
