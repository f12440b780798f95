import { HeadDecoder } from '../../protocol/index.ts';
import type { ResponseHead } from '../../protocol/index.ts';
import { quoteBytes } from '../../transport/index.ts';
import type { Wire } from '../../transport/index.ts';

/** The answer to a request: a head, or what came in its place. */
export type Answer = { readonly text: string } & (
  | { readonly head: ResponseHead }
  | { readonly head: undefined; readonly is: 'hung-up' | 'unanswered' }
  | { readonly head: undefined; readonly is: 'not-http'; readonly what: string }
);

/** Octets of an answer that are kept for the report. */
const KEPT_CHARACTERS = 16 * 1024;

/** Reads the head of a response; what follows it stays on the wire. */
export async function readAnswer(wire: Wire, timeoutMs: number): Promise<Answer> {
  const decoder = new HeadDecoder('response');
  const deadline = performance.now() + timeoutMs;
  let text = '';
  for (;;) {
    const bytes = await wire.read(Math.max(0, deadline - performance.now()));
    if (bytes === 'eof') return { text, head: undefined, is: 'hung-up' };
    if (bytes === 'timeout') return { text, head: undefined, is: 'unanswered' };
    if (text.length < KEPT_CHARACTERS) text += bytes.toString('latin1');
    decoder.receive(bytes);
    if (decoder.violation !== undefined) {
      return {
        text,
        head: undefined,
        is: 'not-http',
        what: quoteBytes(Buffer.from(text, 'latin1')),
      };
    }
    const head = decoder.head();
    if (head === undefined) continue;
    const rest = decoder.rest();
    wire.unread(rest);
    return { text: text.slice(0, text.length - rest.length), head };
  }
}
