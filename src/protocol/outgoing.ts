import type { Deflater } from './deflate.ts';
import { minimalLengthBytes, writeHeader } from './frame-header.ts';
import { maskRange, packKey } from './mask.ts';
import { Opcode } from './opcode.ts';
import { Utf8Stream } from './utf8.ts';

/** An unmasked payload above this size is not copied behind its header but queued as it is. */
const MAX_COPIED_BYTES = 4096;

/** How to send a message or a fragment of one. */
export interface SendOptions {
  /** Whether to compress; true if absent and permessage-deflate was negotiated. */
  readonly compress?: boolean;
  /** False for a fragment that `sendContinuation` goes on with. */
  readonly fin?: boolean;
}

/** The sending half of a connection: payloads in, frames out. Throws what a caller does wrong. */
export class Outgoing {
  readonly #maskSource: (() => Uint8Array) | undefined;
  readonly #deflater: Deflater | undefined;
  readonly #utf8 = new Utf8Stream();
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  /** The unfinished fragmented message. */
  #open: { readonly opcode: 1 | 2; readonly compress: boolean } | undefined;

  /** `maskSource` gives four unpredictable bytes a call; without it frames are not masked. */
  constructor(maskSource: (() => Uint8Array) | undefined, deflater: Deflater | undefined) {
    this.#maskSource = maskSource;
    this.#deflater = deflater;
  }

  /** Bytes that nobody has drained. */
  get bytes(): number {
    return this.#bytes;
  }

  drain(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
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

  /** Strings are UTF-8 once encoded; bytes are whatever the caller has. */
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
    const length = Buffer.byteLength(text);
    const { frame, start } = this.#begin(first, length, length);
    frame.write(text, start);
    this.#finish(frame, start);
  }

  #pushFrame(first: number, payload: Uint8Array): void {
    const { length } = payload;
    if (this.#maskSource === undefined && length > MAX_COPIED_BYTES) {
      this.#push(this.#begin(first, length, 0).frame);
      this.#push(payload);
      return;
    }
    const { frame, start } = this.#begin(first, length, length);
    frame.set(payload, start);
    this.#finish(frame, start);
  }

  /** Allocates a frame with `room` for the payload and writes its header. */
  #begin(first: number, length: number, room: number): { frame: Buffer; start: number } {
    const lengthBytes = minimalLengthBytes(length);
    const masked = this.#maskSource !== undefined;
    const start = 2 + lengthBytes + (masked ? 4 : 0);
    const frame = Buffer.allocUnsafe(start + room);
    writeHeader(frame, { first, length, lengthBytes, masked });
    return { frame, start };
  }

  #finish(frame: Buffer, start: number): void {
    if (this.#maskSource !== undefined) {
      // 5.3: "The masking key needs to be unpredictable"; where it comes from is the caller's duty.
      const key = this.#maskSource();
      frame.set(key, start - 4);
      maskRange(frame, start, frame.length, packKey(key, 0));
    }
    this.#push(frame);
  }

  #push(bytes: Uint8Array): void {
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
