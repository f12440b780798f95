import { describe, expect, it } from 'vitest';
import {
  PreparedFrames,
  slotConnection,
  slotSequence,
} from '../../../../src/load/socket/prepared-frames.ts';
import type { MessagePlan } from '../../../../src/load/plan.ts';
import { FrameDecoder } from '../../../../src/protocol/index.ts';
import type { Frame } from '../../../../src/protocol/index.ts';

function plan(size: MessagePlan['size'], opcode: 1 | 2 = 2): MessagePlan {
  return { opcode, size };
}

/** What a server decodes of the next `count` frames, with slots for connection 5. */
function send(strip: PreparedFrames, count: number): Frame[] {
  const first = strip.take(count);
  for (let i = 0; i < count; i++) strip.stamp(first + i, 5, 1000 + i);
  const decoder = new FrameDecoder();
  decoder.receive(strip.view(first, count));
  const frames: Frame[] = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame);
  expect(decoder.bufferedBytes).toBe(0);
  return frames;
}

describe('PreparedFrames', () => {
  it('sends masked frames of the size that was asked for, each with a key of its own', () => {
    const strip = new PreparedFrames(plan({ kind: 'fixed', bytes: 32 }), 1);
    const frames = send(strip, 100);
    expect(frames).toHaveLength(100);
    for (const frame of frames) {
      expect(frame).toMatchObject({ fin: true, opcode: 2, lengthBytes: 0 });
      expect(frame.payload).toHaveLength(32);
      expect([...(frame.maskingKey ?? [])].every((octet) => octet !== 0)).toBe(true);
    }
    const keys = frames.map(({ maskingKey }) => Buffer.from(maskingKey ?? []).toString('hex'));
    expect(new Set(keys).size).toBeGreaterThan(90);
  });

  it('puts connection and sequence number at the start of each payload', () => {
    const frames = send(new PreparedFrames(plan({ kind: 'fixed', bytes: 8 }), 1), 3);
    for (const [index, { payload }] of frames.entries()) {
      expect(slotConnection(payload, 0)).toBe(5);
      expect(slotSequence(payload, 0)).toBe(1000 + index);
    }
  });

  it('holds every number that a slot may have', () => {
    const strip = new PreparedFrames(plan({ kind: 'fixed', bytes: 8 }, 1), 1);
    for (const [connection, sequence] of [
      [0, 0],
      [0x3ffff, 0x3fffffff],
      [0x12345, 0x2aaaaaaa],
    ] as const) {
      const frame = strip.take(1);
      strip.stamp(frame, connection, sequence);
      const decoder = new FrameDecoder();
      decoder.receive(strip.view(frame, 1));
      const payload = decoder.next()?.payload ?? Buffer.alloc(0);
      expect(payload.toString()).toMatch(/^[0-o]{8}$/);
      expect([slotConnection(payload, 0), slotSequence(payload, 0)]).toEqual([
        connection,
        sequence,
      ]);
    }
  });

  it('takes bytes that are no slot for none', () => {
    expect(slotConnection(Buffer.from('01/45678'), 0)).toBe(-1);
    expect(slotSequence(Buffer.from('0123p567'), 0)).toBe(-1);
    expect(slotSequence(Buffer.from('0123'), 0)).toBe(-1);
  });

  it('sends a sample as it is, without a slot', () => {
    const sample = Buffer.from('{"hello":"world"}');
    const strip = new PreparedFrames(
      plan({ kind: 'sample', base64: sample.toString('base64') }, 1),
      1,
    );
    expect(strip.slotted).toBe(false);
    expect(send(strip, 2).map(({ payload }) => payload)).toEqual([sample, sample]);
  });

  it.each([0, 1, 7])('sends payloads of %i bytes, too short for a slot', (bytes) => {
    const strip = new PreparedFrames(plan({ kind: 'fixed', bytes }), 1);
    expect(strip.slotted).toBe(false);
    expect(send(strip, 1)[0]?.payload).toHaveLength(bytes);
  });

  it('spreads the sizes of a range evenly, in no order', () => {
    const strip = new PreparedFrames(plan({ kind: 'uniform', min: 16, max: 4096 }), 1);
    const sizes = [...strip.lengths];
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(16);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4096);
    expect(Math.abs(mean - 2056)).toBeLessThan(20);
    expect(sizes).not.toEqual(sizes.toSorted((a, b) => a - b));
    expect([
      ...new PreparedFrames(plan({ kind: 'uniform', min: 16, max: 4096 }), 1).lengths,
    ]).toEqual(sizes);
  });

  it('sends text that is text', () => {
    const [frame] = send(new PreparedFrames(plan({ kind: 'fixed', bytes: 200 }, 1), 1), 1);
    expect(frame?.payload.toString()).toMatch(/^[0-o]{8}[A-Za-z0-9]{192}$/);
  });

  it('starts again from its first frame when the last was sent', () => {
    const strip = new PreparedFrames(plan({ kind: 'fixed', bytes: 1_000_000 }), 1);
    expect(strip.count).toBe(4);
    expect([strip.take(3), strip.take(2), strip.take(2), strip.take(4)]).toEqual([0, 0, 2, 0]);
  });

  it('leaves alone what was handed out once it is renewed', () => {
    const strip = new PreparedFrames(plan({ kind: 'fixed', bytes: 8 }), 1);
    const frame = strip.take(1);
    strip.stamp(frame, 1, 1);
    const sent = strip.view(frame, 1);
    const before = Buffer.from(sent);
    strip.renew();
    strip.stamp(frame, 1, 2);
    expect(sent).toEqual(before);
    expect(strip.view(frame, 1)).not.toEqual(before);
  });

  it.each([32, 400])('knows its own payload of %i bytes from any other', (bytes) => {
    const strip = new PreparedFrames(plan({ kind: 'fixed', bytes }), 1);
    const first = strip.take(1);
    strip.stamp(first, 5, 9);
    const decoder = new FrameDecoder();
    decoder.receive(strip.view(first, 1));
    const payload = Buffer.from(decoder.next()?.payload ?? []);
    const matches = (): boolean => strip.matches(first, 5, 9, payload, 0, payload.length);
    expect(matches()).toBe(true);
    expect(strip.matches(first, 5, 10, payload, 0, bytes)).toBe(false);
    expect(strip.matches(first, 6, 9, payload, 0, bytes)).toBe(false);
    expect(strip.matches(first, 5, 9, payload, 0, bytes - 1)).toBe(false);
    for (let i = 0; i < bytes; i++) {
      payload[i] = (payload[i] as number) ^ 1;
      expect(matches()).toBe(false);
      payload[i] = (payload[i] as number) ^ 1;
    }
  });
});
