/** Data of handshake violations: what a peer sent and what was expected. */
export interface SeenExpected {
  readonly seen: string;
  readonly expected: string;
}

interface SizeLimit {
  readonly length: number;
  readonly limit: number;
}

interface Row {
  /** The code of the Close frame that answers it; 1006 when no frame can be sent yet. */
  readonly closeCode: number;
  /** The violated section, as `6455#5.2`. */
  readonly rfc: string;
  readonly text: (data: never) => string;
}

const handshakeText = (d: SeenExpected): string => `${d.seen}, expected ${d.expected}`;

/** A row of the opening handshake: there is no connection yet, hence no Close frame. */
function handshake<const Rfc extends string>(rfc: Rfc) {
  return { closeCode: 1006, rfc, text: handshakeText } as const;
}

/**
 * Every way a peer can break RFC 6455 and RFC 7692, or the limits RFC 6455 section 10.4 asks for.
 *
 * The key is the stable code; a code fixes the type of its data.
 */
export const VIOLATIONS = {
  WSK_RESERVED_BITS: {
    closeCode: 1002,
    rfc: '6455#5.2',
    text: (d: { bits: number }) =>
      `reserved bits ${d.bits.toString(2).padStart(3, '0')} are set, but no extension defines them`,
  },
  WSK_RESERVED_OPCODE: {
    closeCode: 1002,
    rfc: '6455#5.2',
    text: (d: { opcode: number }) => `opcode ${d.opcode} is reserved`,
  },
  WSK_UNMASKED_FRAME: {
    closeCode: 1002,
    rfc: '6455#5.1',
    text: (d: { opcode: number }) => `frame from the client (opcode ${d.opcode}) is not masked`,
  },
  WSK_MASKED_FRAME: {
    closeCode: 1002,
    rfc: '6455#5.1',
    text: (d: { opcode: number }) => `frame from the server (opcode ${d.opcode}) is masked`,
  },
  WSK_LENGTH_NOT_MINIMAL: {
    closeCode: 1002,
    rfc: '6455#5.2',
    text: (d: { length: number; lengthBytes: number }) =>
      `payload length ${d.length} is written in ${d.lengthBytes} bytes, but fits a shorter form`,
  },
  WSK_LENGTH_OVERFLOW: {
    closeCode: 1002,
    rfc: '6455#5.2',
    text: () => 'most significant bit of the 64-bit payload length is set',
  },
  WSK_CONTROL_FRAGMENTED: {
    closeCode: 1002,
    rfc: '6455#5.5',
    text: (d: { opcode: number }) => `control frame (opcode ${d.opcode}) is fragmented`,
  },
  WSK_CONTROL_TOO_LONG: {
    closeCode: 1002,
    rfc: '6455#5.5',
    text: (d: SizeLimit) => `control frame has ${d.length} bytes or more, limit is ${d.limit}`,
  },
  WSK_CONTROL_COMPRESSED: {
    closeCode: 1002,
    rfc: '7692#6.1',
    text: (d: { opcode: number }) =>
      `control frame (opcode ${d.opcode}) has the compression bit set`,
  },
  WSK_CONTINUATION_COMPRESSED: {
    closeCode: 1002,
    rfc: '7692#6.1',
    text: () => 'continuation frame has the compression bit set',
  },
  WSK_UNEXPECTED_CONTINUATION: {
    closeCode: 1002,
    rfc: '6455#5.4',
    text: () => 'continuation frame without a message to continue',
  },
  WSK_EXPECTED_CONTINUATION: {
    closeCode: 1002,
    rfc: '6455#5.4',
    text: (d: { opcode: number }) => `data frame (opcode ${d.opcode}) inside an unfinished message`,
  },
  WSK_INVALID_UTF8: {
    closeCode: 1007,
    rfc: '6455#8.1',
    text: (d: { where: 'text' | 'close reason' }) => `${d.where} is not valid UTF-8`,
  },
  WSK_CLOSE_PAYLOAD: {
    closeCode: 1002,
    rfc: '6455#5.5.1',
    text: () => 'close frame has 1 byte of payload, expected none or at least the 2 of a code',
  },
  WSK_CLOSE_CODE: {
    closeCode: 1002,
    rfc: '6455#7.4',
    text: (d: { code: number }) => `close code ${d.code} may not be sent`,
  },
  WSK_INVALID_DEFLATE: {
    closeCode: 1007,
    rfc: '7692#7.2.2',
    text: (d: { reason: string }) => `compressed message cannot be inflated: ${d.reason}`,
  },
  WSK_MESSAGE_TOO_BIG: {
    closeCode: 1009,
    rfc: '6455#10.4',
    text: (d: SizeLimit) => `message has ${d.length} bytes or more, limit is ${d.limit}`,
  },
  WSK_FRAME_TOO_BIG: {
    closeCode: 1009,
    rfc: '6455#10.4',
    text: (d: SizeLimit) => `frame announces ${d.length} bytes, limit is ${d.limit}`,
  },
  WSK_TOO_MANY_FRAGMENTS: {
    closeCode: 1008,
    rfc: '6455#10.4',
    text: (d: { limit: number }) => `message has more than ${d.limit} fragments`,
  },
  WSK_QUEUE_TOO_BIG: {
    closeCode: 1008,
    rfc: '6455#10.4',
    text: (d: SizeLimit) => `unread events hold ${d.length} bytes, limit is ${d.limit}`,
  },
  WSK_NOT_HTTP: handshake('6455#4.1'),
  WSK_HEAD_TOO_BIG: handshake('6455#10.4'),
  WSK_TOO_MANY_HEADERS: handshake('6455#10.4'),
  WSK_HEAD_SYNTAX: handshake('6455#4.1'),
  WSK_REQUEST_METHOD: handshake('6455#4.1'),
  WSK_HTTP_VERSION: handshake('6455#4.1'),
  WSK_REQUEST_TARGET: handshake('6455#4.1'),
  WSK_HOST: handshake('6455#4.1'),
  WSK_UPGRADE: handshake('6455#4.1'),
  WSK_CONNECTION: handshake('6455#4.1'),
  WSK_KEY: handshake('6455#4.1'),
  WSK_ORIGIN: handshake('6455#4.1'),
  WSK_VERSION: handshake('6455#4.1'),
  WSK_SUBPROTOCOL: handshake('6455#4.1'),
  WSK_EXTENSIONS: handshake('6455#9.1'),
  WSK_DEFLATE_PARAMETERS: handshake('7692#7.1'),
  WSK_RESPONSE_STATUS: handshake('6455#4.1'),
  WSK_ACCEPT: handshake('6455#4.1'),
} as const satisfies Record<string, Row>;

export type ViolationCode = keyof typeof VIOLATIONS;

/** The data that the message of a violation of code `C` needs. */
export type ViolationData<C extends ViolationCode> =
  Parameters<(typeof VIOLATIONS)[C]['text']> extends [infer Data] ? Data : undefined;

/** A violation of an RFC, or of a limit, by the peer. */
export interface Violation {
  readonly code: ViolationCode;
  readonly closeCode: number;
  readonly rfc: string;
  readonly message: string;
  readonly data: unknown;
}

/**
 * Creates a violation from its catalogue row.
 *
 * `rfc` overrides the section of the row, for a code that several rules share.
 */
export function violation<C extends ViolationCode>(
  code: C,
  ...[data, rfc]: ViolationData<C> extends undefined
    ? [data?: undefined, rfc?: string]
    : [data: ViolationData<C>, rfc?: string]
): Violation {
  const row: Row = VIOLATIONS[code];
  return {
    code,
    closeCode: row.closeCode,
    rfc: rfc ?? row.rfc,
    message: row.text(data as never),
    data,
  };
}

/** A violation as an exception, for callers; nothing in this folder throws it. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly violation: Violation;

  constructor(breach: Violation) {
    super(`${breach.message} (${breach.code}, RFC ${breach.rfc})`);
    this.violation = breach;
  }
}
