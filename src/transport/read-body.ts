import { fieldValue } from '../protocol/index.ts';
import type { ResponseHead } from '../protocol/index.ts';
import type { Wire } from './wire.ts';

/** The longest part of a body that is read. */
const BODY_BYTES = 2048;

/** Time limit for a body of unknown length. */
const BODY_TIMEOUT_MS = 500;

const LAST_CHUNK = /(?:^|\r\n)0\r\n/;

/** Reads the start of an error's body for the message: 2 KiB, or what comes in half a second. */
export async function readBody(wire: Wire, head: ResponseHead): Promise<Buffer> {
  const deadline = performance.now() + BODY_TIMEOUT_MS;
  const announced = Number(fieldValue(head, 'content-length') ?? Infinity);
  let raw: Buffer = Buffer.alloc(0);
  while (raw.length < Math.min(BODY_BYTES, announced)) {
    const bytes = await wire.read(Math.max(0, deadline - performance.now()));
    if (typeof bytes === 'string') break;
    raw = Buffer.concat([raw, bytes]);
    if (endsChunks(head, raw)) break;
  }
  return bodyOf(head, raw.subarray(0, BODY_BYTES));
}

/** The content of a body that may come in chunks. */
export function bodyOf(head: ResponseHead, raw: Buffer): Buffer {
  return isChunked(head) ? joinChunks(raw) : raw;
}

/** Whether the last chunk of a body in chunks has come. */
export function endsChunks(head: ResponseHead, raw: Buffer): boolean {
  return isChunked(head) && LAST_CHUNK.test(raw.toString('latin1'));
}

function isChunked(head: ResponseHead): boolean {
  return /\bchunked\b/i.test(fieldValue(head, 'transfer-encoding') ?? '');
}

/** Removes the chunk sizes (RFC 9112 section 7.1); the last chunk may be incomplete. */
function joinChunks(bytes: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const size = lineEnd < 0 ? 0 : Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (!(size > 0)) break;
    chunks.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(chunks);
}
