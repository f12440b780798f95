import * as z from 'zod';
import { ExecutedEffect, ReportedError, RunDir, RunStatus } from '../../babysitter/schema.ts';

/** What `run-task` takes: one pending effect of one run. */
export const RunTaskInput = z.strictObject({
  runDir: RunDir,
  effectId: z
    .string()
    .min(1)
    .meta({ positional: true, expected: 'the id of a pending effect' })
    .describe('id of the pending task (effect) to execute'),
});
export type RunTaskInput = z.output<typeof RunTaskInput>;

/** What `run-task` reports. */
export const RunTaskReport = z.object({
  operation: z.literal('run-task'),
  status: RunStatus,
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
