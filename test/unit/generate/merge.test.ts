import { describe, expect, it } from 'vitest';
import { merge, readText } from '../../../src/generate/merge.ts';

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

describe('merge', () => {
  const base = { name: 'x', scripts: { a: '1', b: '2' }, list: [1] };

  it.each([
    [
      'entries beside each other',
      { scripts: { a: '1', b: '2', mine: '3' } },
      { scripts: { a: '1', b: '2', theirs: '4' } },
      { scripts: { a: '1', b: '2', mine: '3', theirs: '4' } },
    ],
    [
      'a removal and an addition',
      { scripts: { a: '1' } },
      { scripts: { a: '1', b: '2', c: '3' } },
      { scripts: { a: '1', c: '3' } },
    ],
    [
      'the same change',
      { scripts: { a: '9', b: '2' } },
      { scripts: { a: '9', b: '3' } },
      { scripts: { a: '9', b: '3' } },
    ],
    [
      'an object where there was none',
      { more: { a: 1 } },
      { more: { b: 2 } },
      { more: { a: 1, b: 2 } },
    ],
    [
      'names that objects have by nature',
      { constructor: 'a' },
      { valueOf: 'b' },
      { constructor: 'a', valueOf: 'b' },
    ],
  ])('merges JSON by its entries: %s', (_, ours, theirs, expected) => {
    const texts = { base: json(base), theirs: json({ ...base, ...theirs }) };
    const { text, hasConflict } = merge('x.json', json({ ...base, ...ours }), texts);
    expect([hasConflict, JSON.parse(text)]).toEqual([false, { ...base, ...expected }]);
  });

  it.each([
    ['an entry that both have changed', { name: 'mine' }, { name: 'theirs' }],
    ['a list that both have changed', { list: [1, 2] }, { list: [3, 1] }],
    [
      'an entry that one has removed and the other changed',
      { scripts: { b: '2' } },
      { scripts: { a: '9', b: '2' } },
    ],
  ])('shows a conflict of %s', (_, ours, theirs) => {
    const texts = { base: json(base), theirs: json({ ...base, ...theirs }) };
    const { text, hasConflict } = merge('x.json', json({ ...base, ...ours }), texts);
    expect(hasConflict).toBe(true);
    expect(text).toMatch(/^<<<<<<< yours$[^]*^=======$[^]*^>>>>>>> generated$/m);
  });

  it('keeps the indentation of the user, and merges what is no JSON as text', () => {
    const ours = JSON.stringify({ a: 1, mine: 2 }, null, '\t');
    const texts = { base: json({ a: 1 }), theirs: json({ a: 1, theirs: 3 }) };
    expect(merge('x.json', ours, texts).text).toBe(
      '{\n\t"a": 1,\n\t"mine": 2,\n\t"theirs": 3\n}\n',
    );
    expect(merge('x.json', '{ // mine\n}', texts).hasConflict).toBe(true);
    expect(merge('x.txt', ours, texts).hasConflict).toBe(true);
  });
});

describe('readText', () => {
  it.each([
    ['a\r\nb\r\n', { text: 'a\nb\n', isCrlf: true }],
    ['a\r\nb\n', { text: 'a\r\nb\n', isCrlf: false }],
    ['\na\r\n', { text: '\na\r\n', isCrlf: false }],
    ['', { text: '', isCrlf: false }],
  ])('reads %j', (content, expected) => {
    expect(readText(Buffer.from(content))).toEqual(expected);
  });

  it.each([[[0x61, 0]], [[0xff, 0xfe]]])('takes %j for no text', (bytes) => {
    expect(readText(Buffer.from(bytes))).toBeUndefined();
  });
});
