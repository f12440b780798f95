import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { CLOSE_CODES } from './close-codes.ts';
import type { CloseCode } from './close-codes.ts';
import { COMPRESSION_THRESHOLD } from './compression.ts';
// #if applications
import { encode, payloadOf } from './frame.ts';
// #else
//~ import { payloadOf } from './frame.ts';
// #endif
import type { Frame } from './frame.ts';
import type { Gate, Writer } from './gate.ts';
import type { Identity } from './hooks.ts';
// #if applications
import type { AnyMessage, ErrorCode } from './messages.ts';
// #endif
// #if metrics
import type { Metrics } from './metrics.ts';
// #endif
// #if protocols
import type { Conversation } from './protocol.ts';
// #endif
import type { Share } from './shares.ts';

/** Who a connection is before it is known. */
const NOBODY: Identity = {
  user: '',
  // #if auth
  expiresAt: 0,
  issuedAt: undefined,
  tokenId: undefined,
  rooms: [],
  claims: {},
  // #endif
};

// #if collab
/** y-websocket stays away after 4400 to 4499, and comes back after all other codes. */
const PLAIN_CODES: Readonly<Record<number, number>> = {
  1009: 4413,
  4408: 1013,
  4429: 1013,
  4500: 4401,
  4501: 4401,
  4502: 4403,
  4503: 4403,
};

// #endif
// #if protocols
const NO_CODES: Readonly<Record<number, number>> = {};
// #endif
// #if protocols || live

/** Until something waits for it. */
function nothing(): void {
  // There is nothing to do.
}
// #endif

/** One connection with its user and a bounded send buffer. */
export class Client implements Writer {
  readonly id = randomUUID();
  identity: Identity = NOBODY;
  // #if collab
  /** The document that its path names. */
  document = '';
  /** Whether it knows nothing but the messages of y-websocket: it gets no text, and close codes that are known there. */
  isPlain = false;
  // #endif
  // #if metrics
  metrics: Metrics | undefined;
  // #endif
  // #if protocols
  /** What is said to it instead of messages. */
  conversation: Conversation | undefined;
  /** The codes that its protocol has for some of this server's. */
  closeCodes: Readonly<Record<number, number>> = NO_CODES;
  #draining: Promise<void> | undefined;
  #onRead: () => void = nothing;
  // #endif
  readonly #socket: WebSocket;
  readonly #gate: Gate;
  readonly #maxBuffered: number;
  /** Whether large messages are compressed; those under way have to leave before later ones. */
  readonly #isCompressed: boolean;
  #compressing = 0;

  constructor(socket: WebSocket, gate: Gate, maxBuffered: number) {
    this.#socket = socket;
    this.#gate = gate;
    this.#maxBuffered = maxBuffered;
    this.#isCompressed = socket.extensions !== '';
    gate.writer = this;
  }

  get user(): string {
    return this.identity.user;
  }

  /** The address whose share it uses. */
  get share(): Share {
    return this.#gate.share;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN;
  }

  // #if live
  /** Called when everything that was sent has left this process. */
  onDrained: () => void = nothing;

  /** Whether it reads fast enough to get `bytes` now: a quarter of its buffer is for messages like that. */
  hasSpaceFor({ bytes }: Frame): boolean {
    const waiting = this.#gate.waiting(this.#socket);
    if (waiting === 0) return true;
    return waiting + bytes.length <= this.#maxBuffered / 4 && bytes.length <= this.#gate.space;
  }
  // #endif

  // #if applications
  send(message: AnyMessage): void {
    // #if protocols
    if (this.conversation !== undefined) return;
    // #endif
    // #if collab
    if (this.isPlain) return;
    // #endif
    this.deliver(encode(message));
  }

  /** Answers a command with an error. */
  fail(command: { readonly id?: string | undefined }, code: ErrorCode, message: string): void {
    this.send({ type: 'error', id: command.id, code, message } as AnyMessage);
  }

  // #endif
  /**
   * Sends an encoded message, so that a broadcast is encoded once. With a full buffer, a
   * `droppable` message is skipped and any other closes the client: memory stays bounded.
   * While half of the buffer is full, no commands are read: their replies may be large.
   */
  deliver(frame: Frame, droppable = false): void {
    const { bytes, length, parts, deflated } = frame;
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    const waiting = this.#gate.waiting(socket);
    const isTooMuch = waiting > 0 && bytes.length > this.#gate.space;
    if (waiting + bytes.length > this.#maxBuffered || isTooMuch) {
      if (droppable) return;
      this.share.log('warn', 'slow-consumer', { client: this.id, user: this.user, waiting });
      // #if metrics
      if (this.metrics !== undefined) this.metrics.slowConsumers += 1;
      // #endif
      this.close('slowConsumer');
      return;
    }
    // #if metrics
    if (parts === undefined) this.metrics?.sent(frame.type);
    else for (const { type } of parts) this.metrics?.sent(type);
    // #endif
    // Compressing must not be what a fast reader waits for.
    const compress = this.#isCompressed && waiting === 0 && length >= COMPRESSION_THRESHOLD;
    const { sharedWindowBits } = this.#gate;
    if (compress && this.#compressing === 0 && deflated !== undefined && sharedWindowBits > 0) {
      this.#gate.write(deflated(sharedWindowBits));
    } else if (compress) {
      this.#compressing += 1;
      // #if collab
      const binary = frame.isBinary === true;
      // #else
      //~ const binary = false;
      // #endif
      socket.send(payloadOf(frame), { binary, compress }, () => {
        this.#compressing -= 1;
        this.settle();
      });
    } else if (this.#compressing > 0) {
      for (const part of parts ?? [frame]) {
        // #if collab
        const binary = part.isBinary === true;
        // #else
        //~ const binary = false;
        // #endif
        socket.send(payloadOf(part), { binary, compress }, () => {
          this.settle();
        });
      }
    } else {
      this.#gate.write(bytes);
    }
    this.#account();
  }

  #account(): void {
    const waiting = this.#gate.waiting(this.#socket);
    this.#gate.wait(waiting);
    const isHalfFull = waiting > this.#maxBuffered / 2;
    if (isHalfFull && !this.#socket.isPaused) this.#socket.pause();
    else if (!isHalfFull && this.#socket.isPaused) this.#socket.resume();
  }

  /** Something was written: there is space again. */
  settle(): void {
    this.#account();
    // #if protocols
    if (this.#gate.waiting(this.#socket) <= this.#maxBuffered / 4) this.#onRead();
    // #endif
    // #if live
    if (this.#gate.waiting(this.#socket) === 0) this.onDrained();
    // #endif
  }

  /** Starts the closing handshake; `ws` ends the connection if the client does not answer. */
  close(why: CloseCode): void {
    const { code, reason } = CLOSE_CODES[why];
    this.#socket.close(this.#codeFor(code), reason);
  }

  #codeFor(code: number): number {
    // #if collab
    if (this.isPlain) return PLAIN_CODES[code] ?? code;
    // #endif
    // #if protocols
    return this.closeCodes[code] ?? code;
    // #else
    //~ return code;
    // #endif
  }

  // #if protocols
  /** Settles when the client has read, or has gone; undefined while little waits for it. */
  get drained(): Promise<void> | undefined {
    if (!this.isOpen || this.#gate.waiting(this.#socket) <= this.#maxBuffered / 4) return undefined;
    return (this.#draining ??= new Promise((resolve) => {
      this.#onRead = () => {
        this.#socket.off('close', this.#onRead);
        this.#onRead = nothing;
        this.#draining = undefined;
        resolve();
      };
      this.#socket.once('close', this.#onRead);
    }));
  }

  /** The same with a code that a protocol has. */
  closeWith(code: number, reason: string): void {
    // RFC 6455 section 5.5: a control frame has room for 123 bytes of it.
    const fits = Buffer.byteLength(reason) <= 123;
    this.#socket.close(code, fits ? reason : reason.replace(/[^ -~]/g, '?').slice(0, 123));
  }

  // #endif
  /** Ends the connection without a closing handshake. */
  terminate(): void {
    this.#socket.terminate();
  }
}
