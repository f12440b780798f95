import { expect, it } from 'vitest';
import { printable, printableLines } from '../../../src/report/printable.ts';

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
