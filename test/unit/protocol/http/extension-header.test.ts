import { describe, expect, it } from 'vitest';
import {
  formatExtensions,
  parseExtensions,
} from '../../../../src/protocol/http/extension-header.ts';

describe('parseExtensions', () => {
  it.each([
    ['foo', [{ name: 'foo', params: [] }]],
    [
      'foo,bar',
      [
        { name: 'foo', params: [] },
        { name: 'bar', params: [] },
      ],
    ],
    [
      'permessage-deflate; client_max_window_bits; server_max_window_bits=10',
      [
        {
          name: 'permessage-deflate',
          params: [
            { name: 'client_max_window_bits' },
            { name: 'server_max_window_bits', value: '10' },
          ],
        },
      ],
    ],
    ['a;b="c"', [{ name: 'a', params: [{ name: 'b', value: 'c' }] }]],
    // RFC 2616 section 2.1: implied *LWS.
    ['a; b = c', [{ name: 'a', params: [{ name: 'b', value: 'c' }] }]],
    ['a;b\t= "c"', [{ name: 'a', params: [{ name: 'b', value: 'c' }] }]],
    ['a;b="\\c\\d"', [{ name: 'a', params: [{ name: 'b', value: 'cd' }] }]],
    [
      'a;b=1;b=2',
      [
        {
          name: 'a',
          params: [
            { name: 'b', value: '1' },
            { name: 'b', value: '2' },
          ],
        },
      ],
    ],
    [
      '\ta ; b , c ',
      [
        { name: 'a', params: [{ name: 'b' }] },
        { name: 'c', params: [] },
      ],
    ],
    [',, a ,', [{ name: 'a', params: [] }]],
    [
      'a, a',
      [
        { name: 'a', params: [] },
        { name: 'a', params: [] },
      ],
    ],
    [
      '__proto__;constructor=1',
      [{ name: '__proto__', params: [{ name: 'constructor', value: '1' }] }],
    ],
  ])('parses %s', (header, extensions) => {
    expect(parseExtensions(header)).toEqual({ ok: true, extensions });
  });

  it.each([
    ['', 'no extension is named'],
    [' , ,', 'no extension is named'],
    ['a;', '"" is not a parameter'],
    [';a', '"" is not an extension name'],
    ['a b', '"a b" is not an extension name'],
    ['a;b c', '"b c" is not a parameter'],
    ['a;b=', '"b=" is not a parameter'],
    ['a;=c', '"=c" is not a parameter'],
    ['a;b=c=d', '"b=c=d" is not a parameter'],
    ['a;b=""', '"b=\\"\\"" is not a parameter'],
    ['a;b="c d"', '"b=\\"c d\\"" is not a parameter'],
    ['a;b="c,d"', '"b=\\"c,d\\"" is not a parameter'],
    ['a;b="c', '"b=\\"c" is not a parameter'],
    ['a;b="c"d', '"b=\\"c\\"d" is not a parameter'],
    ['a;b="c\\"', '"b=\\"c\\\\\\"" is not a parameter'],
    ['"a"', '"\\"a\\"" is not an extension name'],
    ['é', '"é" is not an extension name'],
  ])('finds fault with %s', (header, flaw) => {
    expect(parseExtensions(header)).toEqual({ ok: false, flaw });
  });

  it('takes linear time for long nonsense', () => {
    for (const header of ['"'.repeat(16_000), 'a;b="' + '\\"'.repeat(8000), ';,'.repeat(8000)]) {
      expect(parseExtensions(header).ok).toBe(false);
    }
  });
});

describe('formatExtensions', () => {
  it('writes what parseExtensions reads', () => {
    const header = 'permessage-deflate; client_max_window_bits=9, permessage-deflate, x; y; z=1';
    const parsed = parseExtensions(header);
    expect(parsed.ok && formatExtensions(parsed.extensions)).toBe(header);
  });
});
