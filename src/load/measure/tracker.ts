import { Counter, add } from './counters.ts';
import type { PhaseCounters, WorkerCounters } from './counters.ts';
import type { ErrorTable, Failure } from './errors.ts';

/** Nanoseconds in a millisecond: the clock counts milliseconds, histograms count nanoseconds. */
export const NS = 1e6;

/** Takes the messages of connections; `bytes` are valid during the call only. */
export interface MessageSink<C> {
  /** A whole message. */
  message(connection: C, bytes: Buffer, from: number, to: number, opcode: number): void;
  /** A message in pieces: its start, any number of pieces of its payload, its end. */
  begin(connection: C, opcode: number): void;
  part(connection: C, bytes: Buffer, from: number, to: number): void;
  end(connection: C): void;
}

/**
 * Counts the messages of one worker by phase; `sent = received + lost + inFlight` at any time.
 * Subclasses match replies with what was sent. This base ignores what the server sends, as the mode
 * idle does.
 */
export class Tracker<C> implements MessageSink<C> {
  /** Start of the measured phase on the common clock: what was due before is warm-up. */
  measureMs = Infinity;
  /** End of the measured phase: what comes later is of the drain. */
  endMs = Infinity;
  /** When the present piece of input came: the clock is read once for all messages in it. */
  nowMs = 0;
  /** Messages that the present piece of input answered or lost. */
  settled = 0;
  protected readonly warmup: PhaseCounters;
  protected readonly measure: PhaseCounters;
  protected readonly errors: ErrorTable;

  constructor(counters: WorkerCounters, errors: ErrorTable) {
    this.warmup = counters.warmup;
    this.measure = counters.measure;
    this.errors = errors;
  }

  /** Messages that wait for their reply. */
  get inFlight(): number {
    return 0;
  }

  /** The counters of a message that was due at `ms`. */
  phaseOf(ms: number): PhaseCounters {
    return ms < this.measureMs ? this.warmup : this.measure;
  }

  /** Counts a reply that came at `nowMs`; `responseMs` is null where messages are due when they are sent. */
  countReply(phase: PhaseCounters, serviceMs: number, responseMs: number | null): void {
    add(phase.counts, Counter.received, 1);
    const { nowMs } = this;
    if (nowMs >= this.measureMs && nowMs < this.endMs) {
      add(this.measure.counts, Counter.inWindow, 1);
    }
    phase.service.record(serviceMs * NS);
    if (responseMs !== null) phase.response.record(responseMs * NS);
  }

  /** Counts a message that went wrong; in the measured phase it is an error as well. */
  countFailure(phase: PhaseCounters, counter: number, failure: Failure): void {
    add(phase.counts, counter, 1);
    if (phase === this.measure) this.errors.add(failure);
  }

  message(connection: C, bytes: Buffer, from: number, to: number, opcode: number): void;
  message(): void {}

  begin(connection: C, opcode: number): void;
  begin(): void {}

  part(connection: C, bytes: Buffer, from: number, to: number): void;
  part(): void {}

  end(connection: C): void;
  end(): void {}

  /** Counts what is in flight on `connection` as lost. */
  lose(connection: C, failure: Failure): void;
  lose(): void {}
}
