import { Connection, errorOf } from './connection.ts';
import type { ConnectionOptions, State } from './connection.ts';
import { Emitter } from './emitter.ts';
import { after, ClientError, randomId } from './messages.ts';
import type { Incoming } from './messages.ts';
// #if chat || pubsub
import { isCount } from './messages.ts';
import { Outbox } from './outbox.ts';
import type { OutboxOptions } from './outbox.ts';
// #endif
import type { Stream } from './stream.ts';

// #if chat || pubsub
export interface ClientOptions extends ConnectionOptions, OutboxOptions, StreamOptions {}
// #else
//~ export interface ClientOptions extends ConnectionOptions, StreamOptions {}
// #endif

interface StreamOptions {
  /** How long the server has to let the client into a room, topic or document. */
  readonly joinTimeoutMs?: number;
}

export interface ClientEvents {
  state: State;
  /** What belongs to no promise: getToken failed, the server complains. */
  error: ClientError;
}

/** The names of a protocol for the same things. */
export interface Words {
  /** Command for the events of a stream, and its reply. */
  readonly join: string;
  readonly joined: string;
  /** Command for no more of them, and its reply; with a `code`, the server has put the client out. */
  readonly leave: string;
  readonly left: string;
  /** The key of a stream's name. */
  readonly name: string;
}

/** What the clients of all types have in common. */
export abstract class Client<S extends Stream> extends Emitter<ClientEvents> {
  protected readonly streams = new Map<string, S>();
  protected readonly connection: Connection;
  // #if chat || pubsub
  protected readonly outbox: Outbox;
  // #endif
  readonly #words: Words;
  /** Streams of this connection whose reply is due, by the id of the command, or that will be asked for later. */
  readonly #due = new Map<unknown, S>();

  protected constructor(options: ClientOptions, words: Words) {
    super();
    this.#words = words;
    this.connection = new Connection(options, {
      state: (state) => this.#changed(state),
      welcome: () => this.#welcome(),
      message: (message) => this.#receive(message),
      down: () => this.#lost(),
      error: (error) => this.emit('error', error),
    });
    // #if chat || pubsub
    this.outbox = new Outbox(options, {
      isClosed: () => this.state.name === 'closed',
      isReady: (stream) => this.state.name === 'open' && this.isReady(stream),
      buffered: () => this.connection.buffered,
      send: (text) => this.connection.send(text),
    });
    // #endif
  }

  get state(): State {
    return this.connection.state;
  }

  /** What the server offers, once it has welcomed: `rooms`, `history`, `resume` … */
  get features(): ReadonlySet<string> {
    return this.connection.features;
  }

  /** Connects, and stays connected until `close`; settles when it is open or closed. */
  connect(): Promise<void> {
    this.connection.connect();
    const opened = new Promise<void>((resolve, reject) => {
      const check = ({ name, reason }: State): void => {
        if (name === 'open') resolve();
        else if (name === 'closed') reject(new ClientError('closed', reason));
        else return;
        stop();
      };
      const stop = this.on('state', check);
      check(this.state);
    });
    // Who watches the states need not wait for it.
    opened.catch(() => undefined);
    return opened;
  }

  /** Ends the connection, and all that waits. */
  close(): void {
    this.connection.close();
  }

  /** Gives up this connection and makes another: for tests and demonstrations. */
  reconnect(): void {
    this.connection.restart('reconnect() was called');
  }

  /** The stream `name`, made by `make` when there is none. */
  protected open(name: string, make: () => S): S {
    const present = this.streams.get(name);
    if (present !== undefined) return present;
    const stream = make();
    this.streams.set(name, stream);
    if (['open', 'resuming'].includes(this.state.name)) this.#ask(stream);
    return stream;
  }

  protected readonly owner = {
    ask: (stream: Stream): void => this.#ask(stream as S),
    leave: (stream: Stream): void => this.#leave(stream as S),
    restart: (reason: string): void => this.connection.restart(reason),
  };

  #ask(stream: S): void {
    if (this.streams.get(stream.name) !== stream) return;
    if (!this.asksToJoin) {
      // The server has one room, in which every client is.
      stream.asked(undefined);
      stream.accept({});
      return;
    }
    const id = randomId();
    const since = this.features.has('resume') || this.alwaysResumes ? stream.since : undefined;
    const { join, name } = this.#words;
    const command = { type: join, id, [name]: stream.name, ...(since && { since }) };
    if (!this.connection.send(command)) return;
    stream.asked(since);
    this.#due.set(id, stream);
    after(this.connection.limits.joinTimeoutMs, () => {
      if (this.#due.has(id)) this.connection.restart(`no answer to ${join} ${stream.name}`);
    });
  }

  #leave(stream: S): void {
    if (this.streams.get(stream.name) !== stream) return;
    this.streams.delete(stream.name);
    const { leave, name } = this.#words;
    if (this.asksToJoin) this.connection.send({ type: leave, [name]: stream.name });
    this.#resumed();
  }

  #welcome(): void {
    // #if chat || pubsub
    if (!this.features.has('resume')) this.outbox.forget();
    // #endif
    this.connection.setResumed(false);
    for (const stream of [...this.streams.values()]) this.#ask(stream);
    this.#resumed();
  }

  #resumed(): void {
    const isWaiting = (stream: S): boolean => ['new', 'asked'].includes(stream.status);
    if (this.state.name !== 'resuming' || [...this.streams.values()].some(isWaiting)) return;
    this.connection.setResumed(true);
  }

  #lost(): void {
    this.#due.clear();
    for (const stream of this.streams.values()) stream.lost();
    // #if chat || pubsub
    this.outbox.lost(this.features.has('resume'));
    // #endif
  }

  #changed(state: State): void {
    // #if chat || pubsub
    if (state.name === 'open') this.outbox.flush();
    if (state.name === 'closed') this.outbox.close();
    // #endif
    this.emit('state', state);
  }

  #receive(message: Incoming): void {
    switch (message['type']) {
      case this.#words.joined:
        this.#joined(message);
        return;
      case 'error':
        this.#failed(message['id'], errorOf(message));
        return;
      case this.#words.left: {
        const stream = this.streams.get(String(message[this.#words.name]));
        if (message['code'] !== undefined) stream?.refused(errorOf(message));
        return;
      }
      // #if chat || pubsub
      case 'ack': {
        const { offset } = message;
        const duplicate = message['duplicate'] === true;
        this.outbox.answer(message['id'], { duplicate, ...(isCount(offset) && { offset }) });
        return;
      }
      // #endif
      default:
        this.receive(message);
    }
  }

  /** The stream that asked with `id`; its answer has come. */
  #answered(id: unknown): S | undefined {
    const stream = this.#due.get(id);
    this.#due.delete(id);
    // It may have been left, or have asked again.
    return stream !== undefined && this.streams.get(stream.name) === stream ? stream : undefined;
  }

  #joined(reply: Incoming): void {
    const stream = this.#answered(reply['id']);
    if (stream === undefined) return;
    // #if chat || pubsub
    const epoch = stream.since?.epoch;
    // #endif
    stream.accept(reply);
    // #if chat || pubsub
    const isNew = epoch !== undefined && stream.since?.epoch !== epoch;
    if (isNew) this.outbox.forget(this.outboxOf(stream.name));
    this.outbox.flush();
    // #endif
    this.#resumed();
  }

  #failed(id: unknown, error: ClientError): void {
    const stream = this.#answered(id);
    if (stream !== undefined) {
      // What the server cannot do at the moment says for how long.
      if (error.retryAfterMs !== undefined) this.#askLater(stream, error.retryAfterMs);
      else stream.refused(error);
      this.#resumed();
      return;
    }
    // #if chat || pubsub
    if (this.outbox.answer(id, error)) return;
    // #endif
    this.emit('error', error);
  }

  #askLater(stream: S, milliseconds: number): void {
    const retry = {};
    this.#due.set(retry, stream);
    after(milliseconds, () => {
      if (this.#due.delete(retry)) this.#ask(stream);
    });
  }

  /** Whether the server has to be asked for the events of a stream. */
  protected get asksToJoin(): boolean {
    return true;
  }

  /** Whether `since` is a part of the protocol itself, not a feature. */
  protected get alwaysResumes(): boolean {
    return false;
  }

  // #if chat || pubsub
  /** Whether what is published to `stream` may be sent. */
  protected isReady: (stream: string) => boolean = () => true;

  /** What `publish` calls the stream `name`. */
  protected outboxOf(name: string): string {
    return name;
  }
  // #endif

  /** Takes an event of the server. */
  protected abstract receive(message: Incoming): void;
}
