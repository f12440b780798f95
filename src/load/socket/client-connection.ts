import type { Socket } from 'node:net';
import {
  CloseCode,
  Connection,
  HeadDecoder,
  createKey,
  createRequest,
  formatExtensions,
  toExtension,
  verifyResponse,
} from '../../protocol/index.ts';
import type { ConnectionEvent, NegotiatedDeflate, RequestHead } from '../../protocol/index.ts';
import { maskingKey, takeRandom } from '../random.ts';
import { now } from '../measure/clock.ts';
import {
  closeFailure,
  handshakeEndFailure,
  socketFailure,
  statusFailure,
  violationFailure,
} from '../measure/errors.ts';
import type { Failure } from '../measure/errors.ts';
import type { ClientDialer } from './client-dialer.ts';

/** What a client tells its driver. After `failed`, or `dropped`, nothing follows but `ended`. */
export interface ClientEvents {
  opened(): void;
  /** The opening handshake did not come to a 101. */
  failed(failure: Failure): void;
  /** One message; `atMs` is when its last bytes came. */
  message(opcode: 1 | 2, data: Buffer, atMs: number): void;
  /** Bytes that came after the handshake, frame headers included. */
  received(bytes: number): void;
  pinged(): void;
  /** An open connection is gone without our doing. */
  dropped(failure: Failure): void;
  /** The socket is closed; the last call of all. */
  ended(): void;
}

export interface ClientConnectionOptions {
  readonly dialer: ClientDialer;
  /** Number of the connection: it picks address, source address and token. */
  readonly index: number;
  readonly url: URL;
  /** Beside those of the target. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly subprotocols: readonly string[];
  readonly timeoutMs: number;
  readonly events: ClientEvents;
}

/** How long a server may take to answer our Close frame, in milliseconds. */
const CLOSE_MS = 500;

/**
 * A WebSocket as clients have them, on the protocol's `Connection`: permessage-deflate if the target
 * wants it, fragments, pings and the closing handshake. It tells what comes as it comes.
 */
export class ClientConnection {
  /** When its connect started, in milliseconds on the common clock. */
  readonly startedMs = now();
  /** Bytes written after the handshake. */
  bytesSent = 0;
  /** What is in force of permessage-deflate. */
  deflate: NegotiatedDeflate | undefined;
  readonly #options: ClientConnectionOptions;
  readonly #socket: Socket;
  readonly #request: RequestHead;
  readonly #decoder = new HeadDecoder<'response'>('response');
  #connection: Connection | undefined;
  #state: 'opening' | 'open' | 'closing' | 'over' = 'opening';
  #timer: NodeJS.Timeout;

  constructor(options: ClientConnectionOptions) {
    this.#options = options;
    const { dialer, timeoutMs } = options;
    const { bytes, head } = createOpening(options);
    this.#request = head;
    this.#socket = dialer.connect(options.index);
    this.#socket.once(dialer.isSecure ? 'secureConnect' : 'connect', () => {
      this.#socket.write(bytes);
    });
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('end', () => this.#receiveEnd());
    this.#socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#fail(socketFailure(error, this.#state === 'opening' && dialer.isSecure));
    });
    this.#socket.on('close', () => this.#ended());
    this.#timer = setTimeout(() => {
      const text = `no answer to the opening handshake within ${timeoutMs} ms`;
      this.#fail({ kind: 'timeout', detail: 'handshake', text });
    }, timeoutMs);
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Queues a message; `flush` sends it. Whether the connection was open for it. */
  send(opcode: 1 | 2, payload: string | Uint8Array): boolean {
    const connection = this.#connection;
    if (this.#state !== 'open' || connection === undefined) return false;
    if (opcode === 1) connection.sendText(payload);
    else connection.sendBinary(typeof payload === 'string' ? Buffer.from(payload) : payload);
    return true;
  }

  /** Writes what is queued, in one go. */
  flush(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const chunks = connection.output();
    const socket = this.#socket;
    if (chunks.length > 1) socket.cork();
    for (const chunk of chunks) {
      this.bytesSent += chunk.length;
      socket.write(chunk);
    }
    if (chunks.length > 1) socket.uncork();
    if (connection.outputEnded) socket.end();
  }

  /** Starts the closing handshake, or drops what is not open yet; `ended` follows. */
  close(code: number = CloseCode.normal): void {
    if (this.#state !== 'open') {
      this.reset();
      return;
    }
    this.#state = 'closing';
    this.#connection?.sendClose(code);
    this.flush();
    this.#timer = setTimeout(() => this.reset(), CLOSE_MS);
  }

  /** Ends the connection at once. */
  reset(): void {
    this.#state = 'over';
    // Without a FIN of ours, no port of this machine stays in TIME_WAIT.
    if (!this.#socket.destroyed) this.#socket.resetAndDestroy();
  }

  #receive(chunk: Buffer): void {
    if (this.#state === 'opening') {
      this.#receiveHead(chunk);
      return;
    }
    const connection = this.#connection;
    if (connection === undefined || this.#state === 'over') return;
    this.#options.events.received(chunk.length);
    const atMs = now();
    connection.receive(chunk);
    for (const event of connection.events()) this.#take(event, atMs);
    this.flush();
  }

  #receiveHead(chunk: Buffer): void {
    const decoder = this.#decoder;
    decoder.receive(chunk);
    const head = decoder.head();
    if (decoder.violation !== undefined) {
      this.#fail(violationFailure('handshake', decoder.violation));
      return;
    }
    if (head === undefined) return;
    if (head.status !== 101) {
      this.#fail(statusFailure(head));
      return;
    }
    const verified = verifyResponse(head, this.#request);
    if (!verified.ok) {
      this.#fail(violationFailure('handshake', verified.violation));
      return;
    }
    clearTimeout(this.#timer);
    this.#state = 'open';
    this.deflate = verified.deflate;
    this.#connection = new Connection({
      role: 'client',
      maskSource: maskingKey,
      deflate: verified.deflate,
    });
    this.#options.events.opened();
    const rest = decoder.rest();
    if (rest.length > 0) this.#receive(rest);
  }

  #take(event: ConnectionEvent, atMs: number): void {
    switch (event.type) {
      case 'message':
        if (this.#state === 'open') this.#options.events.message(event.opcode, event.data, atMs);
        break;
      case 'ping':
        this.#options.events.pinged();
        break;
      case 'pong':
        break;
      case 'violation':
        this.#fail(violationFailure('violation', event.violation), false);
        break;
      case 'close':
        // The answer to our Close frame, or what follows a violation, is no failure.
        this.#fail(closeFailure(event.code, event.reason), false);
        break;
    }
  }

  #receiveEnd(): void {
    const connection = this.#connection;
    if (connection === undefined) this.#fail(handshakeEndFailure(this.#decoder.rest()));
    else this.#fail(closeFailure(CloseCode.abnormal, ''));
    this.#socket.end();
  }

  /** Tells once that it is gone, unless that is our doing. */
  #fail(failure: Failure, destroy = true): void {
    const before = this.#state;
    if (before === 'over') return;
    this.#state = 'over';
    clearTimeout(this.#timer);
    if (destroy) this.#socket.destroy();
    else this.#expectEnd();
    if (before === 'opening') this.#options.events.failed(failure);
    else if (before === 'open') this.#options.events.dropped(failure);
  }

  /** The Close frames are exchanged: the server ends the connection, in time or not. */
  #expectEnd(): void {
    this.flush();
    this.#timer = setTimeout(() => this.reset(), CLOSE_MS);
  }

  #ended(): void {
    if (this.#state !== 'over') this.#fail(closeFailure(CloseCode.abnormal, ''));
    clearTimeout(this.#timer);
    this.#options.events.ended();
  }
}

function createOpening(options: ClientConnectionOptions): { bytes: Buffer; head: RequestHead } {
  const { dialer, url, index } = options;
  const { target } = dialer;
  return createRequest({
    url,
    key: createKey(takeRandom(16)),
    protocols: options.subprotocols,
    extensions: target.compression
      ? formatExtensions([toExtension({ clientMaxWindowBits: true })])
      : '',
    headers: [...target.headers, ...dialer.credentials(index), ...options.headers],
  });
}
