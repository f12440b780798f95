import { describe, expect, it } from 'vitest';
import { FrameDecoder, describeFrame, encodeFrame } from '../../../../src/protocol/index.ts';
import type { FrameInit } from '../../../../src/protocol/index.ts';
import { MASKING_KEY } from '../../../support/protocol.ts';

function line(init: FrameInit): string {
  const decoder = new FrameDecoder();
  decoder.receive(encodeFrame(init));
  const frame = decoder.next();
  return frame === undefined ? 'nothing' : describeFrame(frame);
}

describe('describeFrame', () => {
  it.each<[string, FrameInit]>([
    [
      'text "Hello" [5 bytes, masked]',
      { opcode: 1, payload: Buffer.from('Hello'), maskingKey: MASKING_KEY },
    ],
    ['binary 00 fe 23 [3 bytes]', { opcode: 2, payload: Buffer.from([0, 0xfe, 0x23]) }],
    ['text ce [1 byte, fin=0]', { opcode: 1, payload: Buffer.from([0xce]), fin: false }],
    ['continuation [0 bytes]', { opcode: 0 }],
    ['close [0 bytes]', { opcode: 8 }],
    ['close 03 [1 byte]', { opcode: 8, payload: Buffer.from([3]) }],
    [
      'close 1001 (going away) "bye" [5 bytes]',
      { opcode: 8, payload: Buffer.from('\x03\xe9bye', 'latin1') },
    ],
    ['close 4000 (application) [2 bytes]', { opcode: 8, payload: Buffer.from([0x0f, 0xa0]) }],
    [
      'opcode 3 [0 bytes, rsv1, rsv2, rsv3, length in 16 bits]',
      { opcode: 3, rsv1: true, rsv2: true, rsv3: true, lengthBytes: 2 },
    ],
    ['text f2 48 [2 bytes, rsv1]', { opcode: 1, payload: Buffer.from([0xf2, 0x48]), rsv1: true }],
  ])('writes %s', (expected, init) => {
    expect(line(init)).toBe(expected);
  });

  it('cuts long payloads, and never a character in two', () => {
    expect(line({ opcode: 1, payload: Buffer.from('😀'.repeat(60)) })).toBe(
      `text "${'😀'.repeat(48)}"… [240 bytes]`,
    );
    expect(line({ opcode: 2, payload: Buffer.alloc(49) })).toBe(
      `binary ${Array(48).fill('00').join(' ')} … [49 bytes]`,
    );
  });
});
