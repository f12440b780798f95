import { describe, expect, it } from 'vitest';
import { allCases } from '../../../../src/conformance/autobahn/cases/index.ts';
import { quicken, selectCases } from '../../../../src/operations/autobahn-test/select.ts';
import { caseOf } from '../../../support/case-play.ts';

function idsOf(cases: string[], exclude: string[] = []): string[] {
  return selectCases(allCases(), { cases, exclude }).map(({ id }) => id);
}

describe('selection', () => {
  it('takes everything without a pattern', () => {
    expect(idsOf([])).toHaveLength(517);
  });

  it('takes what a pattern names and leaves out what is excluded', () => {
    expect(idsOf([], ['9.*', '12.*', '13.*'])).toHaveLength(247);
    expect(idsOf(['4.1.*', '1.1.1'], ['4.1.2'])).toEqual([
      '1.1.1',
      '4.1.1',
      '4.1.3',
      '4.1.4',
      '4.1.5',
    ]);
  });

  it('leaves the end of a pattern open, as Autobahn does, and takes an id literally', () => {
    expect(idsOf(['7.1*'])).toEqual([
      ...[1, 2, 3, 4, 5, 6].map((n) => `7.1.${n}`),
      '7.13.1',
      '7.13.2',
    ]);
    expect(idsOf(['2.1'])).toEqual(['2.1']);
  });

  it('refuses a pattern that names nothing', () => {
    expect(() => idsOf(['8.*'])).toThrow('no case has an id like "8.*"');
    expect(() => idsOf([], ['1.9'])).toThrow('no case has an id like "1.9"');
  });
});

it('labels the cases it makes quick, and leaves the others as they are', () => {
  const quick = quicken(caseOf('12.1.1'));
  expect(quick.script).toMatchObject({ rounds: 20 });
  expect(quick.title).toContain('20 (quick)');
  expect(quicken(caseOf('9.7.1'))).toBe(caseOf('9.7.1'));
});
