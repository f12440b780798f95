import * as z from 'zod';
import { ERROR_KINDS } from './measure/errors.ts';
import type { ErrorRow } from './measure/errors.ts';
import { Histogram } from './measure/histogram.ts';

const Count = z.number().nonnegative();

/** In JSON: the base64 form that HdrHistogram's tools read. */
const EncodedHistogram = z.string().transform((text, context): Histogram => {
  try {
    return Histogram.fromBase64(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected a histogram in base64' });
    return z.NEVER;
  }
});

/** Milliseconds that each phase took. */
export const PhaseTimes = z.object({
  connectMs: Count,
  warmupMs: Count,
  measureMs: Count,
  drainMs: Count,
});

export const ConnectionCounts = z.object({
  requested: Count,
  opened: Count,
  /** Refused, timed out, or answered with another status than 101. */
  failed: Count,
  /** Opened, then closed by the peer or the network before the run ended. */
  dropped: Count,
});

export const MessageCounts = z.object({
  /** Due by the schedule (open model), or sent (closed model). */
  intended: Count,
  sent: Count,
  /** Replies that matched a message; in the mode fanout, deliveries. */
  received: Count,
  /**
   * Replies that came within the measured phase, to whichever message: throughput is of these.
   * `received` has those of the drain, too.
   */
  inWindow: Count,
  /** Sent, and without a reply when the drain ended or the connection closed. */
  lost: Count,
  /** Sent, and still without a reply when the run was interrupted. */
  inFlight: Count,
  /** Due, and not sent because no connection was open. */
  unsent: Count,
  /** Further replies to a message that already had its reply. */
  duplicated: Count,
  /** Replies that came before the reply to an earlier message. */
  outOfOrder: Count,
  /** Messages of the server that are no reply, or a reply with another payload. */
  wrong: Count,
});
export type MessageCounts = z.output<typeof MessageCounts>;

/** On the wire, frame headers included, handshakes excluded. */
export const ByteCounts = z.object({ sent: Count, received: Count });

/** Replies per connection: shows a server that favours some connections. */
export const Fairness = z.object({ min: Count, median: Count, max: Count });

/** The schema of what `measure/errors.ts` counts; worker threads load that file without zod. */
export const ErrorRowSchema = z.object({
  kind: z.enum(ERROR_KINDS),
  detail: z.string(),
  count: Count,
  first: z.string(),
}) satisfies z.ZodType<ErrorRow>;

/** Nanoseconds. Null where the mode has no such latency. */
const Latencies = z
  .object({
    /** Start of the connect to the 101, name resolution and TLS included. */
    connect: EncodedHistogram,
    /** From when a message was due to its reply: the time that a user waits. */
    response: EncodedHistogram.nullable(),
    /** From when a message was sent to its reply. */
    service: EncodedHistogram.nullable(),
    /** From when a message was due to when it was sent: the delay of the load generator. */
    lateness: EncodedHistogram.nullable(),
    /** From when a message was published to its last delivery; for the mode fanout only. */
    lastDelivery: EncodedHistogram.nullable(),
  })
  .readonly();
export type Latencies = z.output<typeof Latencies>;

/** Counts of one second of a run, all workers together. */
export const SecondCounts = z.object({
  /** Seconds since the start of the ramp. */
  second: Count,
  phase: z.enum(['connect', 'warmup', 'measure', 'drain']),
  intended: Count,
  sent: Count,
  received: Count,
  errors: Count,
  /** Open at the end of the second. */
  connections: Count,
  /** Handshakes completed in this second. */
  opened: Count,
});

/** One second of a run. */
export const SecondSample = SecondCounts.extend({
  /** Nanoseconds, of the replies in this second; null without replies. */
  response: z.object({ p50: Count, p99: Count, max: Count }).readonly().nullable(),
  latenessP99: Count.nullable(),
  /** CPU time that all workers used in this second. */
  cpuMs: Count,
  /** Resident memory of the process. */
  rssBytes: Count,
}).readonly();
export type SecondSample = z.output<typeof SecondSample>;

export const WorkerUse = z.object({
  name: z.string(),
  /** CPU time of the thread over the measured phase; of its process where threads have none. */
  cpuMs: Count,
  measureMs: Count,
  /** 0 to 1. */
  eventLoopUtilization: Count,
  gcMs: Count,
  /** Time that the thread could have run and got no core, as others had them; null if not known. */
  waitMs: Count.nullable(),
});
export type WorkerUse = z.output<typeof WorkerUse>;

/**
 * Expectations of one label: inside of a loop those of the measured phase; outside, where a client
 * passes once, those of the whole run.
 */
const LabelResult = z
  .object({
    label: z.string(),
    /** Met, and not met. */
    count: Count,
    failed: Count,
    /** Nanoseconds from the send before it (or from when it began to wait) to the message. */
    service: EncodedHistogram,
    /** From when the pass was due; null without a schedule. */
    response: EncodedHistogram.nullable(),
  })
  .readonly();
export type LabelResult = z.output<typeof LabelResult>;

/** Passes through a client's steps, over the whole run. */
export const Iterations = z.object({
  started: Count,
  completed: Count,
  /** Ended by an expectation that failed or a connection that was lost. */
  failed: Count,
});

/** Messages that a handler took, over the whole run. */
export const HandlerCount = z.object({ name: z.string(), count: Count });

/**
 * What a scenario measured beside the messages. A message is a send with a step that waits for its
 * reply; sends without one are counted in `total` only.
 */
const ScenarioResult = z
  .object({
    name: z.string(),
    iterations: Iterations.readonly(),
    labels: z.array(LabelResult).readonly(),
    unasked: z.array(HandlerCount.readonly()).readonly(),
    /** Messages over the whole run, ramp and warm-up included, as the server counts them. */
    total: z.object({ sent: Count, received: Count }).readonly(),
  })
  .readonly();
export type ScenarioResult = z.output<typeof ScenarioResult>;

/**
 * What one run measured. Counts are of the measured phase, without warm-up, and add up:
 * `sent = received + lost + inFlight`.
 */
const LoadResult = z
  .object({
    startedAt: z.iso.datetime(),
    engine: z.enum(['fast', 'client', 'scenario']),
    phases: PhaseTimes.readonly(),
    connections: ConnectionCounts.readonly(),
    messages: MessageCounts.readonly(),
    bytes: ByteCounts.readonly(),
    latency: Latencies,
    errors: z.array(ErrorRowSchema.readonly()).readonly(),
    /** From the start of the ramp to the end of the drain. */
    seconds: z.array(SecondSample).readonly(),
    /** What the load generator itself used over the measured phase. */
    generator: z
      .object({
        cpuMs: Count,
        peakRssBytes: Count,
        workers: z.array(WorkerUse.readonly()).readonly(),
      })
      .readonly(),
    /** Null without replies. */
    fairness: Fairness.readonly().nullable(),
    /** Stopped early by a signal. */
    interrupted: z.boolean(),
    /** What a reader of the figures has to know. */
    notes: z.array(z.string()).readonly(),
    /** For the engine `scenario` only. */
    scenario: ScenarioResult.exactOptional(),
  })
  .readonly();
export type LoadResult = z.output<typeof LoadResult>;

/** How a run is watched and stopped from outside. */
export interface LoadControl {
  /** When aborted: stop sending, close, and return what was measured. */
  readonly signal: AbortSignal;
  readonly onSecond: (sample: SecondSample) => void;
  /** Unix time in milliseconds at which the measured traffic begins; null: as soon as ready. */
  readonly startAt: number | null;
}

/** JSON of `result`, with histograms in base64. */
export function encodeResult(result: LoadResult): string {
  return JSON.stringify(result, (_key, value: unknown) =>
    value instanceof Histogram ? value.toBase64() : value,
  );
}

/**
 * The result that `encodeResult` wrote.
 *
 * @throws Error with the first fault: the text may come from another machine
 */
export function decodeResult(text: string): LoadResult {
  const parsed = LoadResult.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const { path = [], message } = parsed.error.issues[0] ?? { message: 'unknown' };
  throw new Error(`not a result of a run: ${path.map(String).join('.')}: ${message}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error('not a result of a run: no JSON', { cause });
  }
}
