import { describe, expect, it } from 'vitest';
import {
  FrameHeader,
  MAX_HEADER_BYTES,
  minimalLengthBytes,
  writeHeader,
} from '../../../../src/protocol/frames/frame-header.ts';
import { hex } from '../../../support/protocol.ts';

describe('FrameHeader', () => {
  it('reads every bit of the first two bytes', () => {
    const header = new FrameHeader();
    expect(header.read(hex('00 f5 4a 7d'), 2, 4)).toBe(2);
    expect(header).toMatchObject({
      fin: false,
      rsv: 4,
      opcode: 10,
      masked: false,
      length: 125,
      lengthBytes: 0,
    });
  });

  it('reads 16-bit and 64-bit lengths and the masking key', () => {
    const header = new FrameHeader();
    expect(header.read(hex('82 fe 01 00 37 fa 21 3d'), 0, 8)).toBe(8);
    expect(header).toMatchObject({ masked: true, length: 256, lengthBytes: 2, key: 0x3d21fa37 });
    expect(header.read(hex('82 7f 00 00 00 01 00 00 00 05'), 0, 10)).toBe(10);
    expect(header).toMatchObject({ length: 2 ** 32 + 5, lengthBytes: 8, overflow: false });
  });

  it('tells the forbidden top bit of a length from one that is only huge', () => {
    const header = new FrameHeader();
    header.read(hex('82 7f 80 00 00 00 00 00 00 00'), 0, 10);
    expect(header.overflow).toBe(true);
    header.read(hex('82 7f 7f ff ff ff ff ff ff ff'), 0, 10);
    expect(header.overflow).toBe(false);
  });

  it('waits for every byte of a header, and knows the bits and the length as soon as it can', () => {
    const bytes = hex('82 ff 00 00 00 00 00 01 00 00 37 fa 21 3d');
    expect(bytes).toHaveLength(MAX_HEADER_BYTES);
    for (let end = 0; end < bytes.length; end++) {
      const header = new FrameHeader();
      expect(header.read(bytes, 0, end)).toBe(0);
      expect(header.opcode).toBe(end < 2 ? 0 : 2);
      expect(header.lengthKnown).toBe(end >= 10);
    }
    expect(new FrameHeader().read(bytes, 0, bytes.length)).toBe(14);
  });
});

describe('writeHeader', () => {
  it('writes what FrameHeader reads, at every boundary of the length', () => {
    for (const length of [
      0,
      1,
      124,
      125,
      126,
      127,
      65534,
      65535,
      65536,
      65537,
      2 ** 32,
      2 ** 53 - 1,
    ]) {
      const lengthBytes = minimalLengthBytes(length);
      const target = Buffer.alloc(20);
      const fields = { first: 0x81, length, lengthBytes, masked: false };
      const end = writeHeader(target, 3, fields);
      const header = new FrameHeader();
      expect(header.read(target, 3, 20)).toBe(end - 3);
      expect(header).toMatchObject({ fin: true, opcode: 1, length, lengthBytes });
    }
  });

  it('uses the shortest length field that can hold the length', () => {
    expect([0, 125, 126, 65535, 65536].map(minimalLengthBytes)).toEqual([0, 0, 2, 2, 8]);
  });
});
