import { expect, it } from 'vitest';
import { countGrades, describeCounts, graded } from '../../../src/core/grade.ts';
import type { Grade } from '../../../src/core/grade.ts';

const rows = (...verdicts: Grade[]): { verdict: Grade }[] =>
  verdicts.map((verdict) => ({ verdict }));

it('counts the rows of each grade and says so in words', () => {
  const counts = countGrades(rows('pass', 'warn', 'pass', 'info', 'skip', 'fail', 'warn'));
  expect(counts).toEqual({ passed: 2, failed: 1, warnings: 2, infos: 1, skipped: 1 });
  expect(describeCounts(counts)).toBe(
    '2 passed, 1 failed, 2 warnings, 1 for information, 1 skipped',
  );
  expect(describeCounts(countGrades(rows('warn')))).toBe('1 warning');
  expect(describeCounts(countGrades([]))).toBe('none');
});

it('makes a warning a failure when strict, and nothing else', () => {
  const all = rows('pass', 'info', 'warn', 'fail', 'skip');
  expect(all.map((row) => graded(row, true).verdict)).toEqual([
    'pass',
    'info',
    'fail',
    'fail',
    'skip',
  ]);
  expect(all.map((row) => graded(row, false))).toEqual(all);
});
