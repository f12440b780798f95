import { describe, expect, it } from 'vitest';
import { faultsOf } from '../../../../src/contract/client/judge.ts';
import type { Course } from '../../../../src/contract/client/judge.ts';
import type { ClientCase } from '../../../../src/contract/client/case.ts';

const CASE: ClientCase = { id: 'x', title: 'x', faults: [], expect: {} };

/** `1 2 !3`: texts in the order in which the application saw them, `!` for `recovered: false` before. */
function course(seen: string, more: Partial<Course> = {}): Course {
  return {
    truth: [1, 2, 3, 4].map((offset) => ({ epoch: 'e1', offset, text: String(offset) })),
    seen: seen
      .split(' ')
      .flatMap((word) => [
        ...(word.startsWith('!') ? [{ recovered: false }] : []),
        { text: word.replace('!', '') },
      ]),
    ...{ published: new Map(), outcomes: [], attempts: [0], waits: [], tokensTaken: 0 },
    ...{ isClosed: false, isComplete: true },
    ...more,
  };
}

describe('what the application saw', () => {
  it.each([
    ['1 2 3 4', []],
    ['3 4', []],
    ['1 2 2 3 4', ['it saw 2 twice or too late']],
    [
      '1 3 2 4',
      ['it missed what is before 3', 'it saw 2 twice or too late', 'it missed what is before 4'],
    ],
    ['1 2 4', ['it missed what is before 4']],
    ['1 2 9', ['it saw 9, which nobody has published']],
  ])('%s is judged', (seen, faults) => {
    expect(faultsOf(CASE, course(seen))).toEqual(faults);
  });

  it('has to come with another token where one expires', () => {
    const expiring = { ...CASE, expect: { tokensTaken: 2 } } as const;
    expect(faultsOf(expiring, course('1', { tokensTaken: 2 }))).toEqual([]);
    const faults = faultsOf(expiring, course('1', { tokensTaken: 1 }));
    expect(faults).toEqual(['it did not replace the token']);
  });

  it('may have a gap that it is told of, where there is one', () => {
    const gap = { ...CASE, expect: { gap: 'yes' } } as const;
    expect(faultsOf(gap, course('1 !3 4'))).toEqual([]);
    expect(faultsOf(CASE, course('1 !3 4'))).toHaveLength(1);
    expect(faultsOf(gap, course('1 2 3 4'))).toHaveLength(1);
  });
});

describe('how long it waits', () => {
  const growing = { ...CASE, expect: { growsToMs: 40 } } as const;
  it.each([
    ['announced and kept', [0, 5, 50], [4, 44], []],
    ['not announced', [0, 5, 50], [], []],
    ['short on a slow machine', [0, 5, 50], [2, 2], ['4 ms']],
    ['announced and not kept', [0, 5, 9], [4, 44], ['9 ms']],
  ])('%s', (_, attempts, waits, sums) => {
    const faults = faultsOf(growing, course('1', { attempts, waits }));
    expect(faults).toEqual(sums.map((sum) => `its 2 waits are ${sum} together: they do not grow`));
  });
});

describe('what it published', () => {
  const own = { published: new Map([['k', '2']]) };
  const ack = { event: 'ack', key: 'k', offset: 2 };
  const lost = { event: 'rejected', key: 'k', code: 'unknown_outcome' };

  it.each([
    ['acked', [ack], []],
    ['acked', [lost], ['k was rejected as unknown_outcome']],
    ['acked', [], ['k has no outcome']],
    ['acked', [ack, ack], ['what it published as k ended 2 times']],
    ['acked', [{ ...ack, offset: 3 }], ['the offset of k is wrong']],
    ['unknown', [lost], []],
    ['unknown', [ack], ['k is acknowledged, but nobody knows']],
    ['any', [], []],
  ] as const)('has to be %s: %j', (publish, outcomes, faults) => {
    const judged = { ...CASE, expect: { publish } };
    expect(faultsOf(judged, course('1 2 3 4', { ...own, outcomes }))).toEqual(faults);
  });

  it('is in the truth once', () => {
    const double = course('1 2 3 4', { ...own, outcomes: [ack] });
    const truth = [...double.truth, { epoch: 'e1', offset: 5, text: '2' }];
    expect(faultsOf(CASE, { ...double, truth })).toContain('k was published 2 times');
  });
});

it('counts attempts, waits and the end', () => {
  const closed = { ...CASE, expect: { closedAfter: [1] } };
  expect(faultsOf(closed, course('1', { isClosed: true }))).toEqual([]);
  expect(faultsOf(closed, course('1', { isClosed: true, attempts: [0, 1] }))).toHaveLength(1);
  expect(faultsOf(closed, course('1', {}))).toEqual(['it did not give up']);
  expect(faultsOf(CASE, course('1', { isClosed: true }))).toEqual(['it gave up']);
  const waits = { ...CASE, expect: { waitsMs: 1000 } };
  expect(faultsOf(waits, course('1', { attempts: [0, 1000] }))).toEqual([]);
  expect(faultsOf(waits, course('1', { attempts: [0, 500] }))).toHaveLength(1);
});
