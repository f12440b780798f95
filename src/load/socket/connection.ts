import type { Socket } from 'node:net';
import {
  CloseCode,
  HeadDecoder,
  Opcode,
  encodeClose,
  encodeFrame,
  verifyResponse,
} from '../../protocol/index.ts';
import type { RequestHead, Violation } from '../../protocol/index.ts';
import type { Failure } from '../measure/errors.ts';
import {
  closeFailure,
  handshakeEndFailure,
  socketFailure,
  statusFailure,
  violationFailure,
} from '../measure/errors.ts';
import { FrameParser } from './frame-parser.ts';
import type { FrameSink } from './frame-parser.ts';
import { NONE } from '../measure/in-flight.ts';
import { maskingKey } from '../random.ts';
import type { Queue } from '../measure/in-flight.ts';

/** What a connection tells the thread that drives it. */
export interface ConnectionHost extends FrameSink<Connection> {
  /** Its socket is about to connect; `ended` follows, whatever comes between. */
  opening(connection: Connection): void;
  opened(connection: Connection): void;
  /** It never opened, or is gone without our doing. */
  failed(connection: Connection, failure: Failure): void;
  dropped(connection: Connection, failure: Failure): void;
  /** Before and after the frames of one piece of input; `bytes` is its size. */
  received(connection: Connection, bytes: number): void;
  consumed(connection: Connection): void;
  /** The socket is closed, for whatever reason; the last call. */
  ended(connection: Connection): void;
}

/** What is sent to open a connection. */
export interface Opening {
  readonly bytes: Buffer;
  readonly head: RequestHead;
}

const OPENING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/**
 * One WebSocket over a raw socket that reads into the buffer of its thread. It holds what has to be
 * known per connection and no more: ten thousand of them are to fit in a few dozen megabytes.
 */
export class Connection implements Queue {
  /** Number among all connections of the run, from 0. */
  readonly index: number;
  /** When it was due to be opened and when its connect started, in milliseconds. */
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
  /** Of a message that comes in pieces; made when there is one. */
  incoming: IncomingMessage | undefined;
  /** Where it is in the list of open connections; -1 when it is not there. */
  position = -1;
  socket: Socket | undefined;
  readonly #host: ConnectionHost;
  readonly #reader: FrameParser<Connection>;
  #state = OPENING;
  #opening: { readonly sent: Opening; readonly decoder: HeadDecoder<'response'> } | undefined;

  constructor(
    host: ConnectionHost,
    at: { readonly index: number; readonly intendedMs: number; readonly startedMs: number },
  ) {
    this.#host = host;
    this.index = at.index;
    this.intendedMs = at.intendedMs;
    this.startedMs = at.startedMs;
    this.#reader = new FrameParser<Connection>(this, host);
  }

  get isOpen(): boolean {
    return this.#state === OPEN;
  }

  get isOpening(): boolean {
    return this.#state === OPENING;
  }

  /** Takes a socket that is about to connect; `ready` is the event after which it can be written. */
  open(socket: Socket, ready: 'connect' | 'secureConnect', opening: Opening): void {
    this.socket = socket;
    this.#opening = { sent: opening, decoder: new HeadDecoder('response') };
    socket.on(ready, () => void socket.write(opening.bytes));
    socket.on('error', (error) => {
      this.#fail(socketFailure(error, this.isOpening && ready === 'secureConnect'));
    });
    socket.on('close', () => {
      if (this.#state < CLOSING) this.#fail(this.#endFailure());
      this.#state = CLOSED;
      this.#host.ended(this);
    });
  }

  /** Takes the first `count` bytes of the buffer of the thread, which the socket filled. */
  receive(bytes: Buffer, count: number): void {
    if (this.#state === OPENING) this.#receiveHead(bytes.subarray(0, count));
    else this.#receiveFrames(bytes, count);
  }

  /** Gives up on opening it. */
  abort(failure: Failure): void {
    this.#fail(failure);
  }

  /** Starts the closing handshake, after which the server is the first to end the connection. */
  close(): void {
    if (this.#state !== OPEN) return;
    this.#state = CLOSING;
    this.socket?.write(maskedFrame(Opcode.close, encodeClose(CloseCode.normal)));
  }

  /** Ends it at once. Without a FIN of ours, no port of this machine stays in TIME_WAIT. */
  reset(): void {
    if (this.#state < CLOSING) this.#state = CLOSING;
    this.socket?.resetAndDestroy();
  }

  pong(payload: Buffer): void {
    if (this.#state === OPEN) this.socket?.write(maskedFrame(Opcode.pong, payload));
  }

  /** The server's Close frame came. */
  peerClosed(code: number, reason: string): void {
    // When we closed first, the server ends the connection next (RFC 6455 section 7.1.1).
    if (this.#state !== OPEN) return;
    this.socket?.end(maskedFrame(Opcode.close, encodeClose(isCode(code) ? code : undefined)));
    this.#fail(closeFailure(code, reason), false);
  }

  /** The server broke the RFC: section 7.1.7, _Fail the WebSocket Connection_. */
  violated(breach: Violation): void {
    if (this.#state === OPEN) {
      this.socket?.write(maskedFrame(Opcode.close, encodeClose(breach.closeCode)));
    }
    this.#fail(violationFailure('violation', breach));
  }

  #receiveHead(bytes: Buffer): void {
    const opening = this.#opening;
    if (opening === undefined) return;
    const { decoder, sent } = opening;
    decoder.receive(bytes);
    const head = decoder.head();
    if (decoder.violation !== undefined) {
      this.#fail(violationFailure('handshake', decoder.violation));
    } else if (head !== undefined) {
      const verified = head.status === 101 ? verifyResponse(head, sent.head) : undefined;
      if (verified?.ok === true) this.#opened(decoder.rest());
      else if (verified === undefined) this.#fail(statusFailure(head));
      else this.#fail(violationFailure('handshake', verified.violation));
    }
  }

  #opened(rest: Buffer): void {
    this.#state = OPEN;
    this.#opening = undefined;
    this.#host.opened(this);
    if (rest.length > 0) this.#receiveFrames(rest, rest.length);
  }

  #receiveFrames(bytes: Buffer, count: number): void {
    this.#host.received(this, count);
    this.#reader.read(bytes, 0, count);
    this.#host.consumed(this);
  }

  /** Counts the end of it once: as a failure to open, or as dropped. */
  #fail(failure: Failure, destroy = true): void {
    const before = this.#state;
    if (before >= CLOSING) return;
    this.#state = CLOSING;
    this.#opening = undefined;
    if (destroy) this.socket?.destroy();
    if (before === OPENING) this.#host.failed(this, failure);
    else this.#host.dropped(this, failure);
  }

  #endFailure(): Failure {
    if (this.#state === OPEN) return closeFailure(CloseCode.abnormal, '');
    return handshakeEndFailure(this.#opening?.decoder.rest() ?? Buffer.alloc(0));
  }
}

/** A message of which not all is there yet. */
export interface IncomingMessage {
  opcode: number;
  length: number;
  /** Whether all of it was as expected so far. */
  same: boolean;
  /** Its first bytes, to find out which message it answers. */
  readonly slot: Buffer;
}

/** A frame of our own, for what is sent seldom. */
export function maskedFrame(opcode: number, payload: Uint8Array): Buffer {
  return encodeFrame({ opcode, payload, maskingKey: maskingKey() });
}

/** 1005 stands for a Close frame without a code, and is answered by one. */
function isCode(code: number): boolean {
  return code !== CloseCode.noStatus;
}
