import type { IncomingMessage, ServerResponse } from 'node:http';
import { isRequest, isResponse, paramsOf } from '../json-rpc.ts';
import type { JsonRpcMessage, JsonRpcRequest, RequestId } from '../json-rpc.ts';
import { Outbox } from '../outbox.ts';
import type { SessionLink } from './session.ts';

/** How long a response may take before its headers are sent, so that nobody gives up on it. */
const OPEN_AFTER_MS = 5000;
/** Characters of one stream that can be sent again. */
const KEPT_CHARACTERS = 1024 * 1024;
/** Streams that have ended and can be asked for again. */
const KEPT_STREAMS = 10;
/** The stream of what belongs to no request. */
const GENERAL = 0;

/** A response that is being written. */
interface Open {
  readonly response: ServerResponse;
  /** Bytes that wait to be sent. */
  waiting: number;
}

/** Messages that go over one response, or over those with which it went on. */
class Stream {
  readonly name: number;
  readonly request: JsonRpcRequest | undefined;
  isDone = false;
  readonly #outbox = new Outbox(KEPT_CHARACTERS);
  readonly #count: (bytes: number) => void;
  /** Messages that were written to some response. */
  #written = 0;
  #open: Open | undefined;
  #ended: ServerResponse | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `count` is told how many bytes more wait to be sent. */
  constructor(name: number, request: JsonRpcRequest | undefined, count: (bytes: number) => void) {
    this.name = name;
    this.request = request;
    this.#count = count;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Whether something was sent that has an id, by which the client can ask for what follows. */
  get canResume(): boolean {
    return this.#written > 0;
  }

  /** Answers with this response from now on; `isEvents`: as a stream, at once. */
  attach(response: ServerResponse, isEvents: boolean): void {
    this.end();
    // Whoever asked may have gone while the session took no messages.
    if (response.destroyed) return;
    const open = { response, waiting: 0 };
    this.#open = open;
    response.on('error', () => undefined);
    response.once('close', () => {
      this.#count(-open.waiting);
      open.waiting = 0;
      if (this.#open !== open) return;
      clearTimeout(this.#timer);
      this.#open = undefined;
    });
    if (isEvents) this.begin();
    else this.#timer = setTimeout(() => this.begin(), OPEN_AFTER_MS);
  }

  /** Goes on after the message with this number; false if that cannot be. */
  resume(response: ServerResponse, after: number): boolean {
    if (this.#outbox.since(after) === undefined) return false;
    this.#written = after;
    this.attach(response, true);
    if (this.isDone) this.end();
    return true;
  }

  send(text: string, isLast: boolean): void {
    this.isDone = isLast;
    const open = this.#open;
    if (isLast && open !== undefined && !open.response.headersSent) {
      open.response.writeHead(200, { 'content-type': 'application/json' });
      this.#write(open, text);
    } else {
      this.begin();
      if (open !== undefined) this.#writeEvent(open, text);
      // A message that is too long to be kept was written all the same.
      this.#outbox.add(text);
    }
    if (isLast) this.end();
  }

  /** Writes what was not written yet, as events. */
  begin(): void {
    clearTimeout(this.#timer);
    const open = this.#open;
    if (open === undefined) return;
    if (!open.response.headersSent) {
      const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' };
      open.response.writeHead(200, headers).flushHeaders();
    }
    this.#written = Math.max(this.#written, this.#outbox.given);
    for (const text of this.#outbox.since(this.#written) ?? []) this.#writeEvent(open, text);
  }

  comment(): void {
    if (this.#open?.response.headersSent === true) this.#open.response.write(': \n\n');
  }

  end(): void {
    clearTimeout(this.#timer);
    const response = this.#open?.response;
    if (response === undefined) return;
    this.#open = undefined;
    this.#ended = response;
    if (!response.headersSent) response.writeHead(404);
    response.end();
  }

  destroy(): void {
    this.end();
    this.#ended?.destroy();
  }

  #writeEvent(open: Open, text: string): void {
    this.#written += 1;
    this.#write(open, `id: ${this.name}.${this.#written}\ndata: ${text}\n\n`);
  }

  #write(open: Open, text: string): void {
    const bytes = Buffer.byteLength(text);
    open.waiting += bytes;
    this.#count(bytes);
    open.response.write(text, () => {
      const sent = Math.min(bytes, open.waiting);
      open.waiting -= sent;
      this.#count(-sent);
    });
  }
}

/** One session over HTTP: each request has a response of its own, what belongs to none a stream. */
export class HttpLink implements SessionLink {
  #bufferedBytes = 0;
  #heldBytes = 0;
  #lastName = GENERAL;
  #resume: (() => void)[] | undefined;
  #isClosed = false;
  /** Of requests that are in flight. */
  readonly #inFlight = new Map<RequestId, Stream>();
  readonly #streams = new Map<number, Stream>();
  readonly #general = this.#create(GENERAL, undefined);
  readonly #heartbeat: NodeJS.Timeout | undefined;
  readonly #handlers: HttpLinkHandlers;
  readonly #maxHeld: number;
  #drained: (() => void)[] = [];

  /** `maxHeld`: bytes that the client's messages may take, together, until they are received. */
  constructor(handlers: HttpLinkHandlers, heartbeatMs: number, maxHeld: number) {
    this.#handlers = handlers;
    this.#maxHeld = maxHeld;
    if (heartbeatMs === 0) return;
    // A peer that has gone is noticed by what is written to it.
    this.#heartbeat = setInterval(() => {
      for (const stream of this.#streams.values()) stream.comment();
    }, heartbeatMs).unref();
  }

  get isOpen(): boolean {
    return !this.#isClosed && [...this.#streams.values()].some(({ isOpen }) => isOpen);
  }

  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  isInFlight(id: RequestId): boolean {
    return this.#inFlight.has(id);
  }

  /** The request is answered by the response. */
  expect(request: JsonRpcRequest, response: ServerResponse): void {
    this.#lastName += 1;
    const stream = this.#create(this.#lastName, request);
    this.#inFlight.set(request.id, stream);
    stream.attach(response, false);
  }

  /** Opens the stream of what belongs to no request, or goes on with one that was lost. */
  listen({ headers }: IncomingMessage, response: ServerResponse): void {
    const [, name, count] = /^(\d+)\.(\d+)$/.exec(String(headers['last-event-id'])) ?? [];
    const lost = this.#streams.get(Number(name ?? NaN));
    if (lost?.resume(response, Number(count)) === true) return;
    this.#general.attach(response, true);
  }

  /** The request is not going to be answered. */
  forget(id: RequestId): void {
    const stream = this.#inFlight.get(id);
    if (stream === undefined) return;
    stream.begin();
    stream.end();
    this.#inFlight.delete(id);
    this.#streams.delete(stream.name);
  }

  post(text: string, message = JSON.parse(text) as JsonRpcMessage): void {
    this.#handlers.sent();
    if (this.#isClosed) return;
    const line = text.replace(/[\r\n]+/g, ' ');
    const stream = this.#streamFor(message);
    const isLast = isResponse(message) && stream.request?.id === message.id;
    stream.send(line, isLast);
    if (!isLast) return;
    this.#inFlight.delete(message.id);
    const done = [...this.#streams.values()].filter(({ isDone }) => isDone);
    for (const old of done) {
      if (old.canResume && done.indexOf(old) >= done.length - KEPT_STREAMS) continue;
      this.#streams.delete(old.name);
    }
  }

  send(text: string, message?: JsonRpcMessage): Promise<void> {
    this.post(text, message);
    if (this.#bufferedBytes === 0 || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  ping(): void {
    // All that was sent is confirmed at once: each stream keeps its own.
  }

  pause(): void {
    this.#resume ??= [];
  }

  resume(): void {
    const waiting = this.#resume ?? [];
    this.#resume = undefined;
    for (const go of waiting) go();
  }

  /** Counts bytes of a message that is being read or waits; false if they are too many. */
  hold(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#maxHeld) return false;
    this.#heldBytes += bytes;
    return true;
  }

  letGo(bytes: number): void {
    this.#heldBytes -= bytes;
  }

  /** Resolves when the session takes messages. */
  async ready(): Promise<void> {
    while (this.#resume !== undefined) {
      await new Promise<void>((resolve) => this.#resume?.push(resolve));
    }
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#handlers.closed();
    clearInterval(this.#heartbeat);
    this.resume();
    for (const resolve of this.#drained.splice(0)) resolve();
    for (const stream of this.#streams.values()) stream.end();
    return Promise.resolve();
  }

  terminate(): void {
    for (const stream of this.#streams.values()) stream.destroy();
  }

  #create(name: number, request: JsonRpcRequest | undefined): Stream {
    const stream = new Stream(name, request, (bytes) => {
      this.#bufferedBytes += bytes;
      if (bytes > 0) return;
      for (const resolve of this.#drained.splice(0)) resolve();
    });
    this.#streams.set(name, stream);
    return stream;
  }

  /** A response goes to its request; the rest to the request that it is about, as far as that is known. */
  #streamFor(message: JsonRpcMessage): Stream {
    if (isResponse(message)) return this.#inFlight.get(message.id) ?? this.#general;
    const waiting = [...this.#inFlight.values()];
    const token = paramsOf(message)['progressToken'];
    if (!isRequest(message) && token !== undefined) {
      const about = waiting.find(({ request }) => progressTokenOf(request) === token);
      if (about !== undefined) return about;
    }
    if (waiting.length !== 1 && this.#general.isOpen) return this.#general;
    return waiting.findLast(({ isOpen }) => isOpen) ?? this.#general;
  }
}

interface HttpLinkHandlers {
  /** A message was handed to a stream, which keeps it. */
  sent(): void;
  /** Nothing more is received or sent. */
  closed(): void;
}

function progressTokenOf(request: JsonRpcRequest | undefined): unknown {
  const meta = request === undefined ? undefined : paramsOf(request)['_meta'];
  return (meta as { progressToken?: unknown } | undefined)?.progressToken;
}
