import { CONNECTION_MASK, SEQUENCE_MASK, SLOT_BYTES } from './prepared-frames.ts';
import { createRandom } from '../random.ts';
import type { MessagePlan } from '../plan.ts';

/** Several windows of permessage-deflate: one window must not hold all payloads. */
const CORPUS_BYTES = 256 * 1024;

/** A payload, and where it was cut from. */
export interface Payload {
  readonly bytes: Buffer;
  readonly from: number;
}

/** The first character of the digits of a slot, six bits in each. */
const ZERO = 0x30;

/**
 * The payloads of the engine client: the slot of the fast engine's messages, unless they are a
 * sample or too small for it, then words, which permessage-deflate can compress.
 */
export class Payloads {
  /** Whether payloads begin with a slot; if not, replies are matched by their order. */
  readonly slotted: boolean;
  /** Payloads are cut from it; a sample is sent whole. */
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

  /** A new payload in memory of its own. */
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

  /** Whether `data`, its slot aside, is the payload that was cut at `from`. */
  matches(data: Buffer, from: number): boolean {
    const slot = this.slotted ? SLOT_BYTES : 0;
    const { length } = data;
    return this.#content.compare(data, slot, length, from + slot, from + length) === 0;
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
