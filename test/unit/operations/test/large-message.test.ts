import { describe, expect, it } from 'vitest';
import {
  isLargeMessage,
  largeMessage,
  take,
} from '../../../../src/operations/test/large-message.ts';
import { FrameDecoder } from '../../../../src/protocol/index.ts';

describe('largeMessage', () => {
  it.each([1, 1024, 1025, 65_536, 200_001])('is one masked frame of %i bytes', (length) => {
    const decoder = new FrameDecoder();
    for (const piece of largeMessage(length)) decoder.receive(piece);
    const frame = decoder.next();
    expect(frame).toMatchObject({ fin: true, opcode: 1 });
    expect(frame?.maskingKey).toHaveLength(4);
    expect(isLargeMessage(frame?.payload ?? Buffer.alloc(0), length)).toBe(true);
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('starts with its header and 1 KiB, and goes on from there', () => {
    const pieces = largeMessage(3000);
    expect(take(pieces, 2).map((piece) => piece.length)).toEqual([8, 1024]);
    expect([...pieces].map((piece) => piece.length)).toEqual([1976]);
  });

  it('tells a changed byte', () => {
    const decoder = new FrameDecoder();
    for (const piece of largeMessage(100_000)) decoder.receive(piece);
    const payload = decoder.next()?.payload ?? Buffer.alloc(0);
    payload[99_999] = 0;
    expect(isLargeMessage(payload, 100_000)).toBe(false);
    expect(isLargeMessage(payload.subarray(1), 100_000)).toBe(false);
  });
});
