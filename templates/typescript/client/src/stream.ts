import { Emitter } from './emitter.ts';
import { isCount, isPosition } from './messages.ts';
import type { ClientError, Incoming, Position, Recovered } from './messages.ts';

/** What a stream may ask of the client that it belongs to. */
export interface Owner {
  /** Sends the command that makes the server send the stream's events, from `stream.since` on. */
  readonly ask: (stream: Stream) => void;
  /** Sends the command that ends them. */
  readonly leave: (stream: Stream) => void;
  /** The server broke the protocol: only a new connection can tell what was lost. */
  readonly restart: (reason: string) => void;
}

export interface StreamEvents {
  /** After a lost connection, or a gap: whether everything in between has come. */
  recovered: Recovered;
  /** The server refused to let this client in. */
  error: ClientError;
  /** The server's events come from now on. */
  joined: undefined;
}

/** Events that wait for the answer to a command, at most. */
const MAX_HELD = 10_000;

/**
 * Events with offsets that count up: a room, a subscription or a document. It gives each event once and
 * in order, or says that there is a gap.
 */
export abstract class Stream<Events extends StreamEvents = StreamEvents> extends Emitter<Events> {
  /** The room, pattern or document. */
  readonly name: string;
  status: 'new' | 'asked' | 'joined' | 'refused' = 'new';
  protected readonly owner: Owner;
  /** Of the last event that was given on. */
  #offset: number | undefined;
  #epoch: string | undefined;
  #asked: Position | undefined;
  #held: Incoming[] = [];
  #everJoined = false;
  #users = 0;

  constructor(name: string, owner: Owner) {
    super();
    this.name = name;
    this.owner = owner;
  }

  /** Where to continue; undefined when nothing is known. */
  get since(): Position | undefined {
    const [offset, epoch] = [this.#offset, this.#epoch];
    return offset === undefined || epoch === undefined ? undefined : { offset, epoch };
  }

  /** One more part of the program uses it; it is left when the last of them calls `leave`. */
  retain(): this {
    this.#users++;
    return this;
  }

  /** Wants no more events. */
  leave(): void {
    if (--this.#users <= 0) this.owner.leave(this);
  }

  /** The command was sent. */
  asked(since: Position | undefined): void {
    this.status = 'asked';
    this.#asked = since;
    this.#held = [];
  }

  /** The connection is gone. */
  lost(): void {
    this.status = 'new';
    this.#held = [];
  }

  refused(error: ClientError): void {
    this.status = 'refused';
    this.emit('error', error);
  }

  /** The answer to the command. */
  accept(reply: Incoming): void {
    const position = reply['position'];
    if (position !== undefined && !isPosition(position)) {
      this.owner.restart('malformed position');
      return;
    }
    const asked = this.#asked;
    const known = asked?.epoch === position?.epoch ? asked : undefined;
    const events = this.listOf(reply);
    const isContinued =
      reply['recovered'] === true &&
      known !== undefined &&
      position !== undefined &&
      this.#isComplete(events, known.offset, position.offset);
    if (this.#everJoined) this.emit('recovered', { recovered: isContinued });
    this.#everJoined = true;
    this.#epoch = position?.epoch;
    this.#offset = isContinued ? known.offset : this.restore(reply, position, asked);
    this.status = 'joined';
    for (const event of events) this.#giveNew(event);
    if (position !== undefined) this.#offset = Math.max(this.#offset ?? 0, position.offset);
    this.emit('joined', undefined);
    for (const event of this.#held.splice(0)) this.handle(event);
  }

  /** Takes an event of the server. */
  handle(event: Incoming): void {
    if (this.status === 'asked') {
      this.#held.push(event);
      if (this.#held.length > MAX_HELD) this.owner.restart('too many events');
    }
    if (this.status !== 'joined') return;
    const { offset } = event;
    const expected = this.#offset === undefined ? undefined : this.#offset + 1;
    if (!isCount(offset) || expected === undefined || offset === expected) this.#giveNew(event);
    else if (offset > expected) this.#handleLater(event);
  }

  /** Something else of the same sequence came: nothing before `offset` is still to come. */
  passed(offset: unknown): void {
    const isLater = isCount(offset) && this.#offset !== undefined && offset > this.#offset;
    if (this.status === 'joined' && isLater) this.#offset = offset;
  }

  #handleLater(event: Incoming): void {
    if (this.hasEveryOffset && this.since !== undefined) {
      this.ask(this.since);
      this.handle(event);
      return;
    }
    // Without resume the server cannot fill the gap.
    if (this.hasEveryOffset) this.emit('recovered', { recovered: false });
    this.#giveNew(event);
  }

  /** Asks anew on the same connection. */
  protected ask(since: Position | undefined): void {
    if (since === undefined) this.#offset = undefined;
    this.owner.ask(this);
  }

  #giveNew(event: Incoming): void {
    const { offset } = event;
    if (isCount(offset)) {
      if (this.#offset !== undefined && offset <= this.#offset) return;
      this.#offset = offset;
    }
    this.give(event);
  }

  /** Whether `events` lead from `start` to `end` without a gap. */
  #isComplete(events: readonly Incoming[], start: number, end: number): boolean {
    let at = start;
    for (const { offset } of events) {
      if (!isCount(offset)) return false;
      if (offset <= at) continue;
      if (this.hasEveryOffset && offset !== at + 1) return false;
      at = offset;
    }
    return this.hasEveryOffset ? at === end : at <= end;
  }

  /** Starts anew with `reply` to a command with `since`; the offset before the first event of the reply. */
  protected abstract restore(
    reply: Incoming,
    position: Position | undefined,
    since: Position | undefined,
  ): number | undefined;

  /** The events that `reply` brings along. */
  protected listOf(reply: Incoming): readonly Incoming[] {
    const { messages } = reply;
    return Array.isArray(messages) ? (messages as Incoming[]) : [];
  }

  /** Whether it gets every event of its sequence. */
  protected get hasEveryOffset(): boolean {
    return true;
  }

  /** A new event, in order. */
  protected abstract give(event: Incoming): void;
}
