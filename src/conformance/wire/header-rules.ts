import {
  MAX_CONTROL_BYTES,
  Opcode,
  isControlOpcode,
  minimalLengthBytes,
  violation,
} from '../../protocol/index.ts';
import type { FrameHeader, Violation } from '../../protocol/index.ts';

/** RSV1 in `FrameHeader.rsv`. */
const RSV1 = 4;

const FIRST_RESERVED_CONTROL = Opcode.pong + 1;

/** What decides, besides its bits, whether a frame is legal. */
export interface HeaderContext {
  /** Whether frames of the peer have to be masked: the tester is a server. */
  readonly masked: boolean;
  readonly deflate: boolean;
  readonly messageOpen: boolean;
}

/**
 * Every breach in the first two octets of a frame, in the order in which Autobahn notices them.
 *
 * A `Connection` is done at the first one. Here all of them count: the tester answers the first
 * with a close frame and the second, if there is one, by dropping TCP.
 */
export function openingViolations(header: FrameHeader, context: HeaderContext): Violation[] {
  const { opcode, rsv, masked } = header;
  const breaches: Violation[] = [];
  const compressed = context.deflate && rsv === RSV1;
  if (rsv !== 0 && !compressed) breaches.push(violation('WSK_RESERVED_BITS', { bits: rsv }));
  if (masked !== context.masked) {
    breaches.push(violation(masked ? 'WSK_MASKED_FRAME' : 'WSK_UNMASKED_FRAME', { opcode }));
  }
  breaches.push(
    ...(isControlOpcode(opcode)
      ? controlViolations(header, compressed)
      : dataViolations(header, { compressed, messageOpen: context.messageOpen })),
  );
  return breaches;
}

function controlViolations(header: FrameHeader, compressed: boolean): Violation[] {
  const { opcode, fin, lengthBytes } = header;
  const breaches: Violation[] = [];
  if (!fin) breaches.push(violation('WSK_CONTROL_FRAGMENTED', { opcode }));
  if (lengthBytes > 0) {
    const size = { length: MAX_CONTROL_BYTES + 1, limit: MAX_CONTROL_BYTES };
    breaches.push(violation('WSK_CONTROL_TOO_LONG', size));
  }
  if (opcode >= FIRST_RESERVED_CONTROL) breaches.push(violation('WSK_RESERVED_OPCODE', { opcode }));
  if (opcode === Opcode.close && lengthBytes === 0 && header.length === 1) {
    breaches.push(violation('WSK_CLOSE_PAYLOAD'));
  }
  if (compressed) breaches.push(violation('WSK_CONTROL_COMPRESSED', { opcode }));
  return breaches;
}

function dataViolations(
  { opcode }: FrameHeader,
  { compressed, messageOpen }: { compressed: boolean; messageOpen: boolean },
): Violation[] {
  const breaches: Violation[] = [];
  if (opcode > Opcode.binary) breaches.push(violation('WSK_RESERVED_OPCODE', { opcode }));
  if (!messageOpen && opcode === Opcode.continuation) {
    breaches.push(violation('WSK_UNEXPECTED_CONTINUATION'));
  }
  if (messageOpen && opcode !== Opcode.continuation) {
    breaches.push(violation('WSK_EXPECTED_CONTINUATION', { opcode }));
  }
  if (compressed && messageOpen) breaches.push(violation('WSK_CONTINUATION_COMPRESSED'));
  return breaches;
}

/** Every breach in the extended length of a frame. */
export function lengthViolations({ length, lengthBytes, overflow }: FrameHeader): Violation[] {
  if (lengthBytes === 0) return [];
  if (overflow) return [violation('WSK_LENGTH_OVERFLOW')];
  if (minimalLengthBytes(length) === lengthBytes) return [];
  return [violation('WSK_LENGTH_NOT_MINIMAL', { length, lengthBytes })];
}
