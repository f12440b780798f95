import { expect, it } from 'vitest';
import {
  alignPoints,
  bytes,
  duration,
  exact,
  figure,
  percent,
  short,
  withUnit,
} from '../../../src/report/format.ts';

it.each([
  [0, '0'],
  [0.0000471, '0.000047'],
  [0.047, '0.0470'],
  [1.034, '1.03'],
  [99.96, '100'],
  [911.4, '911'],
  [12_345.6, '12,346'],
  [Number.NaN, '–'],
])('shows %d with the digits that a histogram holds', (value, text) => {
  expect(figure(value)).toBe(text);
});

it('leaves out idle zeros where figures do not stand in a column', () => {
  expect([64, 0.5, 100, 19_998].map(short)).toEqual(['64', '0.5', '100', '19,998']);
});

it('keeps a figure and a bound apart that are near each other', () => {
  expect([0.98997, 0.99, 521.934, 1_234_567].map(exact)).toEqual([
    '0.98997',
    '0.99',
    '521.93',
    '1,234,567',
  ]);
});

it('says durations as people do', () => {
  expect([0.24, 911, 12_300, 119_000, 320_000, 86_400_000].map(duration)).toEqual([
    '0.240 ms',
    '911 ms',
    '12.3 s',
    '119 s',
    '5 min 20 s',
    '24 h',
  ]);
});

it('never rounds a share up to the whole', () => {
  expect([1, 0.999_999, 0.9993, 0.5, 0.000_003].map(percent)).toEqual([
    '100 %',
    '99.99 %',
    '99.93 %',
    '50 %',
    '0 %',
  ]);
});

it('puts units behind', () => {
  expect(bytes(900)).toBe('900 B');
  expect(withUnit(92 * 1024 * 1024, 'bytes')).toBe('92.0 MiB');
  expect(withUnit(0.5, 'cores')).toBe('0.50 cores');
  expect(withUnit(20_000, '/s')).toBe('20,000/s');
});

it('puts points under points with spaces as wide as digits', () => {
  expect(alignPoints(['1.03', '911', '0.0470', '–'])).toEqual([
    '1.03\u2007\u2007',
    '911\u2008\u2007\u2007\u2007\u2007',
    '0.0470',
    '–',
  ]);
});
