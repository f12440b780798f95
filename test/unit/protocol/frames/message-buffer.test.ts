import { describe, expect, it } from 'vitest';
import { MessageBuffer } from '../../../../src/protocol/frames/message-buffer.ts';

const MIB = 1024 * 1024;

describe('MessageBuffer', () => {
  it('joins pieces and starts anew once the message is taken', () => {
    const buffer = new MessageBuffer();
    buffer.append(Buffer.from('xHelx'), 1, 4, 0);
    buffer.append(Buffer.from('lo'), 0, 2, 0);
    expect(buffer.take().toString()).toBe('Hello');
    expect(buffer.length).toBe(0);
    expect(buffer.take()).toHaveLength(0);
  });

  it('holds a single frame in memory of exactly its size', () => {
    const buffer = new MessageBuffer();
    buffer.append(Buffer.alloc(10), 0, 10, 65526);
    expect(buffer.bytes.length).toBe(65536);
  });

  it('trusts no announcement beyond 1 MiB or twice what really came', () => {
    const buffer = new MessageBuffer();
    buffer.append(Buffer.alloc(10), 0, 10, 100 * MIB);
    expect(buffer.bytes.length).toBe(MIB);
    buffer.append(Buffer.alloc(2 * MIB), 0, 2 * MIB, 98 * MIB);
    expect(buffer.bytes.length).toBeLessThanOrEqual(2 * (2 * MIB + 10));
  });

  it('holds at most about twice the bytes of many small pieces', () => {
    const buffer = new MessageBuffer();
    for (let i = 0; i < 100_000; i++) buffer.append(Buffer.from('a'), 0, 1, 0);
    expect(buffer.bytes.length).toBeLessThanOrEqual(200_000);
    expect(buffer.take()).toHaveLength(100_000);
  });
});
