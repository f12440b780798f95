import { describe, expect, it } from 'vitest';
import { decodeClose, encodeClose } from '../../../../src/protocol/frames/close.ts';
import { hex } from '../../../support/protocol.ts';

describe('encodeClose', () => {
  it('encodes nothing without a code, and code and reason otherwise', () => {
    expect(encodeClose()).toEqual(hex(''));
    expect(encodeClose(1000)).toEqual(hex('03 e8'));
    expect(encodeClose(1001, 'bye')).toEqual(hex('03 e9 62 79 65'));
  });

  it('limits the reason to 123 bytes of UTF-8, not characters', () => {
    expect(encodeClose(1000, 'x'.repeat(123))).toHaveLength(125);
    expect(() => encodeClose(1000, 'x'.repeat(124))).toThrow('124 bytes, limit is 123');
    expect(() => encodeClose(1000, 'é'.repeat(62))).toThrow('124 bytes, limit is 123');
  });

  it('throws for a code that may not be sent, and for a reason without a code', () => {
    expect(() => encodeClose(1005)).toThrow('close code 1005 may not be sent');
    expect(() => encodeClose(1000.5)).toThrow(RangeError);
    expect(() => encodeClose(undefined, 'bye')).toThrow('needs a close code');
  });
});

describe('decodeClose', () => {
  it('reads code and reason, and 1005 from an empty payload', () => {
    expect(decodeClose(hex(''))).toEqual({ code: 1005, reason: '' });
    expect(decodeClose(hex('0b b8 62 79 65'))).toEqual({ code: 3000, reason: 'bye' });
  });

  it('keeps a byte order mark in the reason', () => {
    expect(decodeClose(hex('03 e8 ef bb bf'))).toEqual({ code: 1000, reason: '\ufeff' });
  });

  it.each([
    ['61', 'WSK_CLOSE_PAYLOAD'],
    ['00 00', 'WSK_CLOSE_CODE'],
    ['03 ec', 'WSK_CLOSE_CODE'],
    ['03 e8 ed a0 80', 'WSK_INVALID_UTF8'],
  ])('finds fault with %s', (bytes, code) => {
    expect(decodeClose(hex(bytes))).toMatchObject({ violation: { code } });
  });
});
