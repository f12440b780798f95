import type { Deflater } from './deflate/deflate.ts';
import { minimalLengthBytes, writeHeader } from './frames/frame-header.ts';
import { FramePool } from './frames/frame-pool.ts';
import { copyMasked, maskRange, packKey, wordsOf } from './frames/mask.ts';
import { Opcode } from './frames/opcode.ts';
import { Utf8Stream } from './frames/utf8.ts';
import { viewOf } from './frames/view.ts';

/** An unmasked payload above this size is not copied behind its header but queued as it is. */
const MAX_COPIED_BYTES = 4096;

/** Up to this size a payload is cut from the pool with its header. */
const MAX_POOLED_BYTES = 4096;

const POOL = new FramePool();

/** Up to this length, encoding a text into scratch memory is faster than measuring it first. */
const MAX_SHORT_CHARS = 1024;

/** Memory for a short text: a UTF-16 code unit takes at most three bytes of UTF-8. */
const SCRATCH = new Uint8Array(3 * MAX_SHORT_CHARS);
const SCRATCH_WORDS = wordsOf(SCRATCH);
const ENCODER = new TextEncoder();

/** How to send a message or a fragment of one. */
export interface SendOptions {
  /** Whether to compress; true if absent and permessage-deflate was negotiated. */
  readonly compress?: boolean;
  /** False for a fragment that `sendContinuation` continues. */
  readonly fin?: boolean;
}

/** The sending half of a connection: payloads in, frames out. Throws for misuse by the caller. */
export class Sender {
  readonly #maskSource: (() => Uint8Array) | undefined;
  readonly #deflater: Deflater | undefined;
  readonly #utf8 = new Utf8Stream();
  #chunks: Uint8Array[] | undefined;
  #bytes = 0;
  /** The memory of the frame that is being written. */
  #target: Buffer = POOL.bytes;
  #frameStart = 0;
  #pooled = false;
  /** The unfinished fragmented message. */
  #open: { readonly opcode: 1 | 2; readonly compress: boolean } | undefined;

  /** `maskSource` gives four unpredictable bytes a call; without it frames are not masked. */
  constructor(maskSource: (() => Uint8Array) | undefined, deflater: Deflater | undefined) {
    this.#maskSource = maskSource;
    this.#deflater = deflater;
  }

  /** Bytes not drained yet. */
  get bytes(): number {
    return this.#bytes;
  }

  drain(): Uint8Array[] {
    const chunks = this.#chunks ?? [];
    this.#chunks = undefined;
    this.#bytes = 0;
    return chunks;
  }

  sendControl(opcode: number, payload: Uint8Array): void {
    this.#pushFrame(0x80 | opcode, payload);
  }

  sendMessage(opcode: 1 | 2, payload: string | Uint8Array, options: SendOptions): void {
    // 5.4: a message may not begin inside another one.
    if (this.#open !== undefined) {
      throw new Error('a fragmented message is unfinished, expected sendContinuation');
    }
    const compress = options.compress ?? this.#deflater !== undefined;
    if (compress && this.#deflater === undefined) {
      throw new Error('permessage-deflate was not negotiated, so nothing can be compressed');
    }
    const fin = options.fin ?? true;
    this.#checkText(opcode, payload, fin);
    if (!fin) this.#open = { opcode, compress };
    this.#pushData(opcode, payload, { fin, compress });
  }

  sendContinuation(payload: string | Uint8Array, fin: boolean): void {
    if (this.#open === undefined) {
      throw new Error('no fragmented message is unfinished, expected sendText or sendBinary');
    }
    const { opcode, compress } = this.#open;
    this.#checkText(opcode, payload, fin);
    if (fin) this.#open = undefined;
    this.#pushData(Opcode.continuation, payload, { fin, compress });
  }

  /** An encoded string is valid UTF-8; bytes of the caller have to be checked. */
  #checkText(opcode: 1 | 2, payload: string | Uint8Array, fin: boolean): void {
    if (opcode !== Opcode.text || typeof payload === 'string') return;
    const valid = this.#utf8.push(payload) && (!fin || this.#utf8.end());
    if (valid) return;
    this.#utf8.reset();
    throw new TypeError('text is not valid UTF-8');
  }

  #pushData(
    opcode: 0 | 1 | 2,
    payload: string | Uint8Array,
    { fin, compress }: { fin: boolean; compress: boolean },
  ): void {
    const first = (fin ? 0x80 : 0) | opcode;
    if (!compress || this.#deflater === undefined) {
      if (typeof payload === 'string') this.#pushString(first, payload);
      else this.#pushFrame(first, payload);
      return;
    }
    const data = typeof payload === 'string' ? Buffer.from(payload) : viewOf(payload);
    // RFC 7692 6.1: RSV1 is set on the first fragment of a compressed message and on no other.
    const rsv1 = opcode === Opcode.continuation ? 0 : 0x40;
    this.#pushFrame(first | rsv1, this.#deflater.deflate(data, fin));
  }

  #pushString(first: number, text: string): void {
    if (text.length > MAX_SHORT_CHARS) {
      const length = Buffer.byteLength(text);
      const start = this.#begin(first, length, length);
      this.#target.write(text, start);
      this.#finish(start, length);
      return;
    }
    const length = ENCODER.encodeInto(text, SCRATCH).written;
    const start = this.#begin(first, length, length);
    const key = this.#writeKey(start);
    copyMasked(SCRATCH_WORDS, POOL.words, { at: start >> 2, length, key });
    this.#pushTarget(start, length);
  }

  #pushFrame(first: number, payload: Uint8Array): void {
    const { length } = payload;
    const copied = this.#maskSource !== undefined || length <= MAX_COPIED_BYTES;
    const start = this.#begin(first, length, copied ? length : 0);
    if (copied) this.#target.set(payload, start);
    this.#finish(start, copied ? length : 0);
    if (!copied) this.#push(payload);
  }

  /** Reserves `room` for a payload in `#target`, writes its header, returns where the payload starts. */
  #begin(first: number, length: number, room: number): number {
    const masked = this.#maskSource !== undefined;
    const lengthBytes = minimalLengthBytes(length);
    const headerBytes = 2 + lengthBytes + (masked ? 4 : 0);
    this.#pooled = room <= MAX_POOLED_BYTES;
    const start = this.#pooled ? POOL.claim(headerBytes, room) : headerBytes;
    this.#target = this.#pooled ? POOL.bytes : Buffer.allocUnsafeSlow(headerBytes + room);
    this.#frameStart = start - headerBytes;
    writeHeader(this.#target, this.#frameStart, { first, length, lengthBytes, masked });
    return start;
  }

  /** Masks the payload in `#target` and queues the frame. */
  #finish(start: number, length: number): void {
    const key = this.#writeKey(start);
    if (this.#maskSource !== undefined) {
      maskRange(this.#target, start, start + length, key, this.#pooled ? POOL.words : undefined);
    }
    this.#pushTarget(start, length);
  }

  /** Writes a fresh key before the payload and returns it packed; 0 if frames are not masked. */
  #writeKey(start: number): number {
    if (this.#maskSource === undefined) return 0;
    // 5.3: "The masking key needs to be unpredictable"; the caller provides it.
    const maskingKey = this.#maskSource();
    if (maskingKey.length !== 4) {
      throw new RangeError(`the mask source gave ${maskingKey.length} bytes, expected 4`);
    }
    for (let i = 0; i < 4; i++) this.#target[start - 4 + i] = maskingKey[i] as number;
    return packKey(maskingKey, 0);
  }

  #pushTarget(start: number, length: number): void {
    const target = this.#target;
    this.#push(this.#pooled ? viewOf(target, this.#frameStart, start + length) : target);
    // Do not keep the memory of a large frame.
    this.#target = POOL.bytes;
  }

  #push(bytes: Uint8Array): void {
    // A literal of one element is small; a push to an empty array allocates room for many.
    if (this.#chunks === undefined) this.#chunks = [bytes];
    else this.#chunks.push(bytes);
    this.#bytes += bytes.length;
  }
}
