import type { FanoutPlan } from '../plan.ts';
import { PublishedMessages, ID_DIGITS, TAG_DIGITS, formatId } from '../measure/published.ts';
import type { PublishedBuffers } from '../measure/published.ts';
import type { Connection } from '../socket/connection.ts';
import type { ErrorTable } from '../measure/errors.ts';
import { NS, Tracker } from '../measure/tracker.ts';
import { AllCounters, Counter, Gauge, add } from '../measure/counters.ts';
import type { WorkerCounters } from '../measure/counters.ts';
import type { PreparedPublish } from '../socket/prepared-publish.ts';

/** How much of a message in pieces is kept to find its id. */
const KEPT_BYTES = 64 * 1024;

export interface FanoutTrackerOptions {
  readonly plan: FanoutPlan;
  readonly frames: PreparedPublish;
  readonly index: number;
  readonly published: PublishedBuffers;
  readonly counters: WorkerCounters;
  readonly errors: ErrorTable;
}

/**
 * Counts what this worker published, and what was delivered to its connections.
 *
 * All counts are of deliveries: a message to 100 receivers counts as 100 sent, and each delivery as
 * one received; what is missing in the end is lost. Which receiver missed one is not known.
 */
export class FanoutTracker extends Tracker<Connection> {
  readonly published: PublishedMessages;
  readonly #options: FanoutTrackerOptions;
  readonly #all: AllCounters;
  readonly #tag: Buffer;
  /** Messages that come in pieces. */
  readonly #parts = new Map<Connection, { bytes: Buffer; length: number }>();
  /** Where the id was in the last message: usually it is there again. */
  #offset = 0;
  #sequence = 0;

  constructor(options: FanoutTrackerOptions) {
    super(options.counters, options.errors);
    this.#options = options;
    this.published = new PublishedMessages(options.published);
    this.#tag = Buffer.from(this.published.tag);
    this.#all = new AllCounters(options.published.cells);
  }

  /** Expected deliveries of a message that is published now. */
  get receivers(): number {
    const open = this.#all.gauge(Gauge.open);
    return this.#options.plan.toSelf ? open : Math.max(0, open - 1);
  }

  /** Deliveries still to come, to the connections of all workers. */
  override get inFlight(): number {
    return Math.max(0, this.#all.count(Counter.sent) - this.#all.count(Counter.received));
  }

  /** Publishes a message that was due at `dueMs`, at the time `nowMs`; returns its row. */
  publish(connection: Connection, dueMs: number): number {
    const { frames, index } = this.#options;
    const { receivers } = this;
    this.#sequence = PublishedMessages.after(this.#sequence);
    const at = { intendedMs: dueMs, sentMs: this.nowMs, receivers };
    const row = this.published.publish(index, this.#sequence, at);
    const phase = this.phaseOf(dueMs);
    add(phase.counts, Counter.sent, receivers);
    phase.lateness.record((this.nowMs - dueMs) * NS);
    const bytes = frames.send(connection, formatId(this.published.tag, index, this.#sequence));
    add(phase.counts, Counter.bytesSent, bytes);
    return row;
  }

  override message(connection: Connection, bytes: Buffer, from: number, to: number): void {
    const start = this.#findId(bytes, from, to);
    // A notice of the server, or a message of another client in the room.
    if (start < 0) return;
    const worker = readDigits(bytes, start + TAG_DIGITS, 2);
    const sequence = readDigits(bytes, start + TAG_DIGITS + 2, ID_DIGITS - TAG_DIGITS - 2);
    const row = worker < 0 || sequence < 0 ? -1 : this.published.find(worker, sequence);
    if (row >= 0) this.#deliver(connection, row, sequence);
    else this.#unknown(bytes, start);
  }

  override begin(connection: Connection): void {
    this.#parts.set(connection, { bytes: Buffer.alloc(1024), length: 0 });
  }

  override part(connection: Connection, bytes: Buffer, from: number, to: number): void {
    const parts = this.#parts.get(connection);
    if (parts === undefined) return;
    const end = Math.min(to, from + KEPT_BYTES - parts.length);
    const needed = parts.length + end - from;
    if (needed > parts.bytes.length) {
      const wider = Buffer.alloc(Math.max(needed, 2 * parts.bytes.length));
      parts.bytes.copy(wider, 0, 0, parts.length);
      parts.bytes = wider;
    }
    parts.length += bytes.copy(parts.bytes, parts.length, from, end);
  }

  override end(connection: Connection): void {
    const parts = this.#parts.get(connection);
    this.#parts.delete(connection);
    if (parts !== undefined) this.message(connection, parts.bytes, 0, parts.length);
  }

  /** Missed deliveries are counted from the sums when the run is over. */
  override lose(connection: Connection): void {
    this.#parts.delete(connection);
  }

  #deliver(connection: Connection, row: number, sequence: number): void {
    const dueMs = this.published.intended[row] as number;
    const phase = this.phaseOf(dueMs);
    const isTwice = connection.lastDelivery === row;
    const missing = isTwice ? -1 : this.published.deliver(row);
    if (missing < 0) {
      const text = `message ${sequence} was delivered more than once`;
      this.countFailure(phase, Counter.duplicated, { kind: 'duplicated', detail: '', text });
      return;
    }
    const serviceMs = this.nowMs - (this.published.sent[row] as number);
    this.countReply(phase, serviceMs, this.nowMs - dueMs);
    if (missing === 0) phase.lastDelivery.record((this.nowMs - dueMs) * NS);
    if (phase === this.measure) connection.replies++;
    // With several publishers there is no defined order.
    if (this.#options.plan.publishers === 1 && sequence < connection.sequence) {
      const text = `message ${sequence} was delivered after ${connection.sequence}`;
      this.countFailure(phase, Counter.outOfOrder, { kind: 'out-of-order', detail: '', text });
    }
    connection.sequence = sequence;
    connection.lastDelivery = row;
  }

  #unknown(bytes: Buffer, start: number): void {
    const id = bytes.toString('latin1', start, start + ID_DIGITS);
    const text = `got message ${id}, which was not published, or too long ago`;
    this.countFailure(this.phaseOf(this.nowMs), Counter.wrong, {
      kind: 'wrong',
      detail: 'not published',
      text,
    });
  }

  /** Where the id starts, or -1. */
  #findId(bytes: Buffer, from: number, to: number): number {
    if (this.#isIdAt(bytes, from + this.#offset, to)) return from + this.#offset;
    const message = bytes.subarray(from, to);
    let found = message.indexOf(this.#tag);
    // Other numbers, such as a time, may begin like an id but are shorter.
    while (found >= 0 && !this.#isIdAt(bytes, from + found, to)) {
      found = message.indexOf(this.#tag, found + 1);
    }
    if (found < 0) return -1;
    this.#offset = found;
    return from + found;
  }

  #isIdAt(bytes: Buffer, at: number, to: number): boolean {
    if (at + ID_DIGITS > to) return false;
    for (let i = 0; i < TAG_DIGITS; i++) if (bytes[at + i] !== this.#tag[i]) return false;
    return readDigits(bytes, at + TAG_DIGITS, ID_DIGITS - TAG_DIGITS) >= 0;
  }
}

function readDigits(bytes: Buffer, from: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) {
    const digit = (bytes[from + i] as number) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
