import type { AgentResults, CaseResult, ConformanceRun, ExpectedFailure } from '../result.ts';
import { countVerdicts, isFailure, verdictOf } from '../verdict.ts';
import { groupByReason, reasonOf, type ReasonGroup } from './reason.ts';

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

/** The verdict of a run in a sentence: what a reader wants to know first. */
export function verdictSentence(run: ConformanceRun): string {
  const results = run.agents.flatMap(({ cases }) => cases);
  const problems = run.agents.flatMap((agent) => problemsOf(run, agent));
  const expected = problems.filter((problem) => problem.expected !== undefined).length;
  const unexpected = problems.length - expected;
  const stale = staleRows(run).length;
  const count = `${results.length} ${results.length === 1 ? 'case' : 'cases'}`;
  const asExpected = expected === 0 ? '' : `, ${expected} as expected`;
  if (run.interrupted) return `Interrupted: ${problems.length} of the ${count} so far failed.`;
  if (results.length === 0) return 'Failed: no case ran.';
  if (unexpected > 0) return `Failed: ${problems.length} of ${count} failed${asExpected}.`;
  if (stale > 0)
    return `Failed: ${stale} expected ${stale === 1 ? 'failure is' : 'failures are'} gone.`;
  if (expected > 0) return `Passed: ${expected} of ${count} failed, all as expected.`;
  const verdicts = countVerdicts(results);
  const lax = verdicts['non-strict'];
  const absent = verdicts.unimplemented;
  const ran = absent === 0 ? `all ${count}` : `${results.length - absent} of ${count}`;
  const rest = [
    ...(lax === 0 ? [] : [`${lax} of them not strictly`]),
    ...(absent === 0 ? [] : [`the peer does not implement ${absent}`]),
  ].map((part) => `, ${part}`);
  return `Passed: ${ran}${rest.join('')}.`;
}

/** What did not pass, in groups of the same reason; informational cases are left out. */
export function reasonGroups(run: ConformanceRun): ReasonGroup[] {
  const several = run.agents.length > 1;
  const rows = run.agents.flatMap(({ cases }) =>
    cases.flatMap((result) => {
      const verdict = verdictOf(result);
      if (verdict === 'pass' || verdict === 'informational') return [];
      const name = several ? `${result.agent} ${result.id}` : result.id;
      return [{ name, verdict, reason: reasonOf(result) }];
    }),
  );
  return groupByReason(rows);
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
