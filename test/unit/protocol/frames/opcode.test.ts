import { describe, expect, it } from 'vitest';
import { Opcode, isControlOpcode, opcodeName } from '../../../../src/protocol/frames/opcode.ts';

describe('isControlOpcode', () => {
  it('is true of 8 to 15, reserved ones too', () => {
    const control = Array.from({ length: 16 }, (_, opcode) => opcode).filter(isControlOpcode);
    expect(control).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
  });
});

describe('opcodeName', () => {
  it('names the opcodes that exist and numbers the others', () => {
    expect(Object.values(Opcode).map(opcodeName)).toEqual(Object.keys(Opcode));
    expect(opcodeName(11)).toBe('opcode 11');
  });
});
