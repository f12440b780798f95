import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Utf8Stream } from '../../../../src/protocol/frames/utf8.ts';
import { hex } from '../../../support/protocol.ts';

/** The payloads of the UTF-8 cases 6.5 to 6.23 of the Autobahn test suite. */
const CASES = JSON.parse(
  readFileSync(new URL('../../../fixtures/protocol/utf8-cases.json', import.meta.url), 'utf8'),
) as Record<string, { hex: string; valid: boolean }>;

/** Where a stream fails that gets `bytes` in pieces of `size`: the index of the piece, or -1. */
function failsAt(bytes: Buffer, size: number): number {
  const stream = new Utf8Stream();
  for (let at = 0; at < bytes.length; at += size) {
    if (!stream.push(bytes.subarray(at, at + size))) return at / size;
  }
  return -1;
}

/** The first byte that no valid text can have there, as the decoder of the platform sees it. */
function firstBadByte(bytes: Buffer): number {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for (let at = 0; at < bytes.length; at++) {
    try {
      decoder.decode(bytes.subarray(at, at + 1), { stream: true });
    } catch {
      return at;
    }
  }
  return -1;
}

describe('Utf8Stream', () => {
  it.each(Object.entries(CASES))('judges case %s', (_id, { hex: text, valid }) => {
    for (const size of [1, 2, 3, 5, 1000]) {
      const stream = new Utf8Stream();
      const bytes = hex(text);
      let accepted = true;
      for (let at = 0; accepted && at < bytes.length; at += size) {
        accepted = stream.push(bytes.subarray(at, at + size));
      }
      expect(accepted && stream.end(), `in pieces of ${size}`).toBe(valid);
    }
  });

  it('fails at the byte that leaves Unicode, before the sequence is complete', () => {
    const stream = new Utf8Stream();
    expect(stream.push(hex('ce ba e1 bd b9 cf 83 ce bc ce b5 f4'))).toBe(true);
    expect(stream.push(hex('90'))).toBe(false);
  });

  it('fails at the second byte of an overlong form and of a surrogate', () => {
    for (const text of ['e0 9f', 'ed a0', 'f0 8f', 'f4 90']) {
      expect(failsAt(hex(text), 1), text).toBe(1);
    }
    for (const text of ['c0', 'c1', 'f5', 'ff', '80']) expect(failsAt(hex(text), 1), text).toBe(0);
  });

  it('takes a byte order mark for an ordinary character', () => {
    const stream = new Utf8Stream();
    expect(stream.push(hex('ef bb bf'))).toBe(true);
    expect(stream.end()).toBe(true);
  });

  it('starts anew after a reset', () => {
    const stream = new Utf8Stream();
    stream.push(hex('e0'));
    stream.reset();
    expect(stream.end()).toBe(true);
    expect(stream.push(hex('80'))).toBe(false);
  });

  it('fails at the same byte as the decoder of the platform, whatever bytes begin a sequence', () => {
    const seconds = [0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff];
    for (let first = 0x7f; first <= 0xff; first++) {
      for (const second of seconds) {
        const bytes = Buffer.from([0x61, first, second, 0x80, 0x80, 0x62]);
        expect(failsAt(bytes, 1), bytes.toString('hex')).toBe(firstBadByte(bytes));
        expect(failsAt(bytes, bytes.length) < 0, bytes.toString('hex')).toBe(
          firstBadByte(bytes) < 0,
        );
      }
    }
  });
});
