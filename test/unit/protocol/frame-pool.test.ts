import { describe, expect, it } from 'vitest';
import { FramePool } from '../../../src/protocol/frame-pool.ts';
import { FrameDecoder } from '../../../src/protocol/index.ts';
import { client, server } from '../../support/protocol.ts';

describe('FramePool', () => {
  it('never gives the same bytes twice', () => {
    const pool = new FramePool();
    const first = pool.claim(1000);
    const bytes = pool.bytes;
    expect(pool.claim(10)).toBe(first + 1000);
    pool.release(4);
    expect(pool.claim(10)).toBe(first + 1006);
    pool.claim(31_000);
    expect(pool.claim(1000)).toBe(0);
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
