/** Frame opcodes: RFC 6455 section 5.2. Everything else is reserved. */
export const Opcode = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

const NAMES = new Map<number, string>(
  Object.entries(Opcode).map(([name, opcode]) => [opcode, name] as const),
);

/** The largest payload of a control frame in bytes: RFC 6455 section 5.5. */
export const MAX_CONTROL_BYTES = 125;

/** Control frames have the high bit of the opcode set, reserved ones too: RFC 6455 section 5.5. */
export function isControlOpcode(opcode: number): boolean {
  return (opcode & 0x8) !== 0;
}

/** Names an opcode: `text`, or `opcode 3` for a reserved one. */
export function opcodeName(opcode: number): string {
  return NAMES.get(opcode) ?? `opcode ${opcode}`;
}
