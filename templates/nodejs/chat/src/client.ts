import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { CLOSE_CODES } from './close-codes.ts';
import type { CloseCode } from './close-codes.ts';
import type { Gate } from './gate.ts';
import { encode } from './messages.ts';
import type { ServerMessage } from './messages.ts';
// #if rooms
import type { Room } from './room.ts';
import type { Share } from './shares.ts';
// #endif

/** One connection with its user and a bounded send buffer. */
export class Client {
  readonly id = randomUUID();
  readonly user: string;
  // #if rooms
  readonly rooms = new Map<string, Room>();
  /** How many rooms with members it was the first in. */
  opened = 0;
  // #endif
  readonly #socket: WebSocket;
  readonly #gate: Gate;
  readonly #maxBuffered: number;

  constructor(socket: WebSocket, gate: Gate, user: string, maxBuffered: number) {
    this.#socket = socket;
    this.#gate = gate;
    this.user = user;
    this.#maxBuffered = maxBuffered;
  }

  // #if rooms
  /** The address whose share it uses. */
  get share(): Share {
    return this.#gate.share;
  }

  // #endif

  send(message: ServerMessage): void {
    this.sendEncoded(encode(message));
  }

  /**
   * Sends an encoded message, so that a broadcast is encoded once. With a full buffer, a
   * `droppable` message is skipped and any other closes the client: memory stays bounded.
   * While half of the buffer is full, no commands are read: their replies may be large.
   */
  sendEncoded(bytes: Buffer, droppable = false): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    const waiting = this.#socket.bufferedAmount;
    const isTooMuch = waiting > 0 && bytes.length > this.#gate.space;
    if (waiting + bytes.length <= this.#maxBuffered && !isTooMuch) {
      // Compressing must not be what a fast reader waits for.
      this.#socket.send(bytes, { binary: false, compress: waiting === 0 }, this.#settle);
      this.#gate.wait(this.#socket.bufferedAmount);
      if (this.#isHalfFull && !this.#socket.isPaused) this.#socket.pause();
    } else if (!droppable) {
      this.close('slowConsumer');
    }
  }

  get #isHalfFull(): boolean {
    return this.#socket.bufferedAmount > this.#maxBuffered / 2;
  }

  /** Something was written: there is space again. */
  readonly #settle = (): void => {
    this.#gate.wait(this.#socket.bufferedAmount);
    if (this.#socket.isPaused && !this.#isHalfFull) this.#socket.resume();
  };

  /** Starts the closing handshake; `ws` ends the connection if the client does not answer. */
  close(why: CloseCode): void {
    this.#socket.close(CLOSE_CODES[why].code, CLOSE_CODES[why].reason);
  }

  /** Ends the connection without a closing handshake. */
  terminate(): void {
    this.#socket.terminate();
  }
}
