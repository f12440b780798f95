import { createHash } from 'node:crypto';

/** The fixed part of every accept value: RFC 6455 section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Bytes of the nonce a client sends: RFC 6455 section 4.1, item 7. */
const KEY_BYTES = 16;

/** Computes the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key. */
export function acceptKey(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** Makes a Sec-WebSocket-Key of 16 random bytes. Throws a RangeError for any other number. */
export function createKey(random16: Uint8Array): string {
  if (random16.length !== KEY_BYTES) {
    throw new RangeError(`nonce has ${random16.length} bytes, expected ${KEY_BYTES}`);
  }
  return Buffer.from(random16).toString('base64');
}
