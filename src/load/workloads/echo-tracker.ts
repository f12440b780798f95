import type { Failure } from '../measure/errors.ts';
import { Counter, add } from '../measure/counters.ts';
import type { WorkerCounters } from '../measure/counters.ts';
import type { ErrorTable } from '../measure/errors.ts';
import { InFlight, NONE } from '../measure/in-flight.ts';
import { NS, Tracker } from '../measure/tracker.ts';
import type { Connection } from '../socket/connection.ts';
import { CONNECTION_MASK, SEQUENCE_MASK } from '../socket/prepared-frames.ts';

export interface EchoTrackerOptions {
  readonly counters: WorkerCounters;
  readonly errors: ErrorTable;
  /** Opcode of the messages, and of the replies that count. */
  readonly opcode: 1 | 2;
  /** Open model: response and lateness are recorded; in the closed model service alone. */
  readonly open: boolean;
  /** Whether payloads begin with a slot; if not, replies are matched by their order. */
  readonly slotted: boolean;
}

/** A reply that may not be the one that was expected next, and what it can be found by. */
export interface EchoReply {
  readonly opcode: number;
  readonly length: number;
  /** Whether its content, slot aside, is that of our payload up to this length. */
  readonly same: boolean;
  /** Of its slot; -1 where there is no slot that could be read. */
  readonly connection: number;
  readonly sequence: number;
}

/** Sequence numbers up to here behind the next one were sent; those beyond never were. */
const PAST = (SEQUENCE_MASK + 1) / 2;

const WRONG_REPLY: Failure = {
  kind: 'lost',
  detail: 'wrong reply',
  text: 'the reply had another payload',
};

/**
 * Matches each message of the mode echo with its reply and counts it once. How messages are built,
 * sent and compared is left to the two engines' subclasses.
 */
export abstract class EchoTracker extends Tracker<Connection> {
  protected readonly list = new InFlight();
  protected readonly opcode: 1 | 2;
  protected readonly slotted: boolean;
  readonly #open: boolean;

  constructor(options: EchoTrackerOptions) {
    super(options.counters, options.errors);
    this.opcode = options.opcode;
    this.slotted = options.slotted;
    this.#open = options.open;
  }

  /**
   * Sends `count` messages at the time `nowMs`. The first was due at `due[first]`, the others each
   * `step` further on; a step of 0 is one time for all.
   */
  abstract send(
    connection: Connection,
    count: number,
    due: Float64Array,
    first?: number,
    step?: number,
  ): void;
  /** Payload bytes of a message in flight. */
  protected abstract lengthOf(entry: number): number;

  override get inFlight(): number {
    return this.list.size;
  }

  override lose(connection: Connection, failure: Failure): void {
    while (connection.head !== NONE) this.#lose(connection, connection.head, failure);
  }

  /** Notes the next message as sent; returns its entry in the list. */
  protected noteSent(connection: Connection, dueMs: number): number {
    const { sequence } = connection;
    connection.sequence = (sequence + 1) & SEQUENCE_MASK;
    const { list } = this;
    const entry = list.push(connection);
    list.intended[entry] = dueMs;
    list.sent[entry] = this.nowMs;
    list.sequence[entry] = sequence;
    const phase = this.phaseOf(dueMs);
    add(phase.counts, Counter.sent, 1);
    if (this.#open) phase.lateness.record((this.nowMs - dueMs) * NS);
    return entry;
  }

  /** Notes the reply to `entry`, which the caller takes off the list. */
  protected noteReply(connection: Connection, entry: number): void {
    const dueMs = this.list.intended[entry] as number;
    const serviceMs = this.nowMs - (this.list.sent[entry] as number);
    const phase = this.phaseOf(dueMs);
    this.countReply(phase, serviceMs, this.#open ? this.nowMs - dueMs : null);
    if (phase === this.measure) connection.replies++;
    this.settled++;
  }

  /** Finds the message that `reply` answers, if any, and counts what is wrong with it. */
  protected match(connection: Connection, reply: EchoReply): void {
    const entry = this.find(connection, reply);
    if (entry === NONE) {
      if (this.#isPast(connection, reply)) {
        const text = `message ${reply.sequence} was answered twice`;
        this.#count(Counter.duplicated, { kind: 'duplicated', detail: '', text });
      } else {
        this.#count(Counter.wrong, this.#unexpected(connection, reply));
      }
      return;
    }
    const flaw = this.#flawOf(entry, reply);
    if (flaw !== null) {
      this.#count(Counter.wrong, flaw);
      // Without a slot it is not certain which message this answers.
      if (this.slotted) this.#lose(connection, entry, WRONG_REPLY);
      return;
    }
    if (entry !== connection.head) {
      const text = `message ${reply.sequence} was answered before ${this.list.sequence[connection.head] ?? 0}`;
      this.#count(Counter.outOfOrder, { kind: 'out-of-order', detail: '', text });
    }
    this.noteReply(connection, entry);
    this.list.remove(connection, entry);
  }

  /** The message in flight that a reply with this slot answers; `NONE` for none. */
  protected find(
    connection: Connection,
    slot: { readonly connection: number; readonly sequence: number },
  ): number {
    if (!this.slotted) return connection.head;
    return slot.connection === (connection.index & CONNECTION_MASK)
      ? this.list.find(connection, slot.sequence)
      : NONE;
  }

  #lose(connection: Connection, entry: number, failure: Failure): void {
    const phase = this.phaseOf(this.list.intended[entry] as number);
    this.countFailure(phase, Counter.lost, failure);
    this.list.remove(connection, entry);
    this.settled++;
  }

  #isPast(connection: Connection, reply: EchoReply): boolean {
    if (reply.connection !== (connection.index & CONNECTION_MASK)) return false;
    const distance = (connection.sequence - reply.sequence) & SEQUENCE_MASK;
    return reply.sequence >= 0 && distance > 0 && distance < PAST && reply.same;
  }

  #unexpected(connection: Connection, reply: EchoReply): Failure {
    const mine = connection.index & CONNECTION_MASK;
    if (reply.connection >= 0 && reply.sequence >= 0 && reply.same && reply.connection !== mine) {
      const text = `connection ${mine} got the reply to a message of connection ${reply.connection}`;
      return { kind: 'wrong', detail: 'other connection', text };
    }
    const text = `got a message of ${reply.length} bytes that answers none that was sent`;
    return { kind: 'wrong', detail: 'not asked for', text };
  }

  #flawOf(entry: number, reply: EchoReply): Failure | null {
    const length = this.lengthOf(entry);
    if (reply.length !== length) {
      const text = `sent ${length} bytes, got ${reply.length} back`;
      return { kind: 'wrong', detail: 'length', text };
    }
    if (!reply.same) {
      const text = `sent ${length} bytes, got as many others back`;
      return { kind: 'wrong', detail: 'payload', text };
    }
    if (reply.opcode === this.opcode) return null;
    const text = `sent opcode ${this.opcode}, got opcode ${reply.opcode} back`;
    return { kind: 'wrong', detail: 'opcode', text };
  }

  /** Counts a message by the time at which it came, as it belongs to none that was due. */
  #count(counter: number, failure: Failure): void {
    this.countFailure(this.phaseOf(this.nowMs), counter, failure);
  }
}
