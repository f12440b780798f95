/** How to fix one class of faults. */
export interface Advice {
  readonly title: string;
  /** One or two sentences for the developer of the peer. */
  readonly fix: string;
}

function advice(title: string, fix: string): Advice {
  return { title, fix };
}

/** Advice for rules that the peer's own frames break, by code of the violation. */
export const VIOLATION_ADVICE: Readonly<Partial<Record<string, Advice>>> = {
  WSK_RESERVED_BITS: advice(
    'The peer sets reserved bits',
    'Leave RSV1-3 at 0, except RSV1 on the first frame of a message once permessage-deflate is agreed on.',
  ),
  WSK_RESERVED_OPCODE: advice(
    'The peer sends a reserved opcode',
    'Write opcode 0, 1, 2, 8, 9 or 10 only; look for a header that is written in the middle of a payload.',
  ),
  WSK_UNMASKED_FRAME: advice(
    'The client does not mask its frames',
    'Set the mask bit and combine the payload with a fresh random key, also in empty and control frames.',
  ),
  WSK_MASKED_FRAME: advice(
    'The server masks its frames',
    'Leave the mask bit at 0 in every frame that a server sends; only clients mask.',
  ),
  WSK_LENGTH_NOT_MINIMAL: advice(
    'The peer writes lengths in a longer form than needed',
    'Use 7 bits up to 125 bytes, 16 bits up to 65535 and 64 bits only above.',
  ),
  WSK_LENGTH_OVERFLOW: advice(
    'The peer announces an impossible length',
    'The top bit of a 64-bit length is always 0; look for a signed or a truncated number.',
  ),
  WSK_CONTROL_FRAGMENTED: advice(
    'The peer fragments a control frame',
    'Send Close, Ping and Pong in one frame with FIN set.',
  ),
  WSK_CONTROL_TOO_LONG: advice(
    'The peer sends a control frame that is too long',
    'Cut the payload of Ping and Pong, and the reason of Close, so that 125 bytes are not exceeded.',
  ),
  WSK_CONTROL_COMPRESSED: advice(
    'The peer compresses a control frame',
    'Compress messages only and leave RSV1 at 0 on Close, Ping and Pong.',
  ),
  WSK_CONTINUATION_COMPRESSED: advice(
    'The peer sets RSV1 on a continuation frame',
    'Set RSV1 on the first frame of a compressed message only.',
  ),
  WSK_UNEXPECTED_CONTINUATION: advice(
    'The peer continues a message that it did not begin',
    'Begin every message with a text or binary frame and count on FIN to end it.',
  ),
  WSK_EXPECTED_CONTINUATION: advice(
    'The peer begins a message inside another one',
    'Send the frames of a message one after the other; let writers queue whole messages.',
  ),
  WSK_INVALID_UTF8: advice(
    'The peer sends text that is not UTF-8',
    'Encode text as UTF-8, or send the bytes in a binary message; cut messages between frames only, not characters between messages.',
  ),
  WSK_CLOSE_PAYLOAD: advice(
    'The peer sends a close code of one byte',
    'Send no payload, or the 2 bytes of a code and then the reason.',
  ),
  WSK_CLOSE_CODE: advice(
    'The peer sends a close code that must not be sent',
    'Answer with the code that was received or with 1000; 1005, 1006 and 1015 are for reports only.',
  ),
  WSK_INVALID_DEFLATE: advice(
    'The peer sends data that cannot be inflated',
    'Keep one compressor for each connection, flush it after every message, cut off 00 00 ff ff, and keep to the window that was agreed on.',
  ),
};
