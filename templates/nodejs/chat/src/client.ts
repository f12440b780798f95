import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { CLOSE_CODES } from './close-codes.ts';
import type { CloseCode } from './close-codes.ts';
import { encode } from './messages.ts';
import type { ServerMessage } from './messages.ts';
// #if rooms
import type { Room } from './room.ts';
// #endif

/** One connection with its user and a bounded send buffer. */
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
   * Sends an encoded message, so that a broadcast is encoded once. With a full buffer, a
   * `droppable` message is skipped and any other closes the client: memory stays bounded.
   */
  sendEncoded(bytes: Buffer, droppable = false): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount + bytes.length <= this.#maxBuffered) {
      this.#socket.send(bytes, { binary: false });
    } else if (!droppable) {
      this.close('slowConsumer');
    }
  }

  /** Starts the closing handshake; `ws` ends the connection if the client does not answer. */
  close(why: CloseCode): void {
    this.#socket.close(CLOSE_CODES[why].code, CLOSE_CODES[why].reason);
  }

  /** Ends the connection without a closing handshake. */
  terminate(): void {
    this.#socket.terminate();
  }
}
