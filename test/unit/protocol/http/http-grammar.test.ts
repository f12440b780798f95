import { describe, expect, it } from 'vitest';
import {
  isToken,
  listIncludes,
  quote,
  splitList,
} from '../../../../src/protocol/http/http-grammar.ts';

describe('isToken', () => {
  it('allows exactly the visible ASCII characters that separate nothing', () => {
    const separators = '()<>@,;:\\"/[]?={} \t';
    for (let code = 0; code < 256; code++) {
      const character = String.fromCharCode(code);
      const allowed = code > 0x20 && code < 0x7f && !separators.includes(character);
      expect(isToken(character), JSON.stringify(character)).toBe(allowed);
    }
    expect(isToken('')).toBe(false);
  });
});

describe('listIncludes', () => {
  it('finds a token whatever its case, in any of several fields', () => {
    expect(listIncludes(['keep-alive, upgrade'], 'Upgrade')).toBe(true);
    expect(listIncludes(['keep-alive', ',Upgrade'], 'Upgrade')).toBe(true);
    expect(listIncludes(['Upgraded'], 'Upgrade')).toBe(false);
    expect(listIncludes([], 'Upgrade')).toBe(false);
  });
});

describe('splitList', () => {
  it('keeps empty elements', () => {
    expect(splitList('a,, b\t,')).toEqual(['a', '', 'b', '']);
  });
});

describe('quote', () => {
  it('escapes control characters and cuts what is long', () => {
    expect(quote('a\r\n\x00')).toBe('"a\\r\\n\\u0000"');
    expect(quote('x'.repeat(500))).toHaveLength(123);
  });
});
