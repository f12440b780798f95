import { isUtf8 } from 'node:buffer';
import { CloseCode, isSendableCloseCode } from './close-code.ts';
import { MAX_CONTROL_BYTES } from './opcode.ts';
import { violation } from '../violations.ts';
import type { Violation } from '../violations.ts';

/** The content of a Close frame; code 1005 for an empty one (RFC 6455 section 7.1.5). */
export interface CloseStatus {
  readonly code: number;
  readonly reason: string;
}

/** The longest reason in bytes of UTF-8, not in characters: a control frame less its code. */
export const MAX_REASON_BYTES = MAX_CONTROL_BYTES - 2;

/**
 * Encodes the payload of a Close frame: empty without a code.
 *
 * Throws a RangeError for a code that may not be sent, or a reason of more than 123 bytes.
 */
export function encodeClose(code?: number, reason = ''): Buffer {
  if (code === undefined) {
    if (reason !== '') throw new RangeError('a close reason needs a close code');
    return Buffer.alloc(0);
  }
  if (!isSendableCloseCode(code)) {
    throw new RangeError(
      `close code ${code} may not be sent, expected 1000 to 1003, 1007 to 1014 or 3000 to 4999`,
    );
  }
  const length = Buffer.byteLength(reason);
  if (length > MAX_REASON_BYTES) {
    throw new RangeError(`close reason has ${length} bytes, limit is ${MAX_REASON_BYTES}`);
  }
  const payload = Buffer.allocUnsafe(2 + length);
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return payload;
}

/** Decodes and checks the payload of a Close frame from the peer. */
export function decodeClose(payload: Buffer): CloseStatus | { readonly violation: Violation } {
  // 5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer".
  if (payload.length === 0) return { code: CloseCode.noStatus, reason: '' };
  if (payload.length === 1) return { violation: violation('WSK_CLOSE_PAYLOAD') };
  const code = payload.readUInt16BE(0);
  if (!isSendableCloseCode(code)) return { violation: violation('WSK_CLOSE_CODE', { code }) };
  const reason = payload.subarray(2);
  // 8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream
  // is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_."
  if (!isUtf8(reason))
    return { violation: violation('WSK_INVALID_UTF8', { where: 'close reason' }) };
  return { code, reason: reason.toString('utf8') };
}
