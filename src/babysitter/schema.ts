import * as z from 'zod';

/** What `run` takes: a process, its inputs, and where the run folder goes. */
export const RunInput = z.strictObject({
  process: z
    .string()
    .min(1)
    .meta({ positional: true })
    .describe('built-in process (websocket-server) or path of a .js or .mjs file, with #export'),
  inputs: z
    .string()
    .optional()
    .meta({ placeholder: 'file' })
    .describe('JSON file with the inputs of the process'),
  runsDir: z
    .string()
    .min(1)
    .optional()
    .meta({ placeholder: 'dir' })
    .describe('folder of the run folders; default BABYSITTER_RUNS_DIR, else .a5c/runs'),
  runId: z
    .string()
    .regex(/^[0-9A-Za-z][0-9A-Za-z._-]*$/, 'expected letters, digits, "." , "_" and "-"')
    .max(128)
    .optional()
    .meta({ placeholder: 'id' })
    .describe('name of the run folder; default a fresh ULID'),
});
export type RunInput = z.output<typeof RunInput>;

const runDir = z.string().min(1).meta({ positional: true }).describe('folder of the run');

/** What `resume` takes. */
export const ResumeInput = z.strictObject({ runDir });
export type ResumeInput = z.output<typeof ResumeInput>;

/** What `run-task` takes: one pending effect of one run. */
export const RunTaskInput = z.strictObject({
  runDir,
  effectId: z.string().min(1).meta({ positional: true }).describe('effect to execute'),
});
export type RunTaskInput = z.output<typeof RunTaskInput>;

const Status = z.enum(['passed', 'failed', 'interrupted', 'waiting']);

/** An error as a report holds it; `code` and `hint` where our own catalogue has them. */
export const ReportedError = z.object({
  name: z.string(),
  message: z.string(),
  code: z.string().nullable(),
  hint: z.string().nullable(),
});
export type ReportedError = z.output<typeof ReportedError>;

/** One effect that this command executed or took up. */
export const ExecutedEffect = z.object({
  effectId: z.string(),
  taskId: z.string(),
  status: Status,
  /** Executed here; committed from the result an earlier runner left; done by someone else. */
  how: z.enum(['executed', 'recovered', 'already-done']),
  durationMs: z.number(),
});
export type ExecutedEffect = z.output<typeof ExecutedEffect>;

/** An effect that is not ours: who drives the run has to post its result. */
export const PendingEffect = z.object({
  effectId: z.string(),
  kind: z.string(),
  taskId: z.string(),
  title: z.string(),
  /** The command line that posts a result. */
  post: z.string(),
});
export type PendingEffect = z.output<typeof PendingEffect>;

/** What `run` and `resume` report. */
export const RunReport = z.object({
  operation: z.enum(['run', 'resume']),
  /** `failed` also for a run that completed with an output whose `success` is false. */
  status: Status,
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

/** What `run-task` reports. */
export const RunTaskReport = z.object({
  operation: z.literal('run-task'),
  status: Status,
  success: z.boolean(),
  runId: z.string(),
  runDir: z.string(),
  effectId: z.string(),
  taskId: z.string(),
  how: ExecutedEffect.shape.how,
  /** Run-relative, written by the SDK; null while the effect is pending. */
  resultFile: z.string().nullable(),
  /** The operation's own report; null when it raised an error. */
  result: z.unknown(),
  error: ReportedError.nullable(),
});
export type RunTaskReport = z.output<typeof RunTaskReport>;
