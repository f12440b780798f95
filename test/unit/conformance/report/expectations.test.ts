import { expect, it } from 'vitest';
import { verdictSentence } from '../../../../src/conformance/report/expectations.ts';
import type { ConformanceRun } from '../../../../src/conformance/result.ts';
import { caseResult, runOf } from '../../../support/conformance-run.ts';
import { lateUtf8Check, reservedBitAccepted } from '../../../support/conformance-samples.ts';

const passed = [caseResult({ id: '1.1.1' }), caseResult({ id: '1.1.2' })];
const known = { case: '3.1', reason: 'bug 7' };

const sentences: readonly (readonly [run: ConformanceRun, sentence: string])[] = [
  [runOf(passed), 'Passed: all 2 cases.'],
  [runOf([...passed, lateUtf8Check()]), 'Passed: all 3 cases, 1 of them not strictly.'],
  [
    runOf([...passed, caseResult({ id: '13.1.1', behavior: 'UNIMPLEMENTED' })]),
    'Passed: 2 of 3 cases, the peer does not implement 1.',
  ],
  [runOf([...passed, reservedBitAccepted()]), 'Failed: 1 of 3 cases failed.'],
  [
    {
      ...runOf([...passed, reservedBitAccepted()]),
      expectedFailures: [{ ...known, outcome: 'failed as expected' }],
    },
    'Passed: 1 of 3 cases failed, all as expected.',
  ],
  [
    { ...runOf(passed), expectedFailures: [{ ...known, case: '1.1.1', outcome: 'stale' }] },
    'Failed: 1 expected failure is gone.',
  ],
  [{ ...runOf(passed), interrupted: true }, 'Interrupted: 0 of the 2 cases so far failed.'],
  [runOf([]), 'Failed: no case ran.'],
];

it.each(sentences)('a verdict in a sentence: %#', (run, sentence) => {
  expect(verdictSentence(run)).toBe(sentence);
});
