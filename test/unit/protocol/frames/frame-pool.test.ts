import { describe, expect, it } from 'vitest';
import { FramePool } from '../../../../src/protocol/frames/frame-pool.ts';
import { FrameDecoder } from '../../../../src/protocol/index.ts';
import { client, server } from '../../../support/protocol.ts';

describe('FramePool', () => {
  it('never gives the same bytes twice, and starts every payload at a word', () => {
    const pool = new FramePool();
    expect(pool.claim(6, 5)).toBe(8);
    expect(pool.claim(2, 1)).toBe(20);
    expect(pool.claim(4, 8)).toBe(28);
    const { bytes } = pool;
    expect(pool.claim(8, 32 * 1024 - 44)).toBe(44);
    expect(pool.bytes).toBe(bytes);
    expect(pool.claim(6, 1)).toBe(8);
    expect(pool.bytes).not.toBe(bytes);
    expect(pool.words.buffer).toBe(pool.bytes.buffer);
  });

  it('keeps the frames of many connections apart', () => {
    const connections = [client(), server(), client()];
    const output = connections.map((): Uint8Array[] => []);
    for (let i = 0; i < 1000; i++) {
      for (const [at, connection] of connections.entries()) {
        connection.sendText(`${at} says ${'é'.repeat(i % 50)} ${i}`);
        output[at]?.push(...connection.output());
      }
    }
    for (const [at, chunks] of output.entries()) {
      const decoder = new FrameDecoder();
      for (const chunk of chunks) decoder.receive(chunk);
      const texts = Array.from({ length: 1000 }, () => decoder.next()?.payload.toString());
      expect(texts).toEqual(
        Array.from({ length: 1000 }, (_, i) => `${at} says ${'é'.repeat(i % 50)} ${i}`),
      );
    }
  });
});
