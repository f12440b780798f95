import type { ErrorRow } from './measure/errors.ts';
import type { Histogram } from './measure/histogram.ts';

/**
 * What one run measured. Counts are of the measured phase alone, warm-up left out, and add up:
 * `sent = received + lost + inFlight`.
 */
export interface LoadResult {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly engine: 'fast' | 'client' | 'scenario';
  /** How long each phase came to be, in milliseconds. */
  readonly phases: {
    readonly connectMs: number;
    readonly warmupMs: number;
    readonly measureMs: number;
    readonly drainMs: number;
  };
  readonly connections: ConnectionCounts;
  readonly messages: MessageCounts;
  /** On the wire, frame headers included, handshakes left out. */
  readonly bytes: { readonly sent: number; readonly received: number };
  readonly latency: Latencies;
  readonly errors: readonly ErrorRow[];
  /** From the start of the ramp to the end of the drain. */
  readonly seconds: readonly SecondSample[];
  readonly generator: GeneratorUse;
  /** Replies per connection: an unfair server shows here and nowhere else; null without replies. */
  readonly fairness: { readonly min: number; readonly median: number; readonly max: number } | null;
  /** Cut short by a signal. */
  readonly interrupted: boolean;
  /** What a reader of the figures has to know. */
  readonly notes: readonly string[];
  /** For the engine `scenario` alone. */
  readonly scenario?: ScenarioResult;
}

/**
 * What a scenario measured beside the messages. A message is one with a step that waits for its
 * reply; what was sent without is in `total` alone.
 */
export interface ScenarioResult {
  readonly name: string;
  /** Passes through a client's steps, over the whole run. */
  readonly iterations: {
    readonly started: number;
    readonly completed: number;
    /** Ended by an expectation that failed or a connection that was lost. */
    readonly failed: number;
  };
  readonly labels: readonly LabelResult[];
  /** Messages that handlers took, over the whole run. */
  readonly unasked: readonly { readonly name: string; readonly count: number }[];
  /** Messages over the whole run, warm-up and ramp included: what the server can count, too. */
  readonly total: { readonly sent: number; readonly received: number };
}

/**
 * Expectations of one label. In a loop, those of the measured phase; outside, where a client comes
 * by once, those of the whole run.
 */
export interface LabelResult {
  readonly label: string;
  /** Met, and not met. */
  readonly count: number;
  readonly failed: number;
  /** Nanoseconds from the send before it (or from when it began to wait) to the message. */
  readonly service: Histogram;
  /** From when the pass was due; null unless a schedule was given. */
  readonly response: Histogram | null;
}

export interface ConnectionCounts {
  readonly requested: number;
  readonly opened: number;
  /** Refused, timed out, or answered by something else than 101. */
  readonly failed: number;
  /** Opened, and closed by the peer or the network before the run was over. */
  readonly dropped: number;
}

export interface MessageCounts {
  /** Due by the schedule (open model), or sent (closed model). */
  readonly intended: number;
  readonly sent: number;
  /** Replies that matched a message; in the mode fanout, deliveries. */
  readonly received: number;
  /** Sent, and without a reply when the drain was over or the connection had gone. */
  readonly lost: number;
  /** Sent, and still waited for when the run was cut short. */
  readonly inFlight: number;
  /** Due, and never sent, as no open connection was there to carry them. */
  readonly unsent: number;
  /** Replies to a message that had its reply. */
  readonly duplicated: number;
  /** Replies that came before that of an earlier message. */
  readonly outOfOrder: number;
  /** Messages from the server that no message asked for, or with another payload. */
  readonly wrong: number;
}

/** Nanoseconds. Null where the mode has no such thing. */
export interface Latencies {
  /** Start of the connect to the 101, name resolution and TLS included. */
  readonly connect: Histogram;
  /** From when a message was due to its reply: what a user waits. */
  readonly response: Histogram | null;
  /** From when a message was sent to its reply. */
  readonly service: Histogram | null;
  /** From when a message was due to when it was sent: the generator's own fault. */
  readonly lateness: Histogram | null;
  /** From when a message was published to its last delivery; for the mode fanout alone. */
  readonly lastDelivery: Histogram | null;
}

/** One second of a run, all workers together. */
export interface SecondSample {
  /** Seconds since the start of the ramp. */
  readonly second: number;
  readonly phase: 'connect' | 'warmup' | 'measure' | 'drain';
  readonly intended: number;
  readonly sent: number;
  readonly received: number;
  readonly errors: number;
  /** Open at the end of the second. */
  readonly connections: number;
  /** Handshakes completed in this second. */
  readonly opened: number;
  /** Nanoseconds, of what came in this second; null without replies. */
  readonly response: { readonly p50: number; readonly p99: number; readonly max: number } | null;
  readonly latenessP99: number | null;
  /** Of all workers: CPU time used in this second in milliseconds, resident bytes of the process. */
  readonly cpuMs: number;
  readonly rssBytes: number;
}

/** What the generator itself used over the measured phase, and of whom a limit would be. */
export interface GeneratorUse {
  readonly cpuMs: number;
  readonly peakRssBytes: number;
  readonly workers: readonly WorkerUse[];
}

export interface WorkerUse {
  readonly name: string;
  /** CPU time of the thread over the measured phase (or of its process where threads are not told apart). */
  readonly cpuMs: number;
  readonly measureMs: number;
  /** 0 to 1. */
  readonly eventLoopUtilization: number;
  readonly gcMs: number;
}

/** How a run is watched and stopped from outside. */
export interface LoadControl {
  /** Aborted: stop sending, close, and return what was measured. */
  readonly signal: AbortSignal;
  readonly onSecond: (sample: SecondSample) => void;
  /** Unix time in milliseconds at which the measured traffic is to begin; null: as soon as ready. */
  readonly startAt: number | null;
}
