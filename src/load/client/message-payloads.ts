import {
  CONNECTION_MASK,
  SEQUENCE_MASK,
  SLOT_BYTES,
  slotConnection,
  slotSequence,
} from '../engine/frame-strip.ts';
import { createRandom } from '../engine/random.ts';
import type { MessagePlan } from '../plan.ts';

/** The first character of the digits of a slot, six bits in each. */
const ZERO = 0x30;

/**
 * The payloads of the full client. They begin with the slot of the fast engine's messages, eight
 * characters that tell them apart, unless they are a sample or too small for it.
 *
 * What follows is words, so that permessage-deflate has something to do: it makes about a third
 * of it. A sample file shows what it makes of other content.
 */
export class MessagePayloads {
  /** Whether payloads begin with a slot; if not, replies are matched by their order. */
  readonly slotted: boolean;
  readonly #content: Buffer;
  readonly #plan: MessagePlan;
  readonly #random: () => number;

  constructor(plan: MessagePlan, seed: number) {
    this.#plan = plan;
    this.#random = createRandom(seed);
    const { size } = plan;
    const least = size.kind === 'fixed' ? size.bytes : size.kind === 'uniform' ? size.min : 0;
    this.slotted = least >= SLOT_BYTES;
    this.#content =
      size.kind === 'sample'
        ? Buffer.from(size.base64, 'base64')
        : words(size.kind === 'fixed' ? size.bytes : size.max, this.#random);
  }

  /** A payload of its own, which nobody writes to again. */
  next(connection: number, sequence: number): Buffer {
    const payload = Buffer.from(this.#content.subarray(0, this.#nextSize()));
    if (!this.slotted) return payload;
    writeDigits(payload, 0, 3, connection & CONNECTION_MASK);
    writeDigits(payload, 3, 5, sequence & SEQUENCE_MASK);
    return payload;
  }

  /** Of a payload of eight bytes or more; null when it begins with none. */
  slotOf(data: Buffer): { connection: number; sequence: number } | null {
    const connection = slotConnection(data, 0);
    const sequence = slotSequence(data, 0);
    return connection < 0 || sequence < 0 ? null : { connection, sequence };
  }

  /** What is wrong with the reply to a message of `length` bytes; null for nothing. */
  flaw(reply: {
    opcode: number;
    data: Buffer;
    length: number;
  }): { detail: string; text: string } | null {
    const { opcode, data, length } = reply;
    if (data.length !== length) {
      return { detail: 'length', text: `sent ${length} bytes, got ${data.length} back` };
    }
    const from = this.slotted ? SLOT_BYTES : 0;
    if (this.#content.compare(data, from, length, from, length) !== 0) {
      return { detail: 'payload', text: `sent ${length} bytes, got as many others back` };
    }
    if (opcode === this.#plan.opcode) return null;
    const text = `sent opcode ${this.#plan.opcode}, got opcode ${opcode} back`;
    return { detail: 'opcode', text };
  }

  #nextSize(): number {
    const { size } = this.#plan;
    if (size.kind !== 'uniform') return this.#content.length;
    return size.min + Math.floor(this.#random() * (size.max - size.min + 1));
  }
}

function writeDigits(bytes: Buffer, at: number, digits: number, value: number): void {
  for (let i = 0; i < digits; i++) {
    bytes[at + i] = ZERO + ((value >> (6 * (digits - 1 - i))) & 63);
  }
}

const WORDS = 'the room is open to all who want to talk about music games news and work'.split(' ');

function words(bytes: number, random: () => number): Buffer {
  let text = '';
  while (text.length < bytes) {
    text += `${WORDS[Math.floor(random() * WORDS.length)] ?? ''} ${Math.floor(random() * 1000)} `;
  }
  return Buffer.from(text.slice(0, bytes));
}
