import { minimalLengthBytes } from './frame-header.ts';
import type { FrameHeader } from './frame-header.ts';
import { MAX_CONTROL_BYTES, Opcode, isControlOpcode } from './opcode.ts';
import { violation } from '../violations.ts';
import type { Violation } from '../violations.ts';

/** RSV1 in `FrameHeader.rsv`: the "Per-Message Compressed" bit of RFC 7692 section 6. */
const RSV1 = 4;

/** What a frame's legality depends on besides its header. */
export interface FrameContext {
  /** Whether the receiver is a server, which requires masked frames. */
  readonly masked: boolean;
  /** Whether permessage-deflate was negotiated, which gives RSV1 a meaning. */
  readonly deflate: boolean;
  /** Whether a message is unfinished, so that only a continuation may bring data. */
  readonly messageOpen: boolean;
}

/** Checks a header, complete or not, by RFC 6455 section 5. */
export function inspectHeader(header: FrameHeader, context: FrameContext): Violation | undefined {
  return inspectBits(header, context) ?? inspectSequence(header, context) ?? inspectLength(header);
}

function inspectBits(header: FrameHeader, context: FrameContext): Violation | undefined {
  const { opcode, rsv, masked } = header;
  if (rsv !== 0) {
    // 5.2: "If a nonzero value is received and none of the negotiated extensions defines the
    // meaning of such a nonzero value, the receiving endpoint MUST _Fail the WebSocket Connection_."
    if (rsv !== RSV1 || !context.deflate) return violation('WSK_RESERVED_BITS', { bits: rsv });
    // RFC 7692 6.1: RSV1 is for the first fragment of a message alone, never for a control frame.
    if (isControlOpcode(opcode)) return violation('WSK_CONTROL_COMPRESSED', { opcode });
    if (opcode === Opcode.continuation) return violation('WSK_CONTINUATION_COMPRESSED');
  }
  // 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket
  // Connection_."
  if (opcode > Opcode.pong || (opcode > Opcode.binary && opcode < Opcode.close)) {
    return violation('WSK_RESERVED_OPCODE', { opcode });
  }
  // 5.1: "The server MUST close the connection upon receiving a frame that is not masked." ...
  // "A client MUST close a connection if it detects a masked frame."
  if (masked === context.masked) return undefined;
  return violation(masked ? 'WSK_MASKED_FRAME' : 'WSK_UNMASKED_FRAME', { opcode });
}

function inspectSequence(header: FrameHeader, context: FrameContext): Violation | undefined {
  const { opcode, fin } = header;
  if (isControlOpcode(opcode)) {
    // 5.5: "All control frames MUST have a payload length of 125 bytes or less and MUST NOT be
    // fragmented."
    if (!fin) return violation('WSK_CONTROL_FRAGMENTED', { opcode });
    // The first two bytes are enough; the exact length would need two or eight more.
    if (header.lengthBytes === 0) return undefined;
    return violation('WSK_CONTROL_TOO_LONG', {
      length: MAX_CONTROL_BYTES + 1,
      limit: MAX_CONTROL_BYTES,
    });
  }
  // 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another
  // message unless an extension has been negotiated that can interpret the interleaving."
  if ((opcode === Opcode.continuation) === context.messageOpen) return undefined;
  return context.messageOpen
    ? violation('WSK_EXPECTED_CONTINUATION', { opcode })
    : violation('WSK_UNEXPECTED_CONTINUATION');
}

function inspectLength(header: FrameHeader): Violation | undefined {
  const { length, lengthBytes } = header;
  if (!header.lengthKnown || lengthBytes === 0) return undefined;
  // 5.2: "the most significant bit MUST be 0".
  if (header.overflow) return violation('WSK_LENGTH_OVERFLOW');
  // 5.2: "the minimal number of bytes MUST be used to encode the length".
  if (minimalLengthBytes(length) === lengthBytes) return undefined;
  return violation('WSK_LENGTH_NOT_MINIMAL', { length, lengthBytes });
}
