import { acceptKey, createKey, createRequest, fieldValue } from '../../protocol/index.ts';
import type { NegotiatedDeflate, RequestHead, RequestInit } from '../../protocol/index.ts';
import { takeRandom } from '../random.ts';

/** A response that was verified, without the value of its Sec-WebSocket-Accept. */
interface KnownResponse {
  readonly before: string;
  readonly after: string;
  readonly length: number;
  readonly deflate: NegotiatedDeflate | undefined;
}

/**
 * An opening handshake that many connections make: each has its own key (RFC 6455 section 4.1, item
 * 7), and the rest is built once. A response to one of them that was verified need not be parsed
 * again: the rules look at the request and the response only, so that the same octets with the right
 * Sec-WebSocket-Accept have the same verdict.
 */
export class OpeningRequest {
  readonly #head: RequestHead;
  /** The request before and after the key; all of it where the caller's own headers have a key. */
  readonly #before: string;
  readonly #after: string | undefined;
  /** The key in `#head`. */
  readonly #key: string;
  #known: KnownResponse | undefined;

  /** Throws a TypeError as `createRequest` does. */
  constructor(init: Omit<RequestInit, 'key'>) {
    this.#key = createKey(takeRandom(16));
    const { bytes, head } = createRequest({ ...init, key: this.#key });
    this.#head = head;
    const [before = '', after] = bytes.toString('latin1').split(this.#key);
    this.#before = before;
    this.#after = after;
  }

  /** A new key, or the one that the caller's own headers have. */
  createKey(): string {
    if (this.#after !== undefined) return createKey(takeRandom(16));
    return fieldValue(this.#head, 'sec-websocket-key') ?? '';
  }

  /** The request with `key`, in Latin-1. */
  text(key: string): string {
    return this.#after === undefined ? this.#before : this.#before + key + this.#after;
  }

  /** The same, as the rules read it. */
  head(key: string): RequestHead {
    const fields = this.#head.fields.map(({ name, value }) => ({
      name,
      value: value === this.#key ? key : value,
    }));
    return { ...this.#head, fields };
  }

  /** What was agreed on when the response was verified that `recognize` knows. */
  get deflate(): NegotiatedDeflate | undefined {
    return this.#known?.deflate;
  }

  /** Length of the head that the first `count` of `bytes` begin with, if it is known; else 0. */
  recognize(bytes: Buffer, count: number, key: string): number {
    const known = this.#known;
    if (known === undefined || count < known.length) return 0;
    const text = bytes.toString('latin1', 0, known.length);
    return text === known.before + acceptKey(key) + known.after ? known.length : 0;
  }

  /**
   * Notes a head that was verified as the answer to `key`, in place of the one before: a field such
   * as Date may change now and then.
   */
  learn(head: Buffer, key: string, deflate: NegotiatedDeflate | undefined): void {
    const [before, after, ...more] = head.toString('latin1').split(acceptKey(key));
    if (before === undefined || after === undefined || more.length > 0) return;
    this.#known = { before, after, length: head.length, deflate };
  }
}
