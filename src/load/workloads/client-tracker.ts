import type { ErrorTable, Failure } from '../measure/errors.ts';
import { SLOT_BYTES } from '../socket/prepared-frames.ts';
import { Counter, add } from '../measure/counters.ts';
import type { PhaseCounters, WorkerCounters } from '../measure/counters.ts';
import type { Payloads } from '../socket/payloads.ts';

/** Nanoseconds in a millisecond. */
const NS = 1e6;

/** A message that waits for its reply. */
interface Sent {
  readonly dueMs: number;
  readonly sentMs: number;
  /** Bytes of its payload, and where it was cut from. */
  readonly length: number;
  readonly from: number;
}

/** The messages of one connection. */
export interface EchoAccount {
  /** Number of the connection; its messages bear it. */
  readonly index: number;
  /** Sequence number of the next message. */
  sequence: number;
  /** By sequence number, the oldest first. */
  readonly inFlight: Map<number, Sent>;
  /** Replies in the measured phase. */
  replies: number;
}

/**
 * What the full client sent and got back: the accounting of the fast engine's tracker, for whole
 * payloads. `sent = received + lost + outstanding` at any time.
 */
export class ClientTracker {
  /** Start of the measured phase: what was due before is warm-up. */
  measureMs = Infinity;
  inFlight = 0;
  readonly #counters: WorkerCounters;
  readonly #errors: ErrorTable;
  readonly #payloads: Payloads;
  readonly #open: boolean;

  constructor(options: {
    counters: WorkerCounters;
    errors: ErrorTable;
    payloads: Payloads;
    /** In the closed model a message is due when it is sent. */
    open: boolean;
  }) {
    this.#counters = options.counters;
    this.#errors = options.errors;
    this.#payloads = options.payloads;
    this.#open = options.open;
  }

  phaseOf(ms: number): PhaseCounters {
    return ms < this.measureMs ? this.#counters.warmup : this.#counters.measure;
  }

  /** Notes the next message of `account` as sent, and returns its payload. */
  send(account: EchoAccount, dueMs: number, nowMs: number): Buffer {
    const sequence = account.sequence++;
    const { bytes, from } = this.#payloads.next(account.index, sequence);
    account.inFlight.set(sequence, { dueMs, sentMs: nowMs, length: bytes.length, from });
    this.inFlight += 1;
    const phase = this.phaseOf(dueMs);
    add(phase.counts, Counter.sent, 1);
    if (this.#open) phase.lateness.record((nowMs - dueMs) * NS);
    return bytes;
  }

  /** Matches a message with what was sent; whether it settled one. */
  receive(account: EchoAccount, reply: { opcode: number; data: Buffer; atMs: number }): boolean {
    const { data, atMs } = reply;
    const found = this.#find(account, data);
    if (typeof found === 'object') {
      this.#count(found.kind === 'duplicated' ? Counter.duplicated : Counter.wrong, found, atMs);
      return false;
    }
    const sent = account.inFlight.get(found) as Sent;
    const flaw = this.#payloads.flaw(sent, reply);
    if (flaw !== null) {
      this.#count(Counter.wrong, { kind: 'wrong', ...flaw }, atMs);
      this.#lose(account, found, WRONG_REPLY);
      return true;
    }
    const [oldest] = account.inFlight.keys();
    if (oldest !== found) {
      const text = `message ${found} was answered before ${oldest ?? 0}`;
      this.#count(Counter.outOfOrder, { kind: 'out-of-order', detail: '', text }, atMs);
    }
    this.#answer(account, found, atMs);
    return true;
  }

  /** Gives up on all that is outstanding on `account`. */
  lose(account: EchoAccount, failure: Failure): void {
    for (const sequence of account.inFlight.keys()) this.#lose(account, sequence, failure);
  }

  /** The sequence number of the message that `data` answers, or what is wrong with it. */
  #find(account: EchoAccount, data: Buffer): number | Failure {
    if (!this.#payloads.slotted) {
      const [oldest] = account.inFlight.keys();
      return oldest ?? unasked(data);
    }
    const slot = data.length >= SLOT_BYTES ? this.#payloads.slotOf(data) : null;
    if (slot === null) return unasked(data);
    const { connection, sequence } = slot;
    if (connection !== account.index) {
      const text = `connection ${account.index} got the reply to a message of connection ${connection}`;
      return { kind: 'wrong', detail: 'other connection', text };
    }
    if (account.inFlight.has(sequence)) return sequence;
    if (sequence >= account.sequence) return unasked(data);
    return { kind: 'duplicated', detail: '', text: `message ${sequence} was answered twice` };
  }

  #answer(account: EchoAccount, sequence: number, atMs: number): void {
    const { dueMs, sentMs } = account.inFlight.get(sequence) as Sent;
    const phase = this.phaseOf(dueMs);
    add(phase.counts, Counter.received, 1);
    phase.service.record((atMs - sentMs) * NS);
    if (this.#open) phase.response.record((atMs - dueMs) * NS);
    if (phase === this.#counters.measure) account.replies += 1;
    this.#settle(account, sequence);
  }

  #lose(account: EchoAccount, sequence: number, failure: Failure): void {
    const phase = this.phaseOf((account.inFlight.get(sequence) as Sent).dueMs);
    add(phase.counts, Counter.lost, 1);
    if (phase === this.#counters.measure) this.#errors.add(failure);
    this.#settle(account, sequence);
  }

  #settle(account: EchoAccount, sequence: number): void {
    account.inFlight.delete(sequence);
    this.inFlight -= 1;
  }

  #count(index: number, failure: Failure, atMs: number): void {
    const phase = this.phaseOf(atMs);
    add(phase.counts, index, 1);
    if (phase === this.#counters.measure) this.#errors.add(failure);
  }
}

function unasked(data: Buffer): Failure {
  const text = `got a message of ${data.length} bytes that answers none that was sent`;
  return { kind: 'wrong', detail: 'not asked for', text };
}

const WRONG_REPLY: Failure = {
  kind: 'lost',
  detail: 'wrong reply',
  text: 'the reply had another payload',
};
