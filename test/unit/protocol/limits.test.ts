import { deflateRawSync } from 'node:zlib';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS, deflatedBound, resolveLimits } from '../../../src/protocol/limits.ts';

describe('resolveLimits', () => {
  it('bounds everything by default', () => {
    expect(DEFAULT_LIMITS.messageBytes).toBe(104_857_600);
    for (const value of Object.values(DEFAULT_LIMITS)) expect(Number.isFinite(value)).toBe(true);
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, 2 ** 31])('refuses %d as a limit', (messageBytes) => {
    expect(() => resolveLimits({ messageBytes })).toThrow('expected an integer of 1 to 2147483647');
  });

  it('takes the largest limit that is allowed', () => {
    expect(resolveLimits({ messageBytes: 0x7fffffff }).frameBytes).toBe(0x7fffffff);
  });
});

describe('deflatedBound', () => {
  it('has room for what zlib makes of noise', () => {
    for (const length of [0, 1, 1000, 1_000_000]) {
      const noise = randomBytes(length);
      for (const level of [0, 1, 9]) {
        expect(deflateRawSync(noise, { level }).length).toBeLessThanOrEqual(deflatedBound(length));
      }
    }
  });
});
