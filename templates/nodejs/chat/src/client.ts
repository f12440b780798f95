import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { CLOSE_CODES } from './close-codes.ts';
import type { CloseCode } from './close-codes.ts';
import type { ServerMessage } from './messages.ts';
// #if rooms
import type { Room } from './room.ts';
// #endif

/** One connection as the chat sees it: who it is, where it is, and a bounded way to send to it. */
export class Client {
  readonly id = randomUUID();
  readonly user: string;
  // #if rooms
  readonly rooms = new Map<string, Room>();
  // #endif
  readonly #socket: WebSocket;
  readonly #maxBuffered: number;

  constructor(socket: WebSocket, user: string, maxBuffered: number) {
    this.#socket = socket;
    this.user = user;
    this.#maxBuffered = maxBuffered;
  }

  send(message: ServerMessage): void {
    this.sendEncoded(encode(message));
  }

  /**
   * Sends an encoded message, so that a broadcast is encoded once. A client whose buffer is full
   * misses what is `droppable` and is closed over anything else: memory stays bounded.
   */
  sendEncoded(bytes: Buffer, droppable = false): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount + bytes.length <= this.#maxBuffered) {
      this.#socket.send(bytes, { binary: false });
    } else if (!droppable) {
      this.close('slowConsumer');
    }
  }

  /** Starts the closing handshake; `ws` cuts the connection when the client does not answer it. */
  close(why: CloseCode): void {
    this.#socket.close(CLOSE_CODES[why].code, CLOSE_CODES[why].reason);
  }

  /** Cuts the connection without a goodbye. */
  terminate(): void {
    this.#socket.terminate();
  }
}

/** The bytes of a message, for `sendEncoded`. */
export function encode(message: ServerMessage): Buffer {
  return Buffer.from(JSON.stringify(message));
}
