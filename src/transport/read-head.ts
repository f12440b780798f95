import { HeadDecoder } from '../protocol/index.ts';
import type { RequestHead, ResponseHead, Violation } from '../protocol/index.ts';
import type { Wire } from './wire.ts';

interface HeadOf {
  readonly request: RequestHead;
  readonly response: ResponseHead;
}

/** The head that came, or why none did with the bytes that came in its place. */
export type HeadResult<Kind extends keyof HeadOf> =
  | { readonly head: HeadOf[Kind] }
  | {
      readonly failed: 'timeout' | 'closed' | 'violation';
      readonly received: Buffer;
      readonly violation?: Violation;
    };

/** How much of an answer that is no head is kept for the error message. */
const KEPT_BYTES = 512;

/** Reads the head of a request or response; what follows it stays on the wire. */
export async function readHead<Kind extends keyof HeadOf>(
  wire: Wire,
  kind: Kind,
  timeoutMs: number,
): Promise<HeadResult<Kind>> {
  const decoder = new HeadDecoder<Kind>(kind);
  const deadline = performance.now() + timeoutMs;
  let received: Buffer = Buffer.alloc(0);
  for (;;) {
    const bytes = await wire.read(Math.max(0, deadline - performance.now()));
    if (bytes === 'timeout') return { failed: 'timeout', received };
    if (bytes === 'eof') return { failed: 'closed', received };
    if (received.length < KEPT_BYTES)
      received = Buffer.concat([received, bytes.subarray(0, KEPT_BYTES)]);
    decoder.receive(bytes);
    const { violation } = decoder;
    if (violation !== undefined) return { failed: 'violation', received, violation };
    const head = decoder.head();
    if (head === undefined) continue;
    wire.unread(decoder.rest());
    return { head };
  }
}
