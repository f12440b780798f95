import { randomBytes } from 'node:crypto';
import type { ChatMessage, Position } from './messages.ts';

interface Entry {
  readonly message: ChatMessage;
  readonly bytes: number;
}

/** What a client gets on joining: the current position and the messages it has missed. */
export interface Recovery {
  readonly position: Position;
  /** True: `messages` closes the gap since the client's position. */
  readonly recovered: boolean;
  readonly messages: readonly ChatMessage[];
}

/**
 * The last messages of one room. Offsets count up by one within an epoch; the epoch is random, so
 * a position from before a restart is never taken for a current one.
 */
export class History {
  readonly #epoch = randomBytes(8).toString('hex');
  readonly #maxMessages: number;
  readonly #maxBytes: number;
  readonly #entries: Entry[] = [];
  #bytes = 0;
  #offset = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  /** The offset of the message to be appended next. */
  get nextOffset(): number {
    return this.#offset + 1;
  }

  /** Keeps `message`, whose offset is `nextOffset`, and drops the oldest beyond the limits. */
  append(message: ChatMessage, bytes: number): void {
    this.#offset = message.offset;
    this.#entries.push({ message, bytes });
    this.#bytes += bytes;
    while (this.#entries.length > this.#maxMessages || this.#bytes > this.#maxBytes) {
      this.#bytes -= this.#entries.shift()?.bytes ?? 0;
    }
  }

  /** The messages after `since`, or all that are kept if `since` is unknown or too old. */
  recover(since: Position | undefined): Recovery {
    const position = { offset: this.#offset, epoch: this.#epoch };
    const oldest = this.#offset - this.#entries.length;
    const recovered =
      since?.epoch === this.#epoch && since.offset >= oldest && since.offset <= this.#offset;
    const skipped = recovered ? since.offset - oldest : 0;
    const messages = this.#entries.slice(skipped).map((entry) => entry.message);
    return { position, recovered, messages };
  }
}
