import { CloseCode, Opcode, encodeClose, encodeFrame } from '../../protocol/index.ts';
import type { Violation } from '../../protocol/index.ts';
import { closeFailure, violationFailure } from '../measure/errors.ts';
import { maskingKey } from '../random.ts';
import { Connection } from './connection.ts';
import type { ConnectionEvents, Place } from './connection.ts';
import { FrameParser } from './frame-parser.ts';
import type { ControlFrames } from './frame-parser.ts';

/** A connection of the fast engine: it parses frames in a buffer that all sockets of a worker share. */
export class FastConnection extends Connection implements ControlFrames {
  readonly #parser: FrameParser<FastConnection>;

  constructor(host: ConnectionEvents, at: Place) {
    super(host, at);
    this.#parser = new FrameParser<FastConnection>(this, host);
  }

  /** For messages that are sent seldom; the others are prepared frames. */
  override send(opcode: 1 | 2, payloads: readonly (string | Uint8Array)[]): number {
    if (!this.isOpen) return 0;
    const bytes = Buffer.concat(payloads.map((payload) => maskedFrame(opcode, payload)));
    this.socket?.write(bytes);
    return bytes.length;
  }

  ping(payload: Buffer): void {
    if (!this.isOpen) return;
    this.socket?.write(maskedFrame(Opcode.pong, payload));
    this.host.pinged(this);
  }

  /** The server's Close frame came. */
  closed(code: number, reason: string): void {
    if (!this.isOpen) return;
    // 1005 stands for a Close frame without a code, and is answered by one without a code.
    const answer = encodeClose(code === CloseCode.noStatus ? undefined : code);
    this.socket?.end(maskedFrame(Opcode.close, answer));
    this.fail(closeFailure(code, reason), false);
  }

  /** The server broke the RFC: section 7.1.7, _Fail the WebSocket Connection_. */
  violated(violation: Violation): void {
    if (!this.isOpen) {
      this.reset();
      return;
    }
    this.socket?.write(maskedFrame(Opcode.close, encodeClose(violation.closeCode)));
    this.fail(violationFailure('violation', violation));
  }

  protected override sendClose(code: number): void {
    this.socket?.write(maskedFrame(Opcode.close, encodeClose(code)));
  }

  protected override receiveFrames(bytes: Buffer, count: number): void {
    this.host.received(this, count);
    this.#parser.read(bytes, 0, count);
    this.host.consumed(this);
  }
}

function maskedFrame(opcode: number, payload: string | Uint8Array): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return encodeFrame({ opcode, payload: bytes, maskingKey: maskingKey() });
}
