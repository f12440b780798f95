import type { RequestId } from './json-rpc.ts';

interface Kept {
  readonly text: string;
  readonly request: RequestId | undefined;
}

const MAX_BYTES = 16 * 1024 * 1024;

/**
 * The messages of a session that the peer may not have received: they are counted on both sides,
 * and sent again when the session goes on over another connection.
 */
export class Outbox {
  /** Messages added so far. */
  sent = 0;
  readonly #kept: Kept[] = [];
  #size = 0;
  readonly #limit: number;

  constructor(limit = MAX_BYTES) {
    this.#limit = limit;
  }

  /** Characters that are kept. */
  get size(): number {
    return this.#size;
  }

  /** The first messages, which are not kept any more. */
  get given(): number {
    return this.sent - this.#kept.length;
  }

  /** Keeps a message; the oldest ones are given up where they are too many. */
  add(text: string, request?: RequestId): void {
    this.sent += 1;
    this.#kept.push({ text, request });
    this.#size += text.length;
    while (this.#size > this.#limit) this.#drop(1);
  }

  /** The peer has received the first `count` messages. */
  confirm(count: number): void {
    this.#drop(count - this.given);
  }

  /** The peer has answered a request: it has all up to that. */
  confirmRequest(id: RequestId): void {
    const at = this.#kept.findIndex(({ request }) => request === id);
    this.#drop(at + 1);
  }

  /** What a peer lacks that has received `count` messages; undefined if it is not all here. */
  after(count: number): string[] | undefined {
    const missing = this.since(count);
    if (missing !== undefined) this.confirm(count);
    return missing;
  }

  /** The same, without taking it that the peer will not lose what it has. */
  since(count: number): string[] | undefined {
    const { given } = this;
    if (count < given || count > this.sent) return undefined;
    return this.#kept.slice(count - given).map(({ text }) => text);
  }

  #drop(count: number): void {
    if (count <= 0) return;
    for (const { text } of this.#kept.splice(0, count)) this.#size -= text.length;
  }
}
