import { describe, expect, it } from 'vitest';
import { acceptKey, createKey } from '../../../../src/protocol/handshake/accept-key.ts';

describe('acceptKey', () => {
  it('answers the key of RFC 6455 section 1.3', () => {
    expect(acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });
});

describe('createKey', () => {
  it('encodes 16 bytes and refuses any other number', () => {
    expect(createKey(Buffer.from('the sample nonce'))).toBe('dGhlIHNhbXBsZSBub25jZQ==');
    expect(() => createKey(Buffer.alloc(15))).toThrow('15 bytes, expected 16');
  });
});
