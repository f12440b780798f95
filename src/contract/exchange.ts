import { Opcode, explainCloseCode } from '../protocol/index.ts';
import type { ConnectionEvent } from '../protocol/index.ts';
import type { Channel } from '../transport/index.ts';
import { RowFailure } from './terms.ts';
import { show } from './shape.ts';

/** What the messages of a protocol are. */
export interface Form {
  readonly what: string;
  readonly fits: (value: unknown) => boolean;
}

/** One connection whose messages are JSON. Those that nobody has asked for yet are kept in their order. */
export class Exchange<M> {
  readonly channel: Channel;
  protected readonly unread: M[] = [];
  readonly #leftMs: () => number;
  readonly #form: Form;

  constructor(channel: Channel, leftMs: () => number, form: Form) {
    this.channel = channel;
    this.#leftMs = leftMs;
    this.#form = form;
  }

  /** Whether the connection has ended, or is about to. */
  get isOver(): boolean {
    return this.channel.connection.state !== 'open';
  }

  /** Sends a value as JSON, a text as it is. */
  send(message: unknown): void {
    void this.channel.sendText(typeof message === 'string' ? message : JSON.stringify(message));
  }

  /** The first message that matches, taken out of those received. */
  async take(what: string, match: (message: M) => boolean): Promise<M> {
    const known = this.unread.findIndex(match);
    const [message] = known >= 0 ? this.unread.splice(known, 1) : [];
    if (message !== undefined) return message;
    for (;;) {
      const event = await this.next(what);
      if (event.type === 'close') throw new RowFailure(`${describeClose(event)}, expected ${what}`);
      if (event.type !== 'message') continue;
      const received = this.read(event);
      if (match(received)) return received;
      this.unread.push(received);
    }
  }

  /** Waits for the end of the connection. Returns the code and the messages that came before. */
  async ended(): Promise<{ code: number; before: readonly M[] }> {
    for (;;) {
      const event = await this.next('the end of the connection');
      if (event.type === 'message') this.unread.push(this.read(event));
      if (event.type === 'close') return { code: event.code, before: this.unread.splice(0) };
    }
  }

  /** What comes within a time, before the end of the connection, and until it is enough. */
  async gather(
    waitMs: number,
    isEnough: (messages: readonly M[]) => boolean = () => false,
  ): Promise<readonly M[]> {
    const deadline = performance.now() + Math.min(waitMs, this.#leftMs());
    while (!isEnough(this.unread)) {
      const event = await this.channel.next(Math.max(0, deadline - performance.now()));
      if (event === undefined || event.type === 'close' || event.type === 'violation') break;
      if (event.type === 'message') this.unread.push(this.read(event));
    }
    return this.unread.splice(0);
  }

  /** The server has to close the connection with one of the codes. */
  async closed(...codes: readonly number[]): Promise<readonly M[]> {
    const { code, before } = await this.ended();
    if (codes.includes(code)) return before;
    const last = before.at(-1);
    const after = last === undefined ? '' : ` after ${show(last)}`;
    throw new RowFailure(`closed with ${code}${after}, expected ${codes.join(' or ')}`);
  }

  /** The next message, end or `control` frame; control frames do not make a wait longer. */
  protected async next(what: string, control?: 'ping' | 'pong'): Promise<ConnectionEvent> {
    const leftMs = this.#leftMs();
    const deadline = performance.now() + leftMs;
    for (;;) {
      const event = await this.channel.next(Math.max(0, deadline - performance.now()));
      if (event === undefined) {
        const last = this.unread.at(-1);
        const instead = last === undefined ? '' : `; the last message was ${show(last)}`;
        throw new RowFailure(`nothing within ${Math.ceil(leftMs)} ms, expected ${what}${instead}`);
      }
      if (event.type === 'violation') {
        const { rfc, message } = event.violation;
        throw new RowFailure(`the server broke RFC ${rfc}: ${message}`);
      }
      if (event.type === 'message' || event.type === 'close' || event.type === control)
        return event;
    }
  }

  /** The value of a message. */
  protected read({ opcode, data }: Extract<ConnectionEvent, { type: 'message' }>): M {
    if (opcode !== Opcode.text) throw new RowFailure('got a binary message, expected text');
    const text = data.toString();
    try {
      const value: unknown = JSON.parse(text);
      if (this.#form.fits(value)) return value as M;
    } catch {
      // Not JSON: as below.
    }
    throw new RowFailure(`got ${show(text)}, expected ${this.#form.what}`);
  }
}

export function describeClose(event: Extract<ConnectionEvent, { type: 'close' }>): string {
  if (event.code === 1006) return 'the server dropped the connection';
  const why = event.reason === '' ? explainCloseCode(event.code) : event.reason;
  return `the server closed with ${event.code} (${why})`;
}
