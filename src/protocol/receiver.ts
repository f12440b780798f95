import { isUtf8 } from 'node:buffer';
import type { Inflater } from './deflate/deflate.ts';
import { FrameHeader, MAX_HEADER_BYTES } from './frames/frame-header.ts';
import { inspectHeader } from './frames/frame-rules.ts';
import { deflatedBound } from './limits.ts';
import type { Limits } from './limits.ts';
import { MIN_WORDWISE_BYTES, NON_ASCII, maskRange, rotateKey, wordsOf } from './frames/mask.ts';
import { MessageBuffer } from './frames/message-buffer.ts';
import { MAX_CONTROL_BYTES, Opcode, isControlOpcode } from './frames/opcode.ts';
import { Utf8Stream } from './frames/utf8.ts';
import { viewOf } from './frames/view.ts';
import { violation } from './violations.ts';
import type { Violation } from './violations.ts';

/** Takes finished messages, control frames and violations. */
export interface ReceiverSink {
  onMessage(opcode: 1 | 2, data: Buffer, compressed: boolean, wireBytes: number): void;
  onControl(opcode: number, payload: Buffer): void;
  onViolation(breach: Violation): void;
}

export interface ReceiverOptions {
  /** Whether frames have to be masked: true for a server. */
  readonly masked: boolean;
  readonly limits: Limits;
  readonly inflater: Inflater | undefined;
  readonly sink: ReceiverSink;
}

/**
 * The receiving half of a connection: bytes in, messages out, every rule of RFC 6455 section 5
 * checked as soon as its bytes have arrived.
 *
 * A frame that is complete in one piece of input becomes a view of that piece. Everything else is
 * copied into a `MessageBuffer`.
 */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #context: { readonly masked: boolean; readonly deflate: boolean; messageOpen: boolean };
  readonly #header = new FrameHeader();
  /** The start of a header that the last piece of input cut off. */
  readonly #partial: Buffer = Buffer.alloc(MAX_HEADER_BYTES);
  #partialLength = 0;
  #stopped = false;

  /** Bytes of the current frame's payload that are missing; -1 between frames. */
  #missing = -1;
  /** The key, rotated to the next payload byte. */
  #key = 0;
  /** The words of the chunk being received: one view for all frames in it. */
  #words: Int32Array | undefined;
  readonly #control: Buffer = Buffer.alloc(MAX_CONTROL_BYTES);
  #controlLength = 0;

  #opcode: 1 | 2 = Opcode.text;
  #compressed = false;
  #fragments = 0;
  #wireBytes = 0;
  readonly #message = new MessageBuffer();
  readonly #utf8 = new Utf8Stream();

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#context = {
      masked: options.masked,
      deflate: options.inflater !== undefined,
      messageOpen: false,
    };
  }

  /** Memory of incomplete frames and messages. */
  get bufferedBytes(): number {
    return this.#message.bytes.length + this.#partialLength + this.#controlLength;
  }

  /** Ignores all further input. */
  stop(): void {
    this.#stopped = true;
    this.#message.clear();
  }

  /** Takes ownership of `chunk`: payloads are unmasked in place and passed on as views of it. */
  receive(chunk: Buffer): void {
    const wordwise = this.#options.masked && chunk.length >= MIN_WORDWISE_BYTES;
    this.#words = wordwise ? wordsOf(chunk) : undefined;
    this.#receiveFrames(chunk);
    // An idle connection must not hold the memory of its last chunk.
    this.#words = undefined;
  }

  #receiveFrames(chunk: Buffer): void {
    const end = chunk.length;
    let offset = 0;
    while (!this.#stopped) {
      if (this.#missing < 0) {
        offset = this.#readHeader(chunk, offset);
        if (offset < 0) return;
      }
      const stop = Math.min(end, offset + this.#missing);
      const complete = stop - offset === this.#missing;
      if (!complete && stop === offset) return;
      if (isControlOpcode(this.#header.opcode)) this.#receiveControl(chunk, offset, stop);
      else this.#receiveData(chunk, offset, stop);
      offset = stop;
    }
  }

  /** Returns where the payload starts, or -1 if the header is incomplete or illegal. */
  #readHeader(chunk: Buffer, offset: number): number {
    if (this.#partialLength > 0) return this.#readPartialHeader(chunk, offset);
    const size = this.#header.read(chunk, offset, chunk.length);
    if (size === 0) {
      this.#partialLength = chunk.copy(this.#partial, 0, offset);
      if (this.#partialLength >= 2) this.#checkHeader();
      return -1;
    }
    if (!this.#checkHeader()) return -1;
    this.#beginFrame();
    return offset + size;
  }

  #readPartialHeader(chunk: Buffer, offset: number): number {
    while (offset < chunk.length) {
      this.#partial[this.#partialLength++] = chunk[offset++] as number;
      const size = this.#header.read(this.#partial, 0, this.#partialLength);
      // Check bits and length as soon as they arrive: an illegal start is answered even if nothing
      // follows it.
      if (this.#partialLength >= 2 && !this.#checkHeader()) return -1;
      if (size > 0) {
        this.#partialLength = 0;
        this.#beginFrame();
        return offset;
      }
    }
    return -1;
  }

  /** Applies all rules and limits to the part of the header that is known. */
  #checkHeader(): boolean {
    const breach = inspectHeader(this.#header, this.#context) ?? this.#inspectSize();
    if (breach === undefined) return true;
    this.#options.sink.onViolation(breach);
    return false;
  }

  /** RFC 6455 section 10.4: limits on "the frame size or total message size after reassembly". */
  #inspectSize(): Violation | undefined {
    const { opcode, length, lengthKnown, rsv } = this.#header;
    if (!lengthKnown || isControlOpcode(opcode)) return undefined;
    const { messageBytes, frameBytes, fragments } = this.#options.limits;
    const continued = opcode === Opcode.continuation;
    const total = continued ? this.#wireBytes + length : length;
    const compressed = continued ? this.#compressed : rsv !== 0;
    if (total > (compressed ? deflatedBound(messageBytes) : messageBytes)) {
      return violation('WSK_MESSAGE_TOO_BIG', { length: total, limit: messageBytes });
    }
    if (length > frameBytes) return violation('WSK_FRAME_TOO_BIG', { length, limit: frameBytes });
    if (!continued || this.#fragments < fragments) return undefined;
    return violation('WSK_TOO_MANY_FRAGMENTS', { limit: fragments });
  }

  #beginFrame(): void {
    const { opcode, length, key, rsv, fin } = this.#header;
    this.#missing = length;
    this.#key = key;
    if (isControlOpcode(opcode)) return;
    if (opcode !== Opcode.continuation) {
      this.#opcode = opcode as 1 | 2;
      this.#compressed = rsv !== 0;
      this.#fragments = 0;
      this.#wireBytes = 0;
    }
    this.#fragments++;
    this.#wireBytes += length;
    this.#context.messageOpen = !fin;
  }

  #receiveControl(chunk: Buffer, start: number, stop: number): void {
    const { opcode, length, masked } = this.#header;
    let payload: Buffer;
    if (stop - start === length) {
      payload = viewOf(chunk, start, stop);
    } else {
      this.#controlLength += chunk.copy(this.#control, this.#controlLength, start, stop);
      this.#missing -= stop - start;
      if (this.#missing > 0) return;
      payload = Buffer.from(this.#control.subarray(0, length));
    }
    if (masked) maskRange(payload, 0, length, this.#key);
    this.#missing = -1;
    this.#controlLength = 0;
    this.#options.sink.onControl(opcode, payload);
  }

  #receiveData(chunk: Buffer, start: number, stop: number): void {
    const { fin, opcode, length, masked } = this.#header;
    if (!fin || opcode === Opcode.continuation || stop - start !== length) {
      this.#receivePart(chunk, start, stop);
      return;
    }
    const seen = masked ? maskRange(chunk, start, stop, this.#key, this.#words) : NON_ASCII;
    this.#missing = -1;
    const data = viewOf(chunk, start, stop);
    if (this.#compressed) this.#finishCompressed(data);
    else if (this.#opcode === Opcode.text && (seen & NON_ASCII) !== 0 && !isUtf8(data)) {
      this.#failUtf8();
    } else this.#options.sink.onMessage(this.#opcode, data, false, length);
  }

  /** Receives a piece of a frame, or a frame that is a fragment. */
  #receivePart(chunk: Buffer, start: number, stop: number): void {
    const { masked, fin } = this.#header;
    const message = this.#message;
    const before = message.length;
    this.#missing -= stop - start;
    message.append(chunk, start, stop, this.#missing);
    let seen = NON_ASCII;
    if (masked) {
      seen = maskRange(message.bytes, before, message.length, this.#key);
      this.#key = rotateKey(this.#key, stop - start);
    }
    if (this.#opcode === Opcode.text && !this.#compressed) {
      // Fail fast (8.1): invalid UTF-8 ends the message before its last byte arrives.
      const ascii = (seen & NON_ASCII) === 0 && this.#utf8.end();
      const valid = ascii || this.#utf8.push(message.bytes.subarray(before, message.length));
      if (!valid) {
        this.#failUtf8();
        return;
      }
    }
    if (this.#missing > 0) return;
    this.#missing = -1;
    if (fin) this.#finishMessage();
  }

  #finishMessage(): void {
    if (!this.#utf8.end()) {
      this.#failUtf8();
      return;
    }
    const data = this.#message.take();
    if (this.#compressed) this.#finishCompressed(data);
    else this.#options.sink.onMessage(this.#opcode, data, false, data.length);
  }

  #finishCompressed(deflated: Buffer): void {
    const data = this.#options.inflater?.inflate(deflated);
    if (data === undefined) return;
    if (!Buffer.isBuffer(data)) this.#options.sink.onViolation(data);
    else if (this.#opcode === Opcode.text && !isUtf8(data)) this.#failUtf8();
    else this.#options.sink.onMessage(this.#opcode, data, true, deflated.length);
  }

  #failUtf8(): void {
    this.#options.sink.onViolation(violation('WSK_INVALID_UTF8', { where: 'text' }));
  }
}
