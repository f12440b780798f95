import {
  FrameHeader,
  Opcode,
  Utf8Stream,
  isControlOpcode,
  mask,
  violation,
} from '../../protocol/index.ts';
import type { Violation } from '../../protocol/index.ts';
import { lengthViolations, openingViolations } from './header-rules.ts';

/** A message of the peer; of one larger than what can be expected only the head is there. */
export interface IncomingMessage {
  readonly binary: boolean;
  readonly payload: Buffer;
  /** All of it, in bytes. */
  readonly length: number;
}

/** The header of a frame, and where it was. */
export interface IncomingFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly rsv: number;
  readonly maskingKey: Buffer | undefined;
  readonly offset: number;
  readonly headerBytes: number;
  readonly length: number;
  /** Unmasked; the head of it. */
  readonly payload: Buffer;
}

/** Where a breach was seen: `bytes[index]` is the octet at `offset` of the stream. */
export interface Position {
  readonly offset: number;
  readonly bytes: Buffer;
  readonly index: number;
}

export interface ReceiverSink {
  /** True as soon as no further input counts. */
  readonly deaf: boolean;
  onFrame(frame: IncomingFrame): void;
  onViolation(breach: Violation, position: Position): void;
  onMessage(message: IncomingMessage): void;
  onControl(opcode: number, payload: Buffer): void;
  /** The message cannot be inflated. */
  onBroken(breach: Violation, position: Position): void;
}

export interface ReceiverOptions {
  /** Whether the peer has to mask. */
  readonly masked: boolean;
  /** Inflates a message; absent if permessage-deflate is not in force. */
  readonly inflate: ((pieces: readonly Buffer[]) => Buffer | Violation) | undefined;
  /** Bytes of each message that are kept; nothing a case expects is longer. */
  readonly keptBytes: number;
  readonly sink: ReceiverSink;
}

/** Most of a compressed message, and of a control frame, that is held. */
const MAX_HELD = 8 * 1024 * 1024;

/** Parts of a message that are held side by side. */
const MAX_PARTS = 4096;

const RSV1 = 4;
const EMPTY: Buffer = Buffer.alloc(0);

/**
 * The frames of the peer, read as Autobahn reads them: a breach is reported, and reading goes on.
 *
 * So an illegal frame is still taken for what it seems to be, and a message may be delivered that
 * a `Connection` would never see.
 */
export class Receiver {
  readonly #options: ReceiverOptions;
  readonly #header = new FrameHeader();
  #carry: Buffer = EMPTY;
  /** Position in the stream of the next octet that was not looked at. */
  #offset = 0;
  #openingJudged = false;
  /** Of the current frame; -1 between frames. */
  #missing = -1;
  #frameOffset = 0;
  #frameHeaderBytes = 0;
  #position = 0;
  #frameKey: Buffer | undefined;
  #frameHead: Buffer[] = [];

  #messageOpen = false;
  #messageBinary = false;
  #compressed = false;
  #validates = false;
  #utf8Broken = false;
  readonly #utf8 = new Utf8Stream();
  #parts: Buffer[] = [];
  #held = 0;
  #messageLength = 0;
  #dataBytes = 0;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Payload of data frames so far, also of those that are not all there. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  /** Takes `chunk` over: payloads are unmasked where they lie. */
  receive(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#carry.length > 0) {
      bytes = Buffer.concat([this.#carry, chunk]);
      this.#carry = EMPTY;
    }
    let at = 0;
    while (!this.#options.sink.deaf) {
      if (this.#missing < 0) {
        const size = this.#readHeader(bytes, at);
        if (size === 0) break;
        at += size;
      } else {
        const stop = Math.min(bytes.length, at + this.#missing);
        if (stop === at && this.#missing > 0) break;
        this.#readPayload(bytes, at, stop);
        at = stop;
      }
    }
    if (this.#missing < 0) this.#carry = bytes.subarray(at);
  }

  /** Returns the size of the header at `at`, or 0 if it is not all there. */
  #readHeader(bytes: Buffer, at: number): number {
    if (bytes.length - at < 2) return 0;
    const header = this.#header;
    const size = header.read(bytes, at, bytes.length);
    const { masked, inflate } = this.#options;
    const context = { masked, deflate: inflate !== undefined, messageOpen: this.#messageOpen };
    const report = (breach: Violation, index: number): void => {
      this.#options.sink.onViolation(breach, {
        offset: this.#offset + index - at,
        bytes,
        index,
      });
    };
    if (!this.#openingJudged) {
      this.#openingJudged = true;
      for (const breach of openingViolations(header, context)) {
        report(breach, at + (isAboutLength(breach) ? 1 : 0));
      }
    }
    if (size === 0) return 0;
    for (const breach of lengthViolations(header)) report(breach, at + 1);
    // The second breach ends the connection, whatever else this frame was.
    if (this.#options.sink.deaf) return 0;
    this.#beginFrame(bytes, at, size);
    return size;
  }

  #beginFrame(bytes: Buffer, at: number, size: number): void {
    const header = this.#header;
    this.#openingJudged = false;
    this.#missing = header.length;
    this.#position = 0;
    this.#frameOffset = this.#offset;
    this.#frameHeaderBytes = size;
    this.#frameKey = header.masked
      ? Buffer.from(bytes.subarray(at + size - 4, at + size))
      : undefined;
    this.#frameHead = [];
    this.#offset += size;
    if (isControlOpcode(header.opcode) || this.#messageOpen) return;
    this.#messageOpen = true;
    this.#messageBinary = header.opcode === Opcode.binary;
    this.#compressed = this.#options.inflate !== undefined && header.rsv === RSV1;
    this.#validates = header.opcode === Opcode.text;
    this.#utf8Broken = false;
    this.#utf8.reset();
    this.#parts = [];
    this.#held = 0;
    this.#messageLength = 0;
  }

  #readPayload(bytes: Buffer, start: number, stop: number): void {
    const piece = bytes.subarray(start, stop);
    if (this.#frameKey !== undefined) mask(piece, this.#frameKey, this.#position);
    const control = isControlOpcode(this.#header.opcode);
    if (control) this.#hold(this.#frameHead, piece, MAX_HELD);
    else {
      if (this.#position < 256) this.#frameHead.push(piece.subarray(0, 256));
      this.#receiveData(piece, { offset: this.#offset, bytes, index: start });
    }
    this.#position += piece.length;
    this.#missing -= piece.length;
    this.#offset += piece.length;
    if (this.#missing === 0)
      this.#endFrame(control, { offset: this.#offset - 1, bytes, index: stop - 1 });
  }

  #hold(parts: Buffer[], piece: Buffer, limit: number): void {
    const room = limit - (parts === this.#parts ? this.#held : this.#position);
    if (room <= 0 || piece.length === 0) return;
    parts.push(piece.length > room ? piece.subarray(0, room) : piece);
    // A part costs more than its octets: a message of a million fragments is joined now and then.
    if (parts.length >= MAX_PARTS) parts.splice(0, parts.length, Buffer.concat(parts));
  }

  #receiveData(piece: Buffer, position: Position): void {
    if (!this.#compressed) this.#validate(piece, position);
    this.#hold(this.#parts, piece, this.#compressed ? MAX_HELD : this.#options.keptBytes);
    this.#held += piece.length;
    this.#dataBytes += piece.length;
    this.#messageLength += piece.length;
  }

  /** RFC 6455 8.1; every further piece of a text that broke once is a breach of its own. */
  #validate(piece: Buffer, position: Position): void {
    if (!this.#validates || piece.length === 0) return;
    const wasBroken = this.#utf8Broken;
    if (!wasBroken && this.#utf8.push(piece)) return;
    this.#utf8Broken = true;
    const index = wasBroken ? 0 : this.#findBadOctet(piece);
    this.#options.sink.onViolation(violation('WSK_INVALID_UTF8', { where: 'text' }), {
      offset: position.offset + index,
      bytes: position.bytes,
      index: position.index + index,
    });
  }

  /** Where in `piece` the text stops being UTF-8; 0 if its beginning was not kept. */
  #findBadOctet(piece: Buffer): number {
    if (this.#held > this.#options.keptBytes) return 0;
    const again = new Utf8Stream();
    for (const part of this.#parts) again.push(part);
    for (let index = 0; index < piece.length; index++) {
      if (!again.push(piece.subarray(index, index + 1))) return index;
    }
    return 0;
  }

  #endFrame(control: boolean, position: Position): void {
    const { sink } = this.#options;
    const { opcode, fin, rsv, length } = this.#header;
    this.#missing = -1;
    const payload = join(this.#frameHead);
    sink.onFrame({
      opcode,
      fin,
      rsv,
      length,
      payload,
      maskingKey: this.#frameKey,
      offset: this.#frameOffset,
      headerBytes: this.#frameHeaderBytes,
    });
    if (control) sink.onControl(opcode, payload);
    else if (fin) this.#endMessage(position);
  }

  #endMessage(position: Position): void {
    const { sink, inflate, keptBytes } = this.#options;
    const parts = this.#parts;
    let length = this.#messageLength;
    let payload: Buffer;
    this.#messageOpen = false;
    this.#parts = [];
    if (this.#compressed && inflate !== undefined) {
      const inflated = inflate(parts);
      if (!Buffer.isBuffer(inflated)) {
        sink.onBroken(inflated, { ...position, offset: this.#frameOffset });
        return;
      }
      this.#validate(inflated, position);
      payload = inflated.length > keptBytes ? inflated.subarray(0, keptBytes) : inflated;
      length = inflated.length;
    } else {
      payload = join(parts);
    }
    if (this.#validates && (this.#utf8Broken || !this.#utf8.end())) {
      sink.onViolation(violation('WSK_INVALID_UTF8', { where: 'text' }), position);
    }
    if (!sink.deaf) sink.onMessage({ binary: this.#messageBinary, payload, length });
  }
}

function join(parts: readonly Buffer[]): Buffer {
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts);
}

/** Whether a breach shows in the second octet of the frame: its mask bit and length. */
function isAboutLength({ code }: Violation): boolean {
  return (
    code === 'WSK_CONTROL_TOO_LONG' ||
    code === 'WSK_CLOSE_PAYLOAD' ||
    code === 'WSK_MASKED_FRAME' ||
    code === 'WSK_UNMASKED_FRAME'
  );
}
