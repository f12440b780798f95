import { expect, it } from 'vitest';
import { compareCaseIds } from '../../../src/conformance/sections.ts';

it('orders ids by their numbers, the extended ones last', () => {
  const ids = ['x.2.1', '10.1.1', '2.10', '2.9', '6.4.10', 'x.10.1', '6.4.2', '6.4'];
  expect(ids.sort(compareCaseIds)).toEqual([
    '2.9',
    '2.10',
    '6.4',
    '6.4.2',
    '6.4.10',
    '10.1.1',
    'x.2.1',
    'x.10.1',
  ]);
});
