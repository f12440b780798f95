import { CloseCode } from './frames/close-code.ts';
import { decodeClose, encodeClose } from './frames/close.ts';
import type { CloseStatus } from './frames/close.ts';
import { Deflater, Inflater, directionOf } from './deflate/deflate.ts';
import type { NegotiatedDeflate } from './deflate/deflate.ts';
import { Receiver } from './receiver.ts';
import { resolveLimits } from './limits.ts';
import type { Limits } from './limits.ts';
import { MAX_CONTROL_BYTES, Opcode } from './frames/opcode.ts';
import { Sender } from './sender.ts';
import type { SendOptions } from './sender.ts';
import { viewOf } from './frames/view.ts';
import { violation } from './violations.ts';
import type { Violation } from './violations.ts';

export type Role = 'client' | 'server';

/** What a connection reports, in the order in which it came from the peer. */
export type ConnectionEvent =
  | {
      readonly type: 'message';
      readonly opcode: 1 | 2;
      /** The message; a text is valid UTF-8. May be a view of the bytes given to `receive`. */
      readonly data: Buffer;
      readonly compressed: boolean;
      /** Payload bytes as they crossed the wire, without frame headers. */
      readonly wireBytes: number;
    }
  | { readonly type: 'ping'; readonly data: Buffer }
  | { readonly type: 'pong'; readonly data: Buffer }
  /** The peer broke a rule; a `close` event with code 1006 follows. */
  | { readonly type: 'violation'; readonly violation: Violation }
  /** The last event of all. Code 1005: an empty Close frame; 1006: none came. */
  | {
      readonly type: 'close';
      readonly code: number;
      readonly reason: string;
      /** Whether Close frames went both ways (RFC 6455 section 7.1.4). */
      readonly wasClean: boolean;
    };

export interface ConnectionOptions {
  readonly role: Role;
  /**
   * Required of a client: gives four fresh unpredictable bytes a call (RFC 6455 section 5.3). They
   * are read at once, so it may return the same array again.
   */
  readonly maskSource?: () => Uint8Array;
  readonly limits?: Partial<Limits>;
  /** From the verified handshake; absent if permessage-deflate was not negotiated. */
  readonly deflate?: NegotiatedDeflate | undefined;
}

/** Approximate memory of an undrained event besides its data, in bytes. */
const EVENT_BYTES = 128;

/**
 * One side of an open WebSocket connection, without any I/O; the handshake is done elsewhere.
 *
 * After each `receive`, `receiveEof` or `send…` the caller must drain `events()` and write what
 * `output()` gives, then half-close the transport if `outputEnded`. Peer input never throws but
 * ends in a `violation`; misuse by the caller throws at once.
 */
export class Connection {
  readonly role: Role;
  readonly limits: Limits;
  readonly #receiver: Receiver;
  readonly #sender: Sender;
  #events: ConnectionEvent[] = [];
  #eventBytes = 0;
  #pongBytes = 0;
  /** The most recent ping that arrived while enough pongs were queued. */
  #unanswered: Buffer | undefined;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #eof = false;
  #violation: Violation | undefined;
  #closeReceived: CloseStatus | undefined;
  #closeSent: CloseStatus | undefined;

  constructor(options: ConnectionOptions) {
    const { role, maskSource, deflate } = options;
    if (role === 'client' && maskSource === undefined) {
      throw new TypeError('a client needs a maskSource, because it has to mask its frames');
    }
    this.role = role;
    this.limits = resolveLimits(options.limits ?? {});
    const peer = role === 'client' ? 'server' : 'client';
    this.#sender = new Sender(
      role === 'client' ? maskSource : undefined,
      deflate && new Deflater(directionOf(deflate, role)),
    );
    this.#receiver = new Receiver({
      masked: role === 'server',
      limits: this.limits,
      inflater: deflate && new Inflater(directionOf(deflate, peer), this.limits.messageBytes),
      sink: {
        onMessage: (opcode, data, compressed, wireBytes) =>
          this.#emit({ type: 'message', opcode, data, compressed, wireBytes }, data.length),
        onControl: (opcode, payload) => this.#receiveControl(opcode, payload),
        onViolation: (breach) => this.#fail(breach),
      },
    });
  }

  /** `closing`: our Close frame is out and the peer's is not in; `closed`: nothing is expected. */
  get state(): 'open' | 'closing' | 'closed' {
    return this.#state;
  }

  /** What the peer did wrong; all later input is ignored. */
  get violation(): Violation | undefined {
    return this.#violation;
  }

  get closeReceived(): CloseStatus | undefined {
    return this.#closeReceived;
  }

  get closeSent(): CloseStatus | undefined {
    return this.#closeSent;
  }

  /** Memory of incomplete messages, undrained events and undrained output, in bytes. */
  get bufferedBytes(): number {
    return this.#receiver.bufferedBytes + this.#eventBytes + this.#sender.bytes;
  }

  /**
   * Whether the caller must half-close the transport once `output()` is written.
   *
   * 7.1.1: the server closes first, "a client SHOULD wait for the server to close the connection".
   */
  get outputEnded(): boolean {
    if (this.#state !== 'closed') return false;
    return this.role === 'server' || this.#violation !== undefined || this.#eof;
  }

  /** Takes ownership of bytes from the peer: payloads are unmasked in place. */
  receive(bytes: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#receiver.receive(Buffer.isBuffer(bytes) ? bytes : viewOf(bytes));
  }

  /** To be called once the peer sends nothing more. */
  receiveEof(): void {
    this.#eof = true;
    if (this.#state === 'closed') return;
    this.#close({ code: CloseCode.abnormal, reason: '' }, false);
  }

  /** Returns the events since the last call. */
  events(): ConnectionEvent[] {
    const events = this.#events;
    this.#events = [];
    this.#eventBytes = 0;
    return events;
  }

  /**
   * Returns the bytes to write since the last call, in order.
   *
   * Large payloads are not copied, so the caller may change them only once they are written.
   */
  output(): Uint8Array[] {
    this.#answerLatestPing();
    this.#pongBytes = 0;
    return this.#sender.drain();
  }

  /** Sends a text message. Bytes have to be UTF-8. Throws if the connection is not open. */
  sendText(text: string | Uint8Array, options: SendOptions = {}): void {
    this.#requireOpen();
    this.#sender.sendMessage(Opcode.text, text, options);
  }

  /** Sends a binary message. Throws if the connection is not open. */
  sendBinary(data: Uint8Array, options: SendOptions = {}): void {
    this.#requireOpen();
    this.#sender.sendMessage(Opcode.binary, data, options);
  }

  /** Sends the next fragment of a message that was begun with `fin: false`. */
  sendContinuation(data: string | Uint8Array, options: { readonly fin?: boolean } = {}): void {
    this.#requireOpen();
    this.#sender.sendContinuation(data, options.fin ?? true);
  }

  /** Sends a ping with at most 125 bytes. */
  sendPing(payload: Uint8Array = Buffer.alloc(0)): void {
    this.#sendControl(Opcode.ping, payload);
  }

  /** Sends an unsolicited pong; pings are answered automatically. */
  sendPong(payload: Uint8Array = Buffer.alloc(0)): void {
    this.#sendControl(Opcode.pong, payload);
  }

  /** Starts the closing handshake; data may still arrive before its `close` event. */
  sendClose(code?: number, reason = ''): void {
    this.#requireOpen();
    this.#pushClose(encodeClose(code, reason), { code: code ?? CloseCode.noStatus, reason });
    this.#state = 'closing';
  }

  #requireOpen(): void {
    // 5.5.1: "The application MUST NOT send any more data frames after sending a Close frame."
    if (this.#state !== 'open') throw new Error(`the connection is ${this.#state}`);
  }

  #sendControl(opcode: number, payload: Uint8Array): void {
    this.#requireOpen();
    if (payload.length > MAX_CONTROL_BYTES) {
      throw new RangeError(`payload has ${payload.length} bytes, limit is ${MAX_CONTROL_BYTES}`);
    }
    this.#sender.sendControl(opcode, payload);
  }

  #pushClose(payload: Buffer, status: CloseStatus): void {
    this.#answerLatestPing();
    this.#sender.sendControl(Opcode.close, payload);
    this.#closeSent = status;
  }

  #receiveControl(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.close) {
      this.#receiveClose(payload);
      return;
    }
    this.#emit({ type: opcode === Opcode.ping ? 'ping' : 'pong', data: payload }, payload.length);
    if (opcode === Opcode.ping && this.#violation === undefined) this.#answer(payload);
  }

  #receiveClose(payload: Buffer): void {
    const status = decodeClose(payload);
    if ('violation' in status) {
      this.#fail(status.violation);
      return;
    }
    this.#closeReceived = status;
    // 5.5.1: "If an endpoint receives a Close frame and did not previously send a Close frame, the
    // endpoint MUST send a Close frame in response." ... "it typically echos the status code".
    if (this.#state === 'open') {
      this.#pushClose(payload.subarray(0, 2), { code: status.code, reason: '' });
    }
    this.#close(status, true);
  }

  /** 5.5.2: "an endpoint MUST send a Pong frame in response, unless it already received a Close". */
  #answer(ping: Buffer): void {
    if (this.#pongBytes < this.limits.pongBytes) {
      this.#pongBytes += ping.length + EVENT_BYTES;
      this.#sender.sendControl(Opcode.pong, ping);
    } else {
      // 5.5.3: with pongs still unsent, an endpoint "MAY elect to send a Pong frame for only the
      // most recently processed Ping frame", so a flood of pings cannot make the output grow.
      this.#unanswered = Buffer.from(ping);
    }
  }

  #answerLatestPing(): void {
    if (this.#unanswered === undefined) return;
    this.#sender.sendControl(Opcode.pong, this.#unanswered);
    this.#unanswered = undefined;
  }

  /** 7.1.7 _Fail the WebSocket Connection_: send the reason and ignore later input. */
  #fail(breach: Violation): void {
    this.#violation = breach;
    if (this.#state === 'open') {
      const { code, reason } = { code: breach.closeCode, reason: '' };
      this.#pushClose(encodeClose(code, reason), { code, reason });
    }
    this.#events.push({ type: 'violation', violation: breach });
    this.#close({ code: CloseCode.abnormal, reason: '' }, false);
  }

  #close(status: CloseStatus, wasClean: boolean): void {
    this.#receiver.stop();
    this.#state = 'closed';
    this.#events.push({ type: 'close', code: status.code, reason: status.reason, wasClean });
  }

  #emit(event: ConnectionEvent, dataBytes: number): void {
    this.#events.push(event);
    this.#eventBytes += dataBytes + EVENT_BYTES;
    if (this.#eventBytes <= this.limits.queuedBytes) return;
    this.#fail(
      violation('WSK_QUEUE_TOO_BIG', { length: this.#eventBytes, limit: this.limits.queuedBytes }),
    );
  }
}
