import { FrameHeader, Opcode, decodeClose, isControlOpcode } from '../../protocol/index.ts';
import type { Violation } from '../../protocol/index.ts';
import type { MessageSink } from '../measure/tracker.ts';
import { MAX_HEADER_BYTES } from '../../protocol/frames/frame-header.ts';
import { inspectHeader } from '../../protocol/frames/frame-rules.ts';

/** Takes the control frames of a connection; a pong needs no answer. */
export interface ControlFrames {
  ping(payload: Buffer): void;
  /** The Close frame; nothing is parsed after it. */
  closed(code: number, reason: string): void;
  /** The server broke the RFC; nothing is parsed after it. */
  violated(violation: Violation): void;
}

/** Shared by all parsers of a thread: a header is read and checked in one go. */
const header = new FrameHeader();
const context = { masked: false, deflate: false, messageOpen: false };

const FIN = 0x80;
/** From this value on, the second byte has the mask bit or stands for a longer length. */
const NOT_SHORT = 126;

/**
 * Parses what a server sends. Unlike the protocol's decoder it neither copies nor allocates for
 * messages of one frame, which nearly all are; any other frame goes by the protocol's own header and
 * rules.
 */
export class FrameParser<Owner extends ControlFrames> {
  readonly #owner: Owner;
  readonly #sink: MessageSink<Owner>;
  /** Payload bytes of the present frame that are still to come; -1 between frames. */
  #missing = -1;
  #opcode = 0;
  #fin = true;
  #messageOpen = false;
  #ended = false;
  /** An incomplete header, or an incomplete payload of a control frame. */
  #kept: Buffer | undefined;
  #keptBytes = 0;

  constructor(owner: Owner, sink: MessageSink<Owner>) {
    this.#owner = owner;
    this.#sink = sink;
  }

  /** Reads `bytes` from `from` to `to`, cut anywhere. */
  read(bytes: Buffer, from: number, to: number): void {
    if (this.#ended) return;
    let at = from;
    if (this.#missing >= 0) at = this.#readPayload(bytes, at, to);
    else if (this.#keptBytes > 0) at = this.#resumeHeader(bytes, at, to);
    while (at < to) {
      const first = bytes[at] as number;
      const length = bytes[at + 1] as number;
      const end = at + 2 + length;
      if (
        (first === (FIN | Opcode.text) || first === (FIN | Opcode.binary)) &&
        length < NOT_SHORT &&
        end <= to &&
        !this.#messageOpen
      ) {
        this.#sink.message(this.#owner, bytes, at + 2, end, first & 15);
        at = end;
      } else {
        at = this.#readFrame(bytes, at, to);
      }
    }
  }

  #readFrame(bytes: Buffer, at: number, to: number): number {
    const size = header.read(bytes, at, to);
    if (to - at >= 2 && !this.#accept()) return to;
    if (size === 0) {
      this.#keep(bytes, at, to);
      return to;
    }
    const start = at + size;
    const end = start + header.length;
    if (!header.fin || end > to || this.#messageOpen || isControlOpcode(header.opcode)) {
      this.#startFrame();
      return this.#readPayload(bytes, start, to);
    }
    this.#sink.message(this.#owner, bytes, start, end, header.opcode);
    return end;
  }

  /** Whether the header that was read last is legal, as far as it has come. */
  #accept(): boolean {
    context.messageOpen = this.#messageOpen;
    const breach = inspectHeader(header, context);
    if (breach !== undefined) this.#violate(breach);
    return breach === undefined;
  }

  #violate(breach: Violation): void {
    this.#ended = true;
    this.#owner.violated(breach);
  }

  #keep(bytes: Buffer, at: number, to: number): void {
    this.#kept ??= Buffer.allocUnsafeSlow(MAX_HEADER_BYTES);
    this.#keptBytes += bytes.copy(this.#kept, this.#keptBytes, at, to);
  }

  /** Completes a header that was cut, byte by byte: it has ten at most. */
  #resumeHeader(bytes: Buffer, from: number, to: number): number {
    const kept = this.#kept as Buffer;
    for (let at = from; at < to; at++) {
      kept[this.#keptBytes++] = bytes[at] as number;
      const size = header.read(kept, 0, this.#keptBytes);
      if (this.#keptBytes >= 2 && !this.#accept()) return to;
      if (size === 0) continue;
      this.#keptBytes = 0;
      this.#startFrame();
      return this.#readPayload(bytes, at + 1, to);
    }
    return to;
  }

  #startFrame(): void {
    this.#missing = header.length;
    this.#opcode = header.opcode;
    this.#fin = header.fin;
    if (isControlOpcode(header.opcode) || this.#messageOpen) return;
    this.#messageOpen = true;
    this.#sink.begin(this.#owner, header.opcode);
  }

  #readPayload(bytes: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#missing);
    const control = isControlOpcode(this.#opcode);
    if (control) this.#keepControl(bytes, from, end);
    else if (end > from) this.#sink.part(this.#owner, bytes, from, end);
    this.#missing -= end - from;
    if (this.#missing > 0) return end;
    this.#missing = -1;
    if (control) this.#endControl();
    else if (this.#fin) {
      this.#messageOpen = false;
      this.#sink.end(this.#owner);
    }
    return this.#ended ? to : end;
  }

  #keepControl(bytes: Buffer, from: number, to: number): void {
    const length = this.#keptBytes + this.#missing;
    if (this.#kept === undefined || this.#kept.length < length) {
      const wider = Buffer.allocUnsafeSlow(Math.max(length, MAX_HEADER_BYTES));
      this.#kept?.copy(wider, 0, 0, this.#keptBytes);
      this.#kept = wider;
    }
    this.#keptBytes += bytes.copy(this.#kept, this.#keptBytes, from, to);
  }

  #endControl(): void {
    const payload = (this.#kept ?? Buffer.alloc(0)).subarray(0, this.#keptBytes);
    this.#keptBytes = 0;
    if (this.#opcode === Opcode.ping) this.#owner.ping(payload);
    if (this.#opcode !== Opcode.close) return;
    const status = decodeClose(payload);
    if ('violation' in status) {
      this.#violate(status.violation);
      return;
    }
    this.#ended = true;
    this.#owner.closed(status.code, status.reason);
  }
}
