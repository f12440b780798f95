import { expect, it } from 'vitest';
import { printable, printableJson, printableLines } from '../../../src/report/printable.ts';

it('shows what is invisible, and leaves the rest alone', () => {
  expect(printable('Grüße 😀 <b>')).toBe('Grüße 😀 <b>');
  expect(printable('a\tb\n\u001b[0m\u202e\u{e0041}\ud800')).toBe(
    String.raw`a\tb\n\u001b[0m\u202e\u{e0041}\ud800`,
  );
});

it('keeps the lines of a head', () => {
  expect(printableLines('HTTP/1.1 200 OK\r\nA: \u0007\r\n\r\n')).toBe(
    'HTTP/1.1 200 OK\nA: \\u0007\n\n',
  );
});

it('escapes JSON text so that it stays the same JSON', () => {
  const value = { reason: 'a\u009b\u202e\u{e0041}\u2028b' };
  const text = printableJson(JSON.stringify(value, null, 2));
  expect(text).toMatch(/^[\n\x20-\x7e]*$/);
  expect(JSON.parse(text)).toEqual(value);
});
