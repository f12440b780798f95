import { Connection as Protocol } from '../../protocol/index.ts';
import type { ConnectionEvent } from '../../protocol/index.ts';
import { closeFailure, violationFailure } from '../measure/errors.ts';
import { maskingKey } from '../random.ts';
import { Connection } from './connection.ts';

/**
 * A connection of the engine client and of scenarios, on the protocol's `Connection`: it has
 * permessage-deflate, fragments, pings and the closing handshake.
 */
export class ClientConnection extends Connection {
  #protocol: Protocol | undefined;
  #bytesSent = 0;

  override send(opcode: 1 | 2, payloads: readonly (string | Uint8Array)[]): number {
    if (!this.isOpen) return 0;
    const connection = this.#connection();
    for (const payload of payloads) {
      if (opcode === 1) connection.sendText(payload);
      else connection.sendBinary(typeof payload === 'string' ? Buffer.from(payload) : payload);
    }
    const before = this.#bytesSent;
    this.#flush(connection);
    return this.#bytesSent - before;
  }

  protected override sendClose(code: number): void {
    const connection = this.#connection();
    connection.sendClose(code);
    this.#flush(connection);
  }

  protected override receiveFrames(bytes: Buffer, count: number): void {
    const connection = this.#connection();
    this.host.received(this, count);
    connection.receive(count === bytes.length ? bytes : bytes.subarray(0, count));
    for (const event of connection.events()) this.#take(event);
    this.#flush(connection);
    this.host.consumed(this);
  }

  #connection(): Protocol {
    const { deflate } = this;
    this.#protocol ??= new Protocol({ role: 'client', maskSource: maskingKey, deflate });
    return this.#protocol;
  }

  #take(event: ConnectionEvent): void {
    switch (event.type) {
      case 'message':
        if (this.isOpen) this.host.message(this, event.data, 0, event.data.length, event.opcode);
        break;
      case 'ping':
        this.host.pinged(this);
        break;
      case 'pong':
        break;
      case 'violation':
        this.fail(violationFailure('violation', event.violation), false);
        break;
      case 'close':
        // Not a failure when it answers our Close frame or follows a violation.
        this.fail(closeFailure(event.code, event.reason), false);
        break;
    }
  }

  /** Writes what is queued in one go. */
  #flush(connection: Protocol): void {
    const { socket } = this;
    if (socket === undefined || socket.destroyed) return;
    const chunks = connection.output();
    if (chunks.length > 1) socket.cork();
    for (const chunk of chunks) {
      this.#bytesSent += chunk.length;
      socket.write(chunk);
    }
    if (chunks.length > 1) socket.uncork();
    if (connection.outputEnded) socket.end();
  }
}
