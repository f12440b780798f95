import { constants, deflateRawSync } from 'node:zlib';
import { DEFLATE } from './compression.ts';
// #if applications
import type { AnyMessage } from './messages.ts';
// #endif

/** A message that is encoded once, however many clients get it. */
export interface Frame {
  /** The type of the message, which is the first of its keys. */
  readonly type: string;
  /** The message as one frame of a server (RFC 6455 section 5.2). */
  readonly bytes: Buffer;
  /** Bytes of the payload, at the end of `bytes`. */
  readonly length: number;
  // #if collab
  /** Whether it is a binary message. */
  readonly isBinary?: boolean;
  // #endif
  /** The messages, when `bytes` holds several; `length` is that of the first. */
  readonly parts?: readonly Frame[];
  /** The message compressed on its own for a window of 2 ** `windowBits`: made once, for many clients. */
  readonly deflated?: ((windowBits: number) => Buffer) | undefined;
}

/** A whole text message. */
const TEXT = 0x81;
// #if collab
/** A whole binary message. */
const BINARY = 0x82;
// #endif
/** The same, compressed (RFC 7692 section 6). */
const DEFLATED_TEXT = 0xc1;

/** Makes the frame of a text message. */
export function frameOf(
  text: string,
  type = /^\{"type":"([\w-]+)"/.exec(text)?.[1] ?? 'other',
): Frame {
  const length = Buffer.byteLength(text);
  const bytes = withHead(TEXT, length);
  // ASCII is written faster.
  bytes.write(text, bytes.length - length, length === text.length ? 'latin1' : 'utf8');
  return { bytes, length, type };
}

// #if collab
/** Makes the frame of a binary message. */
export function binaryFrameOf(payload: Uint8Array, type: string): Frame {
  const { length } = payload;
  const bytes = withHead(BINARY, length);
  bytes.set(payload, bytes.length - length);
  return { bytes, length, type, isBinary: true };
}

// #endif
/** The payload of a single frame. */
export function payloadOf({ bytes, length }: Frame): Buffer {
  return bytes.subarray(bytes.length - length);
}

/** A frame for many clients. */
export function broadcastOf(text: string): Frame {
  const frame = frameOf(text);
  const made = new Map<number, Buffer>();
  const deflated = (windowBits: number): Buffer => {
    let bytes = made.get(windowBits);
    if (bytes === undefined) {
      bytes = deflate(payloadOf(frame), windowBits);
      made.set(windowBits, bytes);
    }
    return bytes;
  };
  return { ...frame, deflated };
}

/** One frame after the other, to be written at once. */
export function join(parts: readonly Frame[]): Frame | undefined {
  const [first] = parts;
  if (first === undefined || parts.length === 1) return first;
  // What is written at once is too small to be compressed.
  const bytes = Buffer.concat(parts.map((part) => part.bytes));
  return { ...first, bytes, parts, deflated: undefined };
}

function deflate(payload: Buffer, windowBits: number): Buffer {
  const options = { ...DEFLATE, windowBits, finishFlush: constants.Z_SYNC_FLUSH };
  // RFC 7692 section 7.2.1: without the last four octets of the empty block.
  const deflated = deflateRawSync(payload, options).subarray(0, -4);
  const bytes = withHead(DEFLATED_TEXT, deflated.length);
  deflated.copy(bytes, bytes.length - deflated.length);
  return bytes;
}

/** Space for a frame, with its head (RFC 6455 section 5.2). */
function withHead(first: number, length: number): Buffer {
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(headLength + length);
  bytes[0] = first;
  if (length < 126) bytes[1] = length;
  else if (length < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  return bytes;
}

// #if applications
/** The frame of a message. */
export function encode(message: AnyMessage): Frame {
  return frameOf(JSON.stringify(message), message.type);
}
// #endif
