import { expect, it } from 'vitest';
import { countVerdicts, isFailure, verdictOf } from '../../../src/conformance/verdict.ts';
import { caseResult } from '../../support/conformance-run.ts';

it.each([
  ['OK', 'OK', 'pass'],
  ['NON-STRICT', 'OK', 'non-strict'],
  ['OK', 'WRONG CODE', 'non-strict'],
  ['OK', 'FAILED BY CLIENT', 'non-strict'],
  ['OK', 'UNCLEAN', 'fail'],
  ['OK', 'FAILED', 'fail'],
  ['FAILED', 'OK', 'fail'],
  ['UNIMPLEMENTED', 'OK', 'unimplemented'],
  ['UNIMPLEMENTED', 'UNCLEAN', 'fail'],
  ['INFORMATIONAL', 'INFORMATIONAL', 'informational'],
] as const)('joins %s and %s to %s', (behavior, behaviorClose, verdict) => {
  expect(verdictOf({ behavior, behaviorClose })).toBe(verdict);
});

it('fails more with each level of strictness', () => {
  expect(isFailure('fail', 'failed')).toBe(true);
  expect(isFailure('non-strict', 'failed')).toBe(false);
  expect(isFailure('non-strict', 'non-strict')).toBe(true);
  expect(isFailure('unimplemented', 'non-strict')).toBe(false);
  expect(isFailure('unimplemented', 'unimplemented')).toBe(true);
  expect(isFailure('informational', 'unimplemented')).toBe(false);
});

it('counts every verdict, also those that do not occur', () => {
  const cases = [caseResult({ id: '1.1.1' }), caseResult({ id: '1.1.2', behavior: 'FAILED' })];
  expect(countVerdicts(cases)).toEqual({
    fail: 1,
    'non-strict': 0,
    unimplemented: 0,
    informational: 0,
    pass: 1,
  });
});
