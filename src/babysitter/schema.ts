import * as z from 'zod';

/** The argument of every command on an existing run. */
export const RunDir = z
  .string()
  .min(1)
  .meta({ positional: true, expected: 'the folder of a run' })
  .describe('folder of the run, such as .a5c/runs/my-run');

/** How a run or an effect ended, as a report says it. */
export const RunStatus = z.enum(['passed', 'failed', 'interrupted', 'waiting']);

/** An error as a report holds it; `code` and `hint` where our own catalogue has them. */
export const ReportedError = z.object({
  name: z.string(),
  message: z.string(),
  code: z.string().nullable(),
  hint: z.string().nullable(),
});
export type ReportedError = z.output<typeof ReportedError>;

/** One effect that this command executed, or whose result it found. */
export const ExecutedEffect = z.object({
  effectId: z.string(),
  taskId: z.string(),
  status: RunStatus,
  /** Executed here; committed from a result an earlier runner left; done by another runner. */
  how: z.enum(['executed', 'recovered', 'already-done']),
  durationMs: z.number(),
});
export type ExecutedEffect = z.output<typeof ExecutedEffect>;

/** An effect of another kind: the host of the run has to post its result. */
export const PendingEffect = z.object({
  effectId: z.string(),
  kind: z.string(),
  taskId: z.string(),
  title: z.string(),
  /** Why the program that should execute the effect cannot; null where it is others' to do. */
  reason: z.string().nullable(),
  /** The command line that posts a result. */
  post: z.string(),
  /** The command line that posts an error, so that the run does not wait for ever. */
  fail: z.string(),
});
export type PendingEffect = z.output<typeof PendingEffect>;

/** What `run` and `resume` report. */
export const RunReport = z.object({
  operation: z.enum(['run', 'resume']),
  /** `failed` also for a run that completed with an output whose `success` is false. */
  status: RunStatus,
  success: z.boolean(),
  runId: z.string(),
  /** Absolute. */
  runDir: z.string(),
  process: z.string(),
  /** What the babysitter SDK says of the run. */
  runStatus: z.enum(['waiting', 'completed', 'failed']),
  /** What the process returned, once it completed. */
  output: z.unknown(),
  error: ReportedError.nullable(),
  effects: z.array(ExecutedEffect),
  pending: z.array(PendingEffect),
  /** Partial report of the operation that was interrupted. */
  partial: z.unknown().optional(),
});
export type RunReport = z.output<typeof RunReport>;
