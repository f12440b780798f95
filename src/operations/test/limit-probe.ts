import { randomBytes } from 'node:crypto';
import { Opcode, encodeFrame } from '../../protocol/index.ts';
import type { Channel } from '../../transport/index.ts';
import type { CheckContext } from './check.ts';
import { violationEnd } from './expect.ts';
import { SEARCH_BYTES } from './find-limit.ts';
import type { Answer } from './find-limit.ts';
import { isLargeMessage, largeMessage } from './large-message.ts';

/** Most fragments of a message. */
const MAX_FRAGMENTS = 512;

/** Time of a server that answers pings ahead of messages to close after all. */
const AFTER_PONG_MS = 60;

/** How messages are cut: in one frame, or in frames of at most so many bytes. */
export type Form = 'whole' | { readonly frameBytes: number };

/** Messages for one search. They share a connection for as long as they are taken. */
export class LimitProbe implements AsyncDisposable {
  readonly #context: CheckContext;
  readonly #form: Form;
  #channel: Channel | undefined;

  constructor(context: CheckContext, form: Form) {
    this.#context = context;
    this.#form = form;
  }

  readonly ask = async (bytes: number): Promise<Answer> => {
    this.#channel ??= await this.#context.dial();
    const channel = this.#channel;
    const waitMs = Math.min(this.#context.session.timeoutMs, this.#context.leftMs());
    const written = channel.writeRaw(this.#pieces(bytes), waitMs);
    const answer = await this.#answer(channel, bytes, { waitMs, written });
    if (answer !== 'taken') await this[Symbol.asyncDispose]();
    return answer;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    await channel?.[Symbol.asyncDispose]();
  }

  *#pieces(bytes: number): Generator<Buffer> {
    if (this.#form === 'whole') {
      yield* largeMessage(bytes);
      return;
    }
    const size = Math.max(1, Math.min(this.#form.frameBytes, Math.ceil(bytes / 2)));
    for (let sent = 0; sent < bytes; sent += size) {
      const payload = Buffer.alloc(Math.min(size, bytes - sent), '.');
      yield encodeFrame({
        opcode: sent === 0 ? Opcode.text : Opcode.continuation,
        fin: sent + payload.length === bytes,
        payload,
        maskingKey: randomBytes(4),
      });
    }
  }

  /** Waits for the echo or, of a server that does not echo, for two pongs one after the other. */
  async #answer(
    channel: Channel,
    bytes: number,
    { waitMs, written }: { readonly waitMs: number; readonly written: Promise<boolean> },
  ): Promise<Answer> {
    const { echoes } = this.#context.session.echo;
    let deadline = performance.now() + waitMs;
    let token = randomBytes(8);
    let pongs = 0;
    if (!echoes) void written.then(() => channel.sendPing(token));
    for (;;) {
      const event = await channel.next(Math.max(0, deadline - performance.now()));
      if (event === undefined) {
        if (channel.finished) return 'dropped';
        return pongs === 2 ? 'taken' : 'silent';
      }
      if (event.type === 'violation') throw violationEnd(event);
      if (event.type === 'close') {
        return event.code === 1006 ? 'dropped' : { code: event.code, reason: event.reason };
      }
      if (echoes && event.type === 'message' && this.#isEcho(event.data, bytes)) return 'taken';
      if (!echoes && event.type === 'pong' && event.data.equals(token)) {
        pongs += 1;
        token = randomBytes(8);
        if (pongs === 1) void channel.sendPing(token);
        else deadline = performance.now() + AFTER_PONG_MS;
      }
    }
  }

  #isEcho(data: Buffer, bytes: number): boolean {
    return this.#form === 'whole' ? isLargeMessage(data, bytes) : data.length === bytes;
  }
}

/** The largest message to send in frames of `frameBytes`: more fragments than that are refused as such. */
export function largestInFrames(frameBytes: number): number {
  return Math.min(SEARCH_BYTES, frameBytes * MAX_FRAGMENTS);
}
