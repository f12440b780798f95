import type { Behavior, BehaviorClose, CaseResult, FailOn } from './result.ts';

/** What Autobahn's two judgements of a case come to, in one word. */
export type Verdict = 'pass' | 'non-strict' | 'fail' | 'informational' | 'unimplemented';

/** Every verdict, the worst first: the order in which reports list and count them. */
export const VERDICTS: readonly Verdict[] = [
  'fail',
  'non-strict',
  'unimplemented',
  'informational',
  'pass',
];

/** What a count of verdicts is headed by, the worst first. */
export const HEADINGS: Readonly<Record<Verdict, string>> = {
  fail: 'Failed',
  'non-strict': 'Non-strict',
  unimplemented: 'Unimplemented',
  informational: 'Informational',
  pass: 'Passed',
};

/**
 * Joins both judgements as Autobahn colours them: what is red there is `fail`; a wrong close code,
 * and TCP that the server left to the client to close, are `non-strict` like NON-STRICT itself.
 */
export function verdictOf(result: {
  readonly behavior: Behavior;
  readonly behaviorClose: BehaviorClose;
}): Verdict {
  const { behavior, behaviorClose } = result;
  if (behavior === 'INFORMATIONAL') return 'informational';
  if (behavior === 'FAILED' || behaviorClose === 'FAILED' || behaviorClose === 'UNCLEAN') {
    return 'fail';
  }
  if (behavior === 'UNIMPLEMENTED') return 'unimplemented';
  return behavior === 'OK' && (behaviorClose === 'OK' || behaviorClose === 'INFORMATIONAL')
    ? 'pass'
    : 'non-strict';
}

/** Whether `verdict` fails a run; each level of `failOn` holds the one before it. */
export function isFailure(verdict: Verdict, failOn: FailOn): boolean {
  switch (verdict) {
    case 'fail':
      return true;
    case 'non-strict':
      return failOn !== 'failed';
    case 'unimplemented':
      return failOn === 'unimplemented';
    case 'informational':
    case 'pass':
      return false;
  }
}

/** How many of `cases` have each verdict. */
export function countVerdicts(cases: readonly CaseResult[]): Record<Verdict, number> {
  const counts = { fail: 0, 'non-strict': 0, unimplemented: 0, informational: 0, pass: 0 };
  for (const result of cases) counts[verdictOf(result)]++;
  return counts;
}
