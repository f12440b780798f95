import { Deflater, directionOf, encodeFrame } from '../../src/protocol/index.ts';
import type { NegotiatedDeflate, Role } from '../../src/protocol/index.ts';
import type { Random } from './random.ts';

/** How a generated session is set up. */
export interface SessionTraits {
  /** The side that receives. */
  readonly role: Role;
  readonly deflate: NegotiatedDeflate | undefined;
}

const TEXTS = ['', 'a', 'Hello, world!', 'κόσμε', '日本語', '😀 and so on', 'x'.repeat(300)];

export function randomTraits(random: Random): SessionTraits {
  const deflate = {
    serverNoContextTakeover: random.oneIn(2),
    clientNoContextTakeover: random.oneIn(2),
    serverMaxWindowBits: 8 + random.below(8),
    clientMaxWindowBits: 8 + random.below(8),
  };
  return {
    role: random.pick(['client', 'server']),
    deflate: random.oneIn(2) ? deflate : undefined,
  };
}

/** Frames of a legal session, one buffer each, up to but without its Close frame. */
export class SessionFrames {
  readonly #random: Random;
  readonly #masked: boolean;
  readonly #deflater: Deflater | undefined;

  constructor(traits: SessionTraits, random: Random) {
    const sender = traits.role === 'server' ? 'client' : 'server';
    this.#random = random;
    this.#masked = sender === 'client';
    this.#deflater = traits.deflate && new Deflater(directionOf(traits.deflate, sender));
  }

  /** The frames of one message with control frames between its fragments, or a control frame. */
  next(): Buffer[] {
    const random = this.#random;
    if (random.oneIn(4)) return [this.#control()];
    const isText = random.oneIn(2);
    const payload = isText ? Buffer.from(this.#text()) : random.bytes(random.below(300));
    const compressed = this.#deflater !== undefined && random.oneIn(2);
    const data = compressed ? this.#deflater.deflate(payload, true) : payload;
    const pieces = this.#cut(data);
    return pieces.flatMap((piece, i) => {
      const frame = this.#frame({
        opcode: i > 0 ? 0 : isText ? 1 : 2,
        payload: piece,
        fin: i === pieces.length - 1,
        rsv1: compressed && i === 0,
      });
      return i > 0 && random.oneIn(4) ? [this.#control(), frame] : [frame];
    });
  }

  /** A Close frame. */
  close(): Buffer {
    const payload = Buffer.from(this.#random.pick(['', '\x03\xe8', '\x0b\xb8bye']), 'latin1');
    return this.#frame({ opcode: 8, payload });
  }

  #control(): Buffer {
    const payload = this.#random.bytes(this.#random.below(126));
    return this.#frame({ opcode: 9 + this.#random.below(2), payload });
  }

  #text(): string {
    const count = this.#random.below(4);
    return Array.from({ length: count }, () => this.#random.pick(TEXTS)).join('');
  }

  /** Cuts a payload into one to six fragments, empty ones among them. */
  #cut(payload: Buffer): Buffer[] {
    const random = this.#random;
    const cuts = random.oneIn(2)
      ? []
      : Array.from({ length: random.below(6) }, () => random.below(payload.length + 1));
    const bounds = [0, ...cuts.sort((a, b) => a - b), payload.length];
    return bounds.slice(1).map((end, i) => payload.subarray(bounds[i], end));
  }

  #frame(init: { opcode: number; payload: Buffer; fin?: boolean; rsv1?: boolean }): Buffer {
    return encodeFrame(this.#masked ? { ...init, maskingKey: this.#random.bytes(4) } : init);
  }
}
