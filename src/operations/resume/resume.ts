import type { Registry } from '../../babysitter/classify-effect.ts';
import { continueRun } from '../../babysitter/orchestrate.ts';
import type { RunReport } from '../../babysitter/schema.ts';
import type { OperationContext } from '../../core/operation.ts';
import { operations as registry } from '../index.ts';
import type { ResumeInput } from './schema.ts';

/**
 * Resumes a run after a kill, an interruption, or a result that someone else posted.
 *
 * A run that has ended is reported and left unchanged.
 *
 * @throws UsageError WSK_ERR_NOT_A_RUN or WSK_ERR_BAD_TASK_INPUT with nothing changed,
 * EnvironmentError WSK_ERR_SDK_MISSING, WSK_ERR_RUN_FAILED
 */
export async function resumeRun(
  { runDir }: ResumeInput,
  context: OperationContext,
  operations: Registry = registry,
): Promise<RunReport> {
  return await continueRun('resume', runDir, { context, operations });
}
