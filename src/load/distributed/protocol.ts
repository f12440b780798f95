import type { QueueEventsListener } from 'bullmq';
import * as z from 'zod';
import { ERRORS } from '../../core/errors.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { LoadPlan } from '../plan.ts';
import { SecondSample } from '../result.ts';

/*
 * What coordinator and workers tell each other. A run is one BullMQ job for each share. A worker
 * that is free takes one, says that it is ready (progress of the job) and waits; when all shares
 * are taken the coordinator adds the orders to the jobs and publishes `start`. A worker then tells
 * each second (progress) and returns its outcome. A worker that is gone lets the lock of its job
 * run out, which BullMQ finds (`stalled`).
 */

export const QUEUE = 'benchmark';
export const PREFIX = 'websocket-skill';

/** A worker that has not renewed the lock of its job for so long is lost; not less, as a busy one is not. */
export const LOCK_MS = 8000;
export const STALLED_CHECK_MS = 1000;

/** Custom events, beside those of BullMQ. */
export interface RunEvents extends QueueEventsListener {
  readonly start: (args: RunEvent, id: string) => void;
  readonly cancel: (args: RunEvent, id: string) => void;
}

export interface RunEvent {
  readonly run: string;
}

/** What comes from elsewhere and is printed: on one line, and nothing that steers a terminal. */
const Line = z
  .string()
  .max(2000)
  .transform((text) => text.replaceAll(/\p{Cc}+/gu, ' '));

/** What a job holds from the start; nothing secret, as it may stay in Redis. */
export const Invitation = z.object({
  /** Of this package: results of another version may mean something else. */
  version: Line,
  run: z.string(),
  index: z.int(),
  of: z.int(),
  /** Host and port of the target. */
  host: Line,
  /** For how long to wait for the start. */
  waitMs: z.number().min(0).max(86_400_000),
});
export type Invitation = z.output<typeof Invitation>;

/** What is added to a job when all shares are taken; goes with the job when it is done. */
export const Order = z.object({
  plan: LoadPlan,
  /** Checked by the unit that runs it. */
  scenario: z.unknown(),
  /** Of the measured traffic, on the clock of Redis. */
  startAt: z.number(),
});
export type Order = z.output<typeof Order>;

/** What a worker tells as the progress of its job. */
export const Tidings = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ready'),
    name: Line,
    offsetMs: z.number(),
    errorMs: z.number(),
  }),
  z.object({ type: z.literal('second'), sample: SecondSample }),
]);
export type Tidings = z.output<typeof Tidings>;

const ErrorCodes = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** What a worker's job comes to. */
export const Outcome = z.discriminatedUnion('kind', [
  /** `text` is what `encodeResult` wrote. */
  z.object({ kind: z.literal('result'), text: z.string() }),
  /** Not one connection, or something of the kind. */
  z.object({ kind: z.literal('error'), code: z.enum(ErrorCodes), message: Line }),
  /** The worker does not want to: another version, a target that it may not load. */
  z.object({ kind: z.literal('refused'), name: Line, reason: Line }),
  /** The start never came, or was called off. */
  z.object({ kind: z.literal('dismissed') }),
]);
export type Outcome = z.output<typeof Outcome>;
