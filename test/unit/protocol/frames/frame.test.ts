import { describe, expect, it } from 'vitest';
import { FrameDecoder, encodeFrame } from '../../../../src/protocol/frames/frame.ts';
import { MASKING_KEY, hex } from '../../../support/protocol.ts';

describe('encodeFrame', () => {
  it.each([
    ['a text', { opcode: 1, payload: Buffer.from('Hello') }, '81 05 48 65 6c 6c 6f'],
    [
      'a masked text',
      { opcode: 1, payload: Buffer.from('Hello'), maskingKey: MASKING_KEY },
      '81 85 37 fa 21 3d 7f 9f 4d 51 58',
    ],
    ['a first fragment', { opcode: 1, payload: Buffer.from('Hel'), fin: false }, '01 03 48 65 6c'],
    ['a ping', { opcode: 9, payload: Buffer.from('Hello') }, '89 05 48 65 6c 6c 6f'],
    ['an empty frame', { opcode: 2 }, '82 00'],
  ])('encodes %s as RFC 6455 section 5.7 has it', (_what, init, bytes) => {
    expect(encodeFrame(init)).toEqual(hex(bytes));
  });

  it('encodes 256 bytes with a 16-bit length and 64 KiB with a 64-bit one', () => {
    expect(encodeFrame({ opcode: 2, payload: Buffer.alloc(256) }).subarray(0, 4)).toEqual(
      hex('82 7e 01 00'),
    );
    expect(encodeFrame({ opcode: 2, payload: Buffer.alloc(65536) }).subarray(0, 10)).toEqual(
      hex('82 7f 00 00 00 00 00 01 00 00'),
    );
  });

  it('encodes what no connection would send', () => {
    const payload = Buffer.from('A');
    expect(encodeFrame({ opcode: 3, rsv1: true, rsv2: true, rsv3: true })).toEqual(hex('f3 00'));
    expect(encodeFrame({ opcode: 9, fin: false, payload })).toEqual(hex('09 01 41'));
    expect(encodeFrame({ opcode: 1, payload, lengthBytes: 2 })).toEqual(hex('81 7e 00 01 41'));
    expect(encodeFrame({ opcode: 1, payload, lengthBytes: 8, declaredLength: 2n ** 63n })).toEqual(
      hex('81 7f 80 00 00 00 00 00 00 00 41'),
    );
    expect(encodeFrame({ opcode: 2, declaredLength: 10_000_000_000 })).toEqual(
      hex('82 7f 00 00 00 02 54 0b e4 00'),
    );
  });

  it('leaves the payload as it was', () => {
    const payload = Buffer.from('Hello');
    encodeFrame({ opcode: 1, payload, maskingKey: MASKING_KEY });
    expect(payload.toString()).toBe('Hello');
  });

  it.each([
    ['opcode 16', { opcode: 16 }],
    ['a key of three bytes', { opcode: 1, maskingKey: Buffer.alloc(3) }],
    [
      'a length that does not fit its field',
      { opcode: 1, declaredLength: 126, lengthBytes: 0 as const },
    ],
    ['a negative length', { opcode: 1, declaredLength: -1 }],
    ['a length of more than 64 bits', { opcode: 1, declaredLength: 2n ** 64n }],
  ])('throws for %s, which has no bits to be written in', (_what, init) => {
    expect(() => encodeFrame(init)).toThrow(RangeError);
  });
});

describe('FrameDecoder', () => {
  it('decodes frames byte by byte as it does at once, legal or not', () => {
    const bytes = Buffer.concat([
      hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'),
      hex('f3 00'),
      hex('81 7e 00 01 41'),
    ]);
    const decoder = new FrameDecoder();
    const frames = [];
    for (const byte of bytes) {
      decoder.receive(Uint8Array.of(byte));
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next())
        frames.push(frame);
    }
    expect(frames).toMatchObject([
      { fin: true, opcode: 1, lengthBytes: 0, wireBytes: 11 },
      { fin: true, rsv1: true, rsv2: true, rsv3: true, opcode: 3, maskingKey: undefined },
      { opcode: 1, lengthBytes: 2, wireBytes: 5 },
    ]);
    expect(frames.map((frame) => frame.payload.toString())).toEqual(['Hello', '', 'A']);
    expect(frames[0]?.maskingKey).toEqual(Buffer.from(MASKING_KEY));
    expect(decoder.bufferedBytes).toBe(0);
  });

  it('does not touch the bytes it is given', () => {
    const bytes = hex('81 85 37 fa 21 3d 7f 9f 4d 51 58');
    const decoder = new FrameDecoder();
    decoder.receive(bytes);
    decoder.next();
    expect(bytes).toEqual(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'));
  });

  it('gives up on a frame that announces more than the limit, and holds no more bytes', () => {
    const decoder = new FrameDecoder({ frameBytes: 1000 });
    decoder.receive(encodeFrame({ opcode: 2, declaredLength: 10_000_000_000 }));
    expect(decoder.next()).toBeUndefined();
    expect(decoder.violation).toMatchObject({ code: 'WSK_FRAME_TOO_BIG', closeCode: 1009 });
    const held = decoder.bufferedBytes;
    decoder.receive(Buffer.alloc(5000));
    expect(decoder.bufferedBytes).toBe(held);
    expect(decoder.next()).toBeUndefined();
  });
});
