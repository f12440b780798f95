import { isUtf8 } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  CloseCode,
  Opcode,
  encodeFrame,
  isControlOpcode,
  isSendableCloseCode,
  opcodeName,
  violation,
} from '../../protocol/index.ts';
import type { Violation } from '../../protocol/index.ts';
import type { Wire } from '../../transport/index.ts';
import type { CaseLog } from './frame-log.ts';
import { Receiver } from './receiver.ts';
import type { IncomingFrame, IncomingMessage, ReceiverSink, Position } from './receiver.ts';
import { clip } from '../result.ts';
import { createMaskSource } from './mask-source.ts';
import type { ReceivedFrame } from '../observation.ts';
import type { Pieces, WireFrame } from '../script.ts';

export interface ConnOptions {
  readonly wire: Wire;
  /** What the tester is. */
  readonly role: 'client' | 'server';
  /** Inflates what the peer compressed; absent if permessage-deflate is not in force. */
  readonly inflate: ((pieces: readonly Buffer[]) => Buffer | Violation) | undefined;
  readonly log: CaseLog;
  /** Leaves the peer's close frame unanswered. */
  readonly ownReply: boolean;
}

/** Bytes of each message that are kept. */
const KEPT_BYTES = 64 * 1024;

/** Messages and control frames that are kept; a peer that sends more of them is cut off. */
const MAX_RECEIVED = 20_000;

/** Bytes that are kept of all of them together. */
const MAX_RECEIVED_BYTES = 16 * 1024 * 1024;

const NO_KEY = Buffer.alloc(4);

const maskSource = createMaskSource();

/** The tester's side of an open connection: frames out, legal or not, and everything in. */
export class Conn implements ReceiverSink {
  readonly received: ReceivedFrame[] = [];
  /** The peer's close frame. */
  peerClose: { readonly code: number | null; readonly reason: Buffer } | undefined;
  /** What the peer did that no peer may. */
  violation: string | undefined;
  sentClose: number | null | undefined;
  readonly #options: ConnOptions;
  readonly #incoming: Receiver;
  readonly #replies: WireFrame[] = [];
  readonly #began = performance.now();
  #ended = false;
  #received = 0;
  #keptBytes = 0;
  #sent = 0;

  constructor(options: ConnOptions) {
    this.#options = options;
    this.#incoming = new Receiver({
      masked: options.role === 'server',
      inflate: options.inflate,
      keptBytes: KEPT_BYTES,
      sink: this,
    });
  }

  /** Whether the peer ended its side of TCP. */
  get ended(): boolean {
    return this.#ended;
  }

  /** After the first violation nothing more counts. */
  get deaf(): boolean {
    return this.violation !== undefined;
  }

  /** Whether there is nothing more to come. */
  get over(): boolean {
    return this.#ended || this.deaf;
  }

  /** Reads until `done`, the end of the stream or a violation, at most `timeoutMs`. */
  async listen(timeoutMs: number, done: () => boolean = () => false): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!done() && !this.over) {
      const bytes = await this.#options.wire.read(Math.max(0, deadline - performance.now()));
      if (bytes === 'timeout') return;
      if (bytes === 'eof') this.#ended = true;
      else await this.receive(bytes);
    }
  }

  /** Takes `bytes` over, and answers pings and the close frame in them. */
  async receive(bytes: Buffer): Promise<void> {
    const { log } = this.#options;
    log.atMs = performance.now() - this.#began;
    log.logOctets('received', bytes, { offset: this.#received, sync: false });
    this.#received += bytes.length;
    this.#incoming.receive(bytes);
    const replies = this.#replies.splice(0);
    if (replies.length > 0) await this.send(replies);
  }

  /** Writes frames in one go, or in pieces with time between them. */
  async send(frames: readonly WireFrame[], pieces?: Pieces): Promise<void> {
    await this.write(Buffer.concat(frames.map((frame) => this.encode(frame))), pieces);
  }

  /** Encodes a frame that is about to be written, and logs it. */
  encode({ masking, ...frame }: WireFrame): Buffer {
    const masks = (this.#options.role === 'client') !== (masking === 'wrong');
    const maskingKey = !masks ? undefined : masking === 'zeros' ? NO_KEY : maskSource();
    const bytes = encodeFrame(maskingKey === undefined ? frame : { ...frame, maskingKey });
    const { log } = this.#options;
    log.atMs = performance.now() - this.#began;
    if (frame.opcode === Opcode.close) {
      this.sentClose ??= frame.payload.length < 2 ? null : frame.payload.readUInt16BE(0);
    }
    log.countFrame('sent', frame.opcode);
    log.add({
      kind: 'frame',
      direction: 'sent',
      opcode: frame.opcode,
      fin: frame.fin !== false,
      rsv: (frame.rsv1 ? 4 : 0) | (frame.rsv2 ? 2 : 0) | (frame.rsv3 ? 1 : 0),
      masked: masks,
      maskingKey: maskingKey?.toString('hex') ?? null,
      payload: clip(frame.payload),
      offset: this.#sent,
      headerBytes: bytes.length - frame.payload.length,
      repeatTo: null,
      chopBytes: null,
      sync: false,
    });
    this.#sent += bytes.length;
    return bytes;
  }

  /** Writes octets that are not a frame of their own. */
  async writeOctets(octets: Buffer): Promise<void> {
    this.#sent += octets.length;
    await this.write(octets);
  }

  async write(bytes: Buffer, pieces: Pieces = { bytes: bytes.length, gapMs: 0 }): Promise<void> {
    const { wire, log } = this.#options;
    const start = this.#sent - bytes.length;
    for (let at = 0; at < bytes.length && !this.#ended; at += pieces.bytes) {
      const piece = bytes.subarray(at, at + pieces.bytes);
      log.logOctets('sent', piece, { offset: start + at, sync: pieces.gapMs > 0 });
      await wire.write([piece], WRITE_STALL_MS);
      if (pieces.gapMs > 0) await this.listen(pieces.gapMs);
      else if (piece.length < bytes.length) await nextTurn();
    }
  }

  // --- ReceiverSink ---

  onFrame(frame: IncomingFrame): void {
    const { opcode } = frame;
    this.#options.log.countFrame('received', opcode);
    this.#options.log.logReceived(frame);
    // 5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
    if (this.peerClose !== undefined && !isControlOpcode(opcode)) {
      this.violation ??= `it sent a ${opcodeName(opcode)} frame after its close frame`;
    }
  }

  onViolation(breach: Violation, position: Position): void {
    this.#options.log.addBreach(breach, position);
    this.violation ??= breach.message;
  }

  onBroken(breach: Violation, position: Position): void {
    this.onViolation(breach, position);
  }

  onMessage({ binary, payload, length }: IncomingMessage): void {
    this.#hear({ type: binary ? 'binary' : 'text', payload: Buffer.from(payload), length });
  }

  onControl(opcode: number, payload: Buffer): void {
    const bytes = Buffer.from(payload);
    if (opcode === Opcode.close) this.#onClose(bytes);
    else if (opcode === Opcode.pong) {
      this.#hear({ type: 'pong', payload: bytes, length: bytes.length });
    } else if (opcode === Opcode.ping) {
      this.#hear({ type: 'ping', payload: bytes, length: bytes.length });
      if (this.sentClose === undefined) this.#replies.push({ opcode: Opcode.pong, payload: bytes });
    }
  }

  #hear(frame: ReceivedFrame): void {
    this.#keptBytes += frame.payload.length;
    if (this.received.length >= MAX_RECEIVED) {
      this.violation ??= `it sent more than ${MAX_RECEIVED} messages and control frames`;
    } else if (this.#keptBytes > MAX_RECEIVED_BYTES) {
      this.violation ??= `it sent more than ${MAX_RECEIVED_BYTES >> 20} MiB that no case asks for`;
    } else this.received.push(frame);
  }

  #onClose(payload: Buffer): void {
    const code = payload.length < 2 ? null : payload.readUInt16BE(0);
    const reason = payload.subarray(2);
    this.peerClose ??= { code, reason };
    // 7.4: codes that may not be sent; 5.5.1: the reason is UTF-8.
    if (code !== null && !isSendableCloseCode(code)) {
      this.#report(violation('WSK_CLOSE_CODE', { code }), payload);
    } else if (!isUtf8(reason)) {
      this.#report(violation('WSK_INVALID_UTF8', { where: 'close reason' }), payload);
    } else if (this.sentClose === undefined && !this.#options.ownReply) {
      this.#replies.push(closeFrame(CloseCode.normal));
    }
  }

  #report(breach: Violation, payload: Buffer): void {
    this.onViolation(breach, { offset: this.#received - payload.length, bytes: payload, index: 0 });
  }
}

/** Milliseconds a peer may leave what is sent to it unread. */
const WRITE_STALL_MS = 3000;

/** A close frame with a code, which may be one that must not be sent, and a reason. */
export function closeFrame(code: number, reason: Buffer | string = ''): WireFrame {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return { opcode: Opcode.close, payload: Buffer.concat([head, Buffer.from(reason)]) };
}
