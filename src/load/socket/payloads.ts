import {
  CONNECTION_MASK,
  SEQUENCE_MASK,
  SLOT_BYTES,
  slotConnection,
  slotSequence,
} from './prepared-frames.ts';
import { createRandom } from '../random.ts';
import type { MessagePlan } from '../plan.ts';

/** Several windows of permessage-deflate, so that the window does not hold all of what is sent. */
const CORPUS_BYTES = 256 * 1024;

/** A payload, and where it was cut from. */
export interface Payload {
  readonly bytes: Buffer;
  readonly from: number;
}

/** The first character of the digits of a slot, six bits in each. */
const ZERO = 0x30;

/**
 * The payloads of the full client. They begin with the slot of the fast engine's messages, eight
 * characters that tell them apart, unless they are a sample or too small for it.
 *
 * What follows is words, so that permessage-deflate has something to do. A sample file shows what it makes of other content.
 */
export class Payloads {
  /** Whether payloads begin with a slot; if not, replies are matched by their order. */
  readonly slotted: boolean;
  /** What payloads are cut from; all of it when it is a sample. */
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
        : words(CORPUS_BYTES + (size.kind === 'fixed' ? size.bytes : size.max), this.#random);
  }

  /** A payload of its own, which nobody writes to again. */
  next(connection: number, sequence: number): Payload {
    const length = this.#nextSize();
    const room = this.#content.length - length;
    const from = room === 0 ? 0 : Math.floor(this.#random() * room);
    const bytes = Buffer.from(this.#content.subarray(from, from + length));
    if (this.slotted) {
      writeDigits(bytes, 0, 3, connection & CONNECTION_MASK);
      writeDigits(bytes, 3, 5, sequence & SEQUENCE_MASK);
    }
    return { bytes, from };
  }

  /** Of a payload of eight bytes or more; null when it begins with none. */
  slotOf(data: Buffer): { connection: number; sequence: number } | null {
    const connection = slotConnection(data, 0);
    const sequence = slotSequence(data, 0);
    return connection < 0 || sequence < 0 ? null : { connection, sequence };
  }

  /** What is wrong with the reply to a payload of `length` bytes cut at `from`; null for nothing. */
  flaw(
    { from, length }: { readonly from: number; readonly length: number },
    { opcode, data }: { readonly opcode: number; readonly data: Buffer },
  ): { detail: string; text: string } | null {
    if (data.length !== length) {
      return { detail: 'length', text: `sent ${length} bytes, got ${data.length} back` };
    }
    const slot = this.slotted ? SLOT_BYTES : 0;
    if (this.#content.compare(data, slot, length, from + slot, from + length) !== 0) {
      return { detail: 'payload', text: `sent ${length} bytes, got as many others back` };
    }
    if (opcode === this.#plan.opcode) return null;
    const text = `sent opcode ${this.#plan.opcode}, got opcode ${opcode} back`;
    return { detail: 'opcode', text };
  }

  #nextSize(): number {
    const { size } = this.#plan;
    if (size.kind === 'sample') return this.#content.length;
    if (size.kind === 'fixed') return size.bytes;
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
