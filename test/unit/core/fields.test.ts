import { expect, it } from 'vitest';
import { DurationOrNoneMs, formatDuration } from '../../../src/core/fields.ts';

it.each([
  [0, '0'],
  [250, '250ms'],
  [5000, '5s'],
  [90_000, '90s'],
  [120_000, '2m'],
  [3_600_000, '1h'],
  [1.5, '1.5ms'],
])('writes %d ms as %s, which is read as the same', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
  expect(DurationOrNoneMs.parse(text)).toBe(ms);
});
