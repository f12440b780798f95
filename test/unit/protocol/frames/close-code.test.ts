import { describe, expect, it } from 'vitest';
import {
  CloseCode,
  explainCloseCode,
  isSendableCloseCode,
} from '../../../../src/protocol/frames/close-code.ts';

describe('isSendableCloseCode', () => {
  it('allows 1000 to 1003, 1007 to 1014 and 3000 to 4999, and nothing else', () => {
    const allowed = [];
    for (let code = 0; code <= 65535; code++) if (isSendableCloseCode(code)) allowed.push(code);
    const range = (from: number, to: number): number[] =>
      Array.from({ length: to - from + 1 }, (_, i) => from + i);
    expect(allowed).toEqual([...range(1000, 1003), ...range(1007, 1014), ...range(3000, 4999)]);
  });

  it('refuses what is not a whole number', () => {
    expect(isSendableCloseCode(3000.5)).toBe(false);
    expect(isSendableCloseCode(Number.NaN)).toBe(false);
  });
});

describe('explainCloseCode', () => {
  it('explains registered, application and other codes', () => {
    for (const code of Object.values(CloseCode))
      expect(explainCloseCode(code)).not.toBe('reserved');
    expect(explainCloseCode(3000)).toBe('library or framework');
    expect(explainCloseCode(4999)).toBe('application');
    expect(explainCloseCode(1004)).toBe('reserved');
  });
});
