import { describe, expect, it } from 'vitest';
import {
  evaluate,
  fail,
  firstBreach,
  verdict,
  pass,
  skip,
} from '../../../../src/protocol/handshake/rules.ts';
import type { Rule } from '../../../../src/protocol/handshake/rules.ts';

const RULE: Omit<Rule<number>, 'id' | 'check'> = {
  rfc: '6455#4.1',
  rule: 'The number is odd.',
  code: 'WSK_KEY',
  expected: (number) => `not ${number}`,
};

const RULES: Rule<number>[] = [
  { ...RULE, id: 'passes', check: () => pass('all') },
  { ...RULE, id: 'is-skipped', check: () => skip('nothing') },
  { ...RULE, id: 'fails-mildly', fatal: false, check: () => fail('this') },
  { ...RULE, id: 'fails', check: (number) => verdict(number % 2 === 1, String(number)) },
];

describe('evaluate', () => {
  it('gives a violation to rules that fail, and to no others', () => {
    const results = evaluate(RULES, 4);
    expect(results.map(({ id, verdict }) => `${id} ${verdict}`)).toEqual([
      'passes pass',
      'is-skipped skip',
      'fails-mildly fail',
      'fails fail',
    ]);
    expect(results.map((result) => 'violation' in result)).toEqual([false, false, true, true]);
    expect(results[3]).toMatchObject({
      expected: 'not 4',
      seen: '4',
      violation: { code: 'WSK_KEY', message: '4, expected not 4' },
    });
  });
});

describe('firstBreach', () => {
  it('finds the first rule that fails and is fatal', () => {
    expect(firstBreach(evaluate(RULES, 4))?.message).toBe('4, expected not 4');
    expect(firstBreach(evaluate(RULES, 5))).toBeUndefined();
  });
});
