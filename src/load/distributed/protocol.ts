import type { QueueEventsListener } from 'bullmq';
import * as z from 'zod';
import { ERRORS } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { LoadPlan } from '../plan.ts';
import { SecondSample } from '../result.ts';

/*
 * The messages between coordinator and workers. Each segment of a run is one BullMQ job, created
 * with an `Offer`. A free worker takes the job, sends `Join` (progress of the job) and waits. When
 * every segment has a worker, the coordinator adds `Start` to the jobs and publishes the event
 * `start`. A worker then sends `Stats` each second (progress) and returns its `Outcome`. The lock of
 * a job expires when its worker is gone; BullMQ reports that as `stalled`.
 */

export const QUEUE = 'benchmark';
export const PREFIX = 'websocket-skill';

/** A worker that does not renew the lock of its job for this long is lost. A busy one may take seconds. */
export const LOCK_MS = 8000;
export const STALLED_CHECK_MS = 1000;

/** Events that the coordinator publishes beside those of BullMQ. */
export interface RunEvents extends QueueEventsListener {
  readonly start: (args: RunEvent, id: string) => void;
  readonly cancel: (args: RunEvent, id: string) => void;
}

export interface RunEvent {
  readonly run: string;
}

/** Text of another machine that is printed: one line, without control characters. */
const Line = z
  .string()
  .max(2000)
  .transform((text) => text.replaceAll(/\p{Cc}+/gu, ' '));

/** What a job holds at first; nothing secret, as it may stay in Redis. */
export const Offer = z.object({
  /** Of this package: results of another version may mean something else. */
  version: Line,
  run: z.string(),
  index: z.int(),
  of: z.int(),
  /** Host and port of the target. */
  host: Line,
  /** How long the worker waits for the start. */
  waitMs: z.number().min(0).max(86_400_000),
});
export type Offer = z.output<typeof Offer>;

/** Added to a job when every segment has a worker; removed with the job when it is done. */
export const Start = z.object({
  plan: LoadPlan,
  /** Checked where it is run. */
  scenario: z.unknown(),
  /** When the measured traffic begins: Unix time in milliseconds on the clock of Redis. */
  startAt: z.number(),
});
export type Start = z.output<typeof Start>;

/** A worker takes a segment and waits for the start. */
const Join = z.object({
  type: z.literal('join'),
  name: Line,
  offsetMs: z.number(),
  errorMs: z.number(),
});

/** One second of a worker. */
const Stats = z.object({ type: z.literal('stats'), sample: SecondSample });

/** What a worker sends as the progress of its job. */
export const WorkerMessage = z.discriminatedUnion('type', [Join, Stats]);
export type WorkerMessage = z.output<typeof WorkerMessage>;

const ErrorCodes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** What a worker returns for its job. */
export const Outcome = z.discriminatedUnion('kind', [
  /** `text` is what `encodeResult` wrote. */
  z.object({ kind: z.literal('result'), text: z.string() }),
  /** No connection could be opened, or the plan is invalid. */
  z.object({ kind: z.literal('error'), code: z.enum(ErrorCodes), message: Line }),
  /** Another version, or a target that this worker may not load. */
  z.object({ kind: z.literal('refused'), name: Line, reason: Line }),
  /** The start was cancelled or did not come in time. */
  z.object({ kind: z.literal('dismissed') }),
]);
export type Outcome = z.output<typeof Outcome>;

/** One segment as its worker ran it, for the worker's own report. */
export const SegmentRow = z.object({
  /** Without the query, which may hold a secret. */
  target: z.string(),
  connections: z.number(),
  sent: z.number(),
  received: z.number(),
  durationMs: z.number(),
  verdict: z.enum(['pass', 'fail']),
  /** What went wrong, or that the segment was interrupted. */
  note: z.string(),
});
export type SegmentRow = z.output<typeof SegmentRow>;
