import { describe, expect, it } from 'vitest';
import { fieldValue, fieldValues } from '../../../../src/protocol/http/head.ts';

const HEAD = {
  fields: [
    { name: 'Upgrade', value: 'a' },
    { name: 'Host', value: 'b' },
    { name: 'upgrade', value: 'c' },
  ],
};

describe('fieldValues', () => {
  it('finds every field of a name, whatever its case, in order', () => {
    expect(fieldValues(HEAD, 'UPGRADE')).toEqual(['a', 'c']);
    expect(fieldValues(HEAD, 'Origin')).toEqual([]);
  });
});

describe('fieldValue', () => {
  it('joins repeated fields and tells a missing one from an empty one', () => {
    expect(fieldValue(HEAD, 'upgrade')).toBe('a, c');
    expect(fieldValue(HEAD, 'origin')).toBeUndefined();
    expect(fieldValue({ fields: [{ name: 'Origin', value: '' }] }, 'origin')).toBe('');
  });
});
