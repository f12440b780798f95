import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { CloseCode, HeadDecoder, fieldValue, verifyResponse } from '../../protocol/index.ts';
import type { NegotiatedDeflate, ResponseHead } from '../../protocol/index.ts';
import {
  closeFailure,
  handshakeEndFailure,
  socketFailure,
  statusFailure,
  violationFailure,
} from '../measure/errors.ts';
import type { Failure } from '../measure/errors.ts';
import { bodyOf, endsChunks } from '../../transport/read-body.ts';
import { readOn } from '../../transport/read-on.ts';
import { NONE } from '../measure/in-flight.ts';
import type { Queue } from '../measure/in-flight.ts';
import type { MessageSink } from '../measure/tracker.ts';
import type { OpeningRequest } from './opening-request.ts';

/** What a connection reports to the worker that opened it. */
export interface ConnectionEvents extends MessageSink<Connection> {
  opened(connection: Connection): void;
  /** It never opened. */
  failed(connection: Connection, failure: Failure): void;
  /** It was open and ended, not by us. */
  dropped(connection: Connection, failure: Failure): void;
  /** Before and after the messages of one piece of input; `bytes` is its size. */
  received(connection: Connection, bytes: number): void;
  consumed(connection: Connection): void;
  /** A ping of the server was answered. */
  pinged(connection: Connection): void;
  /** The socket is closed, for any reason; the last event of all. */
  ended(connection: Connection): void;
}

/** Which connection, and since when. */
export interface Place {
  /** Number among all connections of the run, from 0; it picks address, source address and token. */
  readonly index: number;
  /** When it was due to be opened and when its connect started, in milliseconds. */
  readonly intendedMs: number;
  readonly startedMs: number;
}

/** A message of which not all has come yet. */
export interface IncomingMessage {
  opcode: number;
  length: number;
  /** Whether all of it was as expected so far. */
  same: boolean;
  /** Its first bytes, to find out which message it answers. */
  readonly slot: Buffer;
}

/** How long a server may take to end a connection after our Close frame, in milliseconds. */
const CLOSE_MS = 1000;

/** How much of the body of a refusal is read, and for how many milliseconds it is waited for. */
const REASON_BYTES = 512;
const REASON_MS = 500;

const OPENING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/**
 * A WebSocket of the load generator: opening handshake, end, and what trackers note of it. How
 * frames are read and written is left to the two engines' subclasses. It holds as little as it can:
 * ten thousand connections have to fit in a few dozen megabytes.
 */
export abstract class Connection implements Place, Queue {
  readonly index: number;
  readonly intendedMs: number;
  readonly startedMs: number;
  head = NONE;
  tail = NONE;
  /** Sequence number of the next message. */
  sequence = 0;
  /** Row of the message that was delivered last; in the mode fanout. */
  lastDelivery = NONE;
  /** Messages that it may send. */
  credit = 0;
  /** Replies in the measured phase. */
  replies = 0;
  /** Of a message in pieces; made when there is one. */
  incoming: IncomingMessage | undefined;
  /** Where it is in the list of open connections; -1 when it is not there. */
  position = -1;
  /** Set once the server has accepted permessage-deflate. */
  deflate: NegotiatedDeflate | undefined;
  socket: Socket | undefined;
  protected readonly host: ConnectionEvents;
  #state = OPENING;
  #request: OpeningRequest | undefined;
  #key = '';
  /** Of a response that is not known, or comes in pieces. */
  #decoder: HeadDecoder<'response'> | undefined;
  #isRefused = false;
  /** Of the opening handshake, then of the closing one. */
  #timer: NodeJS.Timeout | undefined;

  constructor(host: ConnectionEvents, at: Place) {
    this.host = host;
    this.index = at.index;
    this.intendedMs = at.intendedMs;
    this.startedMs = at.startedMs;
  }

  get isOpen(): boolean {
    return this.#state === OPEN;
  }

  get isOpening(): boolean {
    return this.#state === OPENING;
  }

  /** Sends messages in one write, if the connection is open; returns the bytes written. */
  abstract send(opcode: 1 | 2, payloads: readonly (string | Uint8Array)[]): number;
  protected abstract sendClose(code: number): void;
  protected abstract receiveFrames(bytes: Buffer, count: number): void;

  /** Takes a socket that is about to connect and sends `request` as soon as it has. */
  open(socket: Socket, request: OpeningRequest, timeoutMs: number): void {
    const isSecure = socket instanceof TLSSocket;
    this.socket = socket;
    this.#request = request;
    this.#key = request.createKey();
    this.#timer = setTimeout(() => {
      const text = `no answer to the opening handshake within ${timeoutMs} ms`;
      this.fail({ kind: 'timeout', detail: 'handshake', text });
    }, timeoutMs);
    socket.on(isSecure ? 'secureConnect' : 'connect', () => {
      socket.write(request.text(this.#key), 'latin1');
    });
    readOn(socket);
    socket.on('error', (error) => {
      this.fail(socketFailure(error, this.isOpening && isSecure));
    });
    socket.on('close', () => {
      if (this.#state < CLOSING) this.fail(this.#endFailure());
      clearTimeout(this.#timer);
      this.#state = CLOSED;
      this.host.ended(this);
    });
  }

  /** Takes the first `count` of `bytes`, which came from the socket. */
  receive(bytes: Buffer, count: number): void {
    if (this.#state === OPENING) this.#receiveHead(bytes, count);
    else this.receiveFrames(bytes, count);
  }

  /**
   * Starts the closing handshake, after which the server is the first to end the connection (RFC
   * 6455 section 7.1.1); resets a connection that is not open yet.
   */
  close(code: number = CloseCode.normal): void {
    if (this.#state === OPENING) this.reset();
    if (this.#state !== OPEN) return;
    this.#state = CLOSING;
    this.#expectEnd();
    this.sendClose(code);
  }

  /** Ends it at once. Without a FIN of ours, no port of this machine stays in TIME_WAIT. */
  reset(): void {
    if (this.#state < CLOSING) this.#state = CLOSING;
    const { socket } = this;
    // Only a connected TCP socket can be reset.
    if (socket?.connecting === false && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
    else socket?.destroy();
  }

  /** Reports its end once, unless it is our doing: as a failure to open, or as dropped. */
  protected fail(failure: Failure, destroy = true): void {
    const before = this.#state;
    if (before >= CLOSING) return;
    this.#state = CLOSING;
    this.#request = undefined;
    this.#decoder = undefined;
    if (destroy) this.socket?.destroy();
    else this.#expectEnd();
    if (before === OPENING) this.host.failed(this, failure);
    else this.host.dropped(this, failure);
  }

  #receiveHead(bytes: Buffer, count: number): void {
    const request = this.#request;
    if (request === undefined) return;
    const isFirst = this.#decoder === undefined;
    const length = isFirst ? request.recognize(bytes, count, this.#key) : 0;
    if (length > 0) {
      this.#opened(bytes.subarray(length, count), request.deflate);
      return;
    }
    const decoder = (this.#decoder ??= new HeadDecoder('response'));
    decoder.receive(bytes.subarray(0, count));
    const head = decoder.head();
    if (decoder.violation !== undefined) {
      this.fail(violationFailure('handshake', decoder.violation));
    } else if (head?.status === 101) {
      const verified = verifyResponse(head, request.head(this.#key));
      if (verified.ok) {
        const { deflate } = verified;
        const rest = decoder.rest();
        if (isFirst) request.learn(bytes.subarray(0, count - rest.length), this.#key, deflate);
        this.#opened(rest, deflate);
      } else {
        this.fail(violationFailure('handshake', verified.violation));
      }
    } else if (head !== undefined) {
      this.#refused(head, decoder);
    }
  }

  /** The body is waited for, for a short time, as it often says why. */
  #refused(head: ResponseHead, decoder: HeadDecoder<'response'>): void {
    const body = decoder.rest();
    const announced = Number(fieldValue(head, 'content-length') ?? Infinity);
    const isWhole = body.length >= Math.min(announced, REASON_BYTES);
    if (isWhole || endsChunks(head, body)) {
      this.fail(statusFailure(head, bodyOf(head, body)));
    } else if (!this.#isRefused) {
      this.#isRefused = true;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.fail(this.#endFailure()), REASON_MS);
    }
  }

  #opened(rest: Buffer, deflate: NegotiatedDeflate | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#state = OPEN;
    this.#request = undefined;
    this.#decoder = undefined;
    this.deflate = deflate;
    this.host.opened(this);
    if (rest.length > 0) this.receiveFrames(rest, rest.length);
  }

  /** The server has to end the connection next. */
  #expectEnd(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.reset(), CLOSE_MS);
  }

  #endFailure(): Failure {
    if (this.#state === OPEN) return closeFailure(CloseCode.abnormal, '');
    const head = this.#decoder?.head();
    const rest = this.#decoder?.rest() ?? Buffer.alloc(0);
    return head !== undefined && head.status !== 101
      ? statusFailure(head, bodyOf(head, rest))
      : handshakeEndFailure(rest);
  }
}
