import { expect, it } from 'vitest';
import { formatAutobahnJson } from '../../../../src/conformance/report/autobahn-json.ts';

it('sorts keys as strings, also those that look like numbers, and indents by three', () => {
  const value = { b: { '9': 1, '10': 2 }, a: [], c: {}, d: [1, [null, true]] };
  expect(formatAutobahnJson(value)).toBe(
    [
      '{',
      '   "a": [],',
      '   "b": {',
      '      "10": 2,',
      '      "9": 1',
      '   },',
      '   "c": {},',
      '   "d": [',
      '      1,',
      '      [',
      '         null,',
      '         true',
      '      ]',
      '   ]',
      '}',
    ].join('\n'),
  );
});

it('writes ASCII only', () => {
  expect(formatAutobahnJson('Hello-µ\u007f\ud800😀"\n')).toBe(
    String.raw`"Hello-\u00b5\u007f\ud800\ud83d\ude00\"\n"`,
  );
});

it('has null for what JSON has no form for', () => {
  expect(formatAutobahnJson([Number.NaN, Infinity, undefined])).toBe(
    '[\n   null,\n   null,\n   null\n]',
  );
});
