import type { Verdict } from '../verdict.ts';

/** What a count of verdicts is headed by, the worst first. */
export const HEADINGS: Readonly<Record<Verdict, string>> = {
  fail: 'Failed',
  'non-strict': 'Non-strict',
  unimplemented: 'Unimplemented',
  informational: 'Informational',
  pass: 'Passed',
};
