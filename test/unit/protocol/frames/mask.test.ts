import { describe, expect, it } from 'vitest';
import {
  MIN_WORDWISE_BYTES,
  NON_ASCII,
  copyMasked,
  mask,
  maskRange,
  packKey,
  wordsOf,
} from '../../../../src/protocol/frames/mask.ts';
import { MASKING_KEY, hex } from '../../../support/protocol.ts';

/** The definition of RFC 6455 section 5.3, octet by octet. */
function maskSlowly(bytes: Uint8Array, key: Uint8Array, offset: number): Buffer {
  return Buffer.from(bytes.map((byte, i) => byte ^ (key[(i + offset) % 4] ?? 0)));
}

/** Bytes 0, 1, 2 … that start at `shift` in their memory. */
function unaligned(length: number, shift: number): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(length + 16), shift, length);
  for (let i = 0; i < length; i++) bytes[i] = i;
  return bytes;
}

describe('mask', () => {
  it('unmasks the example of RFC 6455 section 5.7', () => {
    const payload = hex('7f 9f 4d 51 58');
    mask(payload, MASKING_KEY);
    expect(payload.toString()).toBe('Hello');
  });

  it('gives the old bytes back when it is done twice', () => {
    const payload = hex('00 ff 10 20 30');
    mask(payload, MASKING_KEY);
    mask(payload, MASKING_KEY);
    expect(payload).toEqual(hex('00 ff 10 20 30'));
  });

  it('masks every length, alignment and offset as the octet-wise definition does', () => {
    const lengths = [0, 1, 3, 4, 7, 63, MIN_WORDWISE_BYTES - 1, MIN_WORDWISE_BYTES, 131, 1027];
    for (const length of lengths) {
      for (const shift of [0, 1, 2, 3, 4]) {
        for (const offset of [0, 1, 2, 3, 4, 1001]) {
          const bytes = unaligned(length, shift);
          const expected = maskSlowly(bytes, MASKING_KEY, offset);
          mask(bytes, MASKING_KEY, offset);
          expect(bytes.equals(expected), `${length} bytes at ${shift}, offset ${offset}`).toBe(
            true,
          );
        }
      }
    }
  });

  it('masks a payload in pieces as it masks it in one', () => {
    const whole = unaligned(1000, 0);
    const pieces = Buffer.from(whole);
    mask(whole, MASKING_KEY);
    for (let at = 0, size = 1; at < pieces.length; at += size, size += 7) {
      mask(pieces.subarray(at, at + size), MASKING_KEY, at);
    }
    expect(pieces).toEqual(whole);
  });
});

describe('maskRange', () => {
  it('leaves the bytes around the range as they are, with and without given words', () => {
    for (const start of [0, 1, 5, 130]) {
      for (const words of [true, false]) {
        const bytes = unaligned(600, 3);
        const expected = Buffer.from(bytes);
        maskSlowly(bytes.subarray(start, 470), MASKING_KEY, 0).copy(expected, start);
        maskRange(bytes, start, 470, packKey(MASKING_KEY, 0), words ? wordsOf(bytes) : undefined);
        expect(bytes.equals(expected), `from ${start}, words ${words}`).toBe(true);
      }
    }
  });

  it('tells by the high bits of its result whether all bytes are ASCII', () => {
    for (let place = 0; place < 300; place++) {
      const bytes = Buffer.alloc(300, 'a');
      expect(maskRange(Buffer.from(bytes), 0, 300, 0) & NON_ASCII).toBe(0);
      bytes[place] = 0xc3;
      expect(maskRange(bytes, 0, 300, 0) & NON_ASCII, `byte ${place}`).not.toBe(0);
    }
  });
});

describe('copyMasked', () => {
  it('masks on the way, and copies as it is with a key of 0', () => {
    for (const length of [0, 1, 4, 7, 64]) {
      const source = unaligned(64, 0);
      const target = Buffer.alloc(128, 0xee);
      for (const key of [MASKING_KEY, new Uint8Array(4)]) {
        copyMasked(wordsOf(source), wordsOf(target), { at: 2, length, key: packKey(key, 0) });
        const expected = maskSlowly(source.subarray(0, length), key, 0);
        expect(target.subarray(8, 8 + length).equals(expected)).toBe(true);
        expect(target.subarray(0, 8).equals(Buffer.alloc(8, 0xee))).toBe(true);
      }
    }
  });
});

describe('wordsOf', () => {
  it('views nothing where there is no whole word, at the end of memory too', () => {
    const memory = new ArrayBuffer(6);
    expect(wordsOf(new Uint8Array(memory, 5, 1))).toHaveLength(0);
    expect(wordsOf(new Uint8Array(memory, 1, 5))).toHaveLength(0);
    expect(wordsOf(new Uint8Array(memory, 0, 6))).toHaveLength(1);
  });
});
