import { HeadDecoder } from '../protocol/index.ts';
import type { RequestHead, ResponseHead, Violation } from '../protocol/index.ts';
import type { Wire } from './wire.ts';

interface HeadOf {
  readonly request: RequestHead;
  readonly response: ResponseHead;
}

/** The head and its bytes, or why none came and the bytes that came in its place. */
export type HeadResult<Kind extends keyof HeadOf> = { readonly received: Buffer } & (
  | { readonly head: HeadOf[Kind] }
  | { readonly failed: 'timeout' | 'closed' | 'violation'; readonly violation?: Violation }
);

/** A result without a head. */
export type NoHead = Exclude<HeadResult<'request' | 'response'>, { head: unknown }>;

/** Reads the head of a request or response; what follows it stays on the wire. */
export async function readHead<Kind extends keyof HeadOf>(
  wire: Wire,
  kind: Kind,
  timeoutMs: number,
): Promise<HeadResult<Kind>> {
  const decoder = new HeadDecoder<Kind>(kind);
  const deadline = performance.now() + timeoutMs;
  // The decoder's limit on the size of a head bounds this, too.
  const pieces: Buffer[] = [];
  for (;;) {
    const bytes = await wire.read(Math.max(0, deadline - performance.now()));
    if (bytes === 'timeout') return { failed: 'timeout', received: Buffer.concat(pieces) };
    if (bytes === 'eof') return { failed: 'closed', received: Buffer.concat(pieces) };
    pieces.push(bytes);
    decoder.receive(bytes);
    const { violation } = decoder;
    if (violation !== undefined) {
      return { failed: 'violation', received: Buffer.concat(pieces), violation };
    }
    const head = decoder.head();
    if (head === undefined) continue;
    const received = Buffer.concat(pieces);
    const rest = decoder.rest();
    wire.unread(rest);
    return { head, received: received.subarray(0, received.length - rest.length) };
  }
}
