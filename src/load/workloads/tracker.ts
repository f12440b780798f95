import type { Connection } from '../socket/connection.ts';
import type { Failure } from '../measure/errors.ts';
import type { TrafficTimes } from './protocol.ts';
import type { PhaseCounters, WorkerCounters } from '../measure/counters.ts';

/** What became of the messages of one worker; each mode has its own. */
export abstract class Tracker {
  /** Start of the measured phase on the common clock: what was due before is warm-up. */
  measureMs = Infinity;
  /** Time of the present piece of input: one look at the clock for all messages in it. */
  nowMs = 0;
  /** Messages that the present piece of input settled. */
  settled = 0;
  protected readonly warmup: PhaseCounters;
  protected readonly measure: PhaseCounters;

  constructor(counters: WorkerCounters) {
    this.warmup = counters.warmup;
    this.measure = counters.measure;
  }

  /** The counts that a message that was due at `ms` belongs to. */
  phaseOf(ms: number): PhaseCounters {
    return ms < this.measureMs ? this.warmup : this.measure;
  }

  /** Messages that wait for their reply. */
  abstract readonly inFlight: number;
  /** As of `FrameSink`. */
  abstract message(c: Connection, bytes: Buffer, from: number, to: number, opcode: number): void;
  abstract begin(connection: Connection, opcode: number): void;
  abstract part(connection: Connection, bytes: Buffer, from: number, to: number): void;
  abstract end(connection: Connection): void;
  /** Gives up on all that is outstanding on `connection`. */
  abstract lose(connection: Connection, failure: Failure): void;
}

/** What one worker sends and when; its tracker knows what came of it. */
export interface Traffic {
  /** Resolves once it has what it needs: the connections may take all descriptors that are left. */
  readonly ready: Promise<void>;
  /** A connection was opened, in the connect phase. */
  opened(connection: Connection): void;
  start(times: TrafficTimes): void;
  /** A piece of input of `connection` settled so many messages. */
  answered(connection: Connection, count: number): void;
  /** Everything that was due was sent. */
  readonly done: boolean;
  /** Sends no more. */
  stop(): void;
}
