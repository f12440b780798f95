import type { Connection, IncomingMessage } from '../socket/connection.ts';
import type { ErrorTable, Failure } from '../measure/errors.ts';
import {
  CONNECTION_MASK,
  SEQUENCE_MASK,
  SLOT_BYTES,
  slotConnection,
  slotSequence,
} from '../socket/prepared-frames.ts';
import type { PreparedFrames } from '../socket/prepared-frames.ts';
import { Tracker } from './tracker.ts';
import { Counter, add } from '../measure/counters.ts';
import type { WorkerCounters } from '../measure/counters.ts';
import { NONE, InFlight } from '../measure/in-flight.ts';

export interface EchoTrackerOptions {
  readonly strip: PreparedFrames;
  /** Of the messages, and of the replies that count. */
  readonly opcode: 1 | 2;
  readonly counters: WorkerCounters;
  readonly errors: ErrorTable;
  /** In the open model response and lateness are recorded, in the closed one service alone. */
  readonly open: boolean;
  /** A TLS socket sends after `write` has returned, and so is given a copy. */
  readonly copy: boolean;
}

/** A reply that is not the one that was expected next, and what it can be found by. */
interface OddReply {
  readonly opcode: number;
  readonly length: number;
  /** Whether its content, slot aside, is that of our payload up to this length. */
  readonly same: boolean;
  /** -1 where there is no slot that could be read. */
  readonly connection: number;
  readonly sequence: number;
}

/** Sequence numbers this far back are past ones, those beyond never were. */
const PAST = (SEQUENCE_MASK + 1) / 2;

/** Nanoseconds in a millisecond: the clock has the one, histograms the other. */
const NS = 1e6;

/**
 * What was sent and what came back, each message matched with its reply and counted once:
 * `sent = received + lost + outstanding` at any time.
 */
export class EchoTracker extends Tracker {
  readonly #inFlight = new InFlight();
  readonly #strip: PreparedFrames;
  readonly #opcode: number;
  readonly #errors: ErrorTable;
  readonly #open: boolean;
  readonly #copy: boolean;

  constructor(options: EchoTrackerOptions) {
    super(options.counters);
    this.#strip = options.strip;
    this.#opcode = options.opcode;
    this.#errors = options.errors;
    this.#open = options.open;
    this.#copy = options.copy;
  }

  override get inFlight(): number {
    return this.#inFlight.size;
  }

  /**
   * Sends `count` messages, as far as the strip goes in one write, at the time `nowMs`. The first
   * was due at `due[first]`, the others each `step` further on; a step of 0 is one time for all.
   */
  send(connection: Connection, count: number, due: Float64Array, first = 0, step = 0): void {
    const most = this.#strip.frames;
    for (let from = 0; from < count; from += most) {
      const piece = Math.min(most, count - from);
      const frame = this.#strip.take(piece);
      for (let i = 0; i < piece; i++) {
        this.#note(connection, frame + i, due[first + (from + i) * step] as number);
      }
      this.#write(connection, frame, piece);
    }
  }

  #note(connection: Connection, frame: number, dueMs: number): void {
    const { sequence } = connection;
    const strip = this.#strip;
    connection.sequence = (sequence + 1) & SEQUENCE_MASK;
    strip.stamp(frame, connection.index & CONNECTION_MASK, sequence);
    const list = this.#inFlight;
    const entry = list.push(connection);
    list.intended[entry] = dueMs;
    list.sent[entry] = this.nowMs;
    list.sequence[entry] = sequence;
    list.frame[entry] = frame;
    const phase = this.phaseOf(dueMs);
    add(phase.counts, Counter.sent, 1);
    add(phase.counts, Counter.bytesSent, strip.frameBytes(frame));
    if (this.#open) phase.lateness.record((this.nowMs - dueMs) * NS);
  }

  #write(connection: Connection, first: number, count: number): void {
    const { socket } = connection;
    if (socket === undefined) return;
    const bytes = this.#strip.view(first, count);
    if (this.#copy || socket.writableLength > 0) {
      socket.write(Buffer.from(bytes));
      return;
    }
    socket.write(bytes);
    // The system did not take all of it: the rest is still to be sent from where it is.
    if (socket.writableLength > 0) this.#strip.renew();
  }

  /** Matches a whole message with what was sent. */
  override message(
    connection: Connection,
    bytes: Buffer,
    from: number,
    to: number,
    opcode: number,
  ): void {
    const entry = connection.head;
    const list = this.#inFlight;
    if (
      entry !== NONE &&
      opcode === this.#opcode &&
      this.#strip.matches(
        list.frame[entry] as number,
        connection.index & CONNECTION_MASK,
        list.sequence[entry] as number,
        bytes,
        from,
        to,
      )
    ) {
      this.#answer(connection, entry);
      list.shift(connection);
      return;
    }
    const slotted = this.#strip.slotted && to - from >= SLOT_BYTES;
    this.#judge(connection, {
      opcode,
      length: to - from,
      same: this.#strip.hasContent(bytes, from, to, 0),
      connection: slotted ? slotConnection(bytes, from) : -1,
      sequence: slotted ? slotSequence(bytes, from) : -1,
    });
  }

  override begin(connection: Connection, opcode: number): void {
    const incoming = (connection.incoming ??= newMessage());
    incoming.opcode = opcode;
    incoming.length = 0;
    incoming.same = true;
  }

  override part(connection: Connection, bytes: Buffer, from: number, to: number): void {
    const incoming = connection.incoming as IncomingMessage;
    if (incoming.length < SLOT_BYTES) bytes.copy(incoming.slot, incoming.length, from, to);
    incoming.same &&= this.#strip.hasContent(bytes, from, to, incoming.length);
    incoming.length += to - from;
  }

  override end(connection: Connection): void {
    const incoming = connection.incoming as IncomingMessage;
    const slotted = this.#strip.slotted && incoming.length >= SLOT_BYTES;
    this.#judge(connection, {
      opcode: incoming.opcode,
      length: incoming.length,
      same: incoming.same,
      connection: slotted ? slotConnection(incoming.slot, 0) : -1,
      sequence: slotted ? slotSequence(incoming.slot, 0) : -1,
    });
  }

  /** Gives up on all that is outstanding on `connection`. */
  override lose(connection: Connection, failure: Failure): void {
    while (connection.head !== NONE) this.#lose(connection, connection.head, failure);
  }

  /** Notes a reply for `entry`, which the caller takes off the list. */
  #answer(connection: Connection, entry: number): void {
    const dueMs = this.#inFlight.intended[entry] as number;
    const phase = this.phaseOf(dueMs);
    add(phase.counts, Counter.received, 1);
    phase.service.record((this.nowMs - (this.#inFlight.sent[entry] as number)) * NS);
    if (this.#open) phase.response.record((this.nowMs - dueMs) * NS);
    if (phase === this.measure) connection.replies++;
    this.settled++;
  }

  #lose(connection: Connection, entry: number, failure: Failure): void {
    const phase = this.phaseOf(this.#inFlight.intended[entry] as number);
    add(phase.counts, Counter.lost, 1);
    if (phase === this.measure) this.#errors.add(failure);
    this.#inFlight.remove(connection, entry);
    this.settled++;
  }

  /** Finds out what a reply is that was not the one expected next. */
  #judge(connection: Connection, reply: OddReply): void {
    const entry = this.#entryOf(connection, reply);
    if (entry === NONE) {
      if (this.#isPast(connection, reply)) {
        const text = `message ${reply.sequence} was answered twice`;
        this.#count(Counter.duplicated, { kind: 'duplicated', detail: '', text });
      } else {
        this.#count(Counter.wrong, this.#unasked(connection, reply));
      }
      return;
    }
    const flaw = this.#flawOf(entry, reply);
    if (flaw !== null) {
      const failure: Failure = { kind: 'wrong', ...flaw };
      this.#count(Counter.wrong, failure);
      // Only by its number is it certain which message has this for an answer.
      if (this.#strip.slotted) this.#lose(connection, entry, WRONG_REPLY);
      return;
    }
    if (entry !== connection.head) {
      const text = `message ${reply.sequence} was answered before ${this.#inFlight.sequence[connection.head] ?? 0}`;
      this.#count(Counter.outOfOrder, { kind: 'out-of-order', detail: '', text });
    }
    this.#answer(connection, entry);
    this.#inFlight.remove(connection, entry);
  }

  #entryOf(connection: Connection, reply: OddReply): number {
    if (!this.#strip.slotted) return connection.head;
    return reply.connection === (connection.index & CONNECTION_MASK)
      ? this.#inFlight.find(connection, reply.sequence)
      : NONE;
  }

  #isPast(connection: Connection, reply: OddReply): boolean {
    if (reply.connection !== (connection.index & CONNECTION_MASK)) return false;
    const distance = (connection.sequence - reply.sequence) & SEQUENCE_MASK;
    return reply.sequence >= 0 && distance > 0 && distance < PAST && reply.same;
  }

  #unasked(connection: Connection, reply: OddReply): Failure {
    const mine = connection.index & CONNECTION_MASK;
    if (reply.connection >= 0 && reply.sequence >= 0 && reply.same && reply.connection !== mine) {
      const text = `connection ${mine} got the reply to a message of connection ${reply.connection}`;
      return { kind: 'wrong', detail: 'other connection', text };
    }
    const text = `got a message of ${reply.length} bytes that answers none that was sent`;
    return { kind: 'wrong', detail: 'not asked for', text };
  }

  #flawOf(entry: number, reply: OddReply): { detail: string; text: string } | null {
    const length = this.#strip.lengths[this.#inFlight.frame[entry] as number] as number;
    if (reply.length !== length) {
      return { detail: 'length', text: `sent ${length} bytes, got ${reply.length} back` };
    }
    if (!reply.same) {
      return { detail: 'payload', text: `sent ${length} bytes, got as many others back` };
    }
    if (reply.opcode === this.#opcode) return null;
    const text = `sent opcode ${this.#opcode}, got opcode ${reply.opcode} back`;
    return { detail: 'opcode', text };
  }

  /** Counts what belongs to no message of ours, by the time at which it came. */
  #count(index: number, failure: Failure): void {
    const phase = this.phaseOf(this.nowMs);
    add(phase.counts, index, 1);
    if (phase === this.measure) this.#errors.add(failure);
  }
}

const WRONG_REPLY: Failure = {
  kind: 'lost',
  detail: 'wrong reply',
  text: 'the reply had another payload',
};

function newMessage(): IncomingMessage {
  return { opcode: 0, length: 0, same: true, slot: Buffer.alloc(SLOT_BYTES) };
}
