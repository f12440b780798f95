import { UsageError } from '../core/errors.ts';
import type { Operation, OperationContext } from '../core/operation.ts';
import { operations as registry } from '../operations/index.ts';
import { didYouMean } from '../core/did-you-mean.ts';
import { assign } from './classify-effect.ts';
import { executeEffect, readCommitted, type Outcome } from './execute-effect.ts';
import { openRun, readState, type Effect, type Run } from './run-folder.ts';
import type { RunTaskInput, RunTaskReport } from './schema.ts';
import { loadRunnerSdk } from './sdk.ts';

/**
 * Executes one effect of ours and posts its result; one that is resolved is only reported.
 *
 * @throws UsageError WSK_ERR_NOT_A_RUN, WSK_ERR_UNKNOWN_EFFECT or WSK_ERR_BAD_TASK_INPUT with
 * nothing changed, EnvironmentError WSK_ERR_SDK_MISSING, WSK_ERR_RUN_FAILED
 */
export async function runTask(
  { runDir, effectId }: RunTaskInput,
  context: OperationContext,
  operations: readonly Operation[] = registry,
): Promise<RunTaskReport> {
  const run = await openRun(loadRunnerSdk(context.cwd), runDir, context.cwd);
  const effect = await findEffect(run, effectId);
  const outcome = await settle(run, effect, { context, operations });
  const isPending = outcome.status === 'interrupted';
  return {
    operation: 'run-task',
    status: outcome.status,
    success: outcome.status === 'passed',
    runId: run.runId,
    runDir: run.dir,
    effectId,
    taskId: effect.taskId,
    how: outcome.how,
    resultFile: isPending ? null : `tasks/${effectId}/result.json`,
    result: outcome.report ?? null,
    error: outcome.error,
  };
}

async function findEffect(run: Run, effectId: string): Promise<Effect> {
  const { effects } = await readState(run);
  const effect = effects.get(effectId);
  if (effect !== undefined) return effect;
  const message = `run ${run.dir} has no effect ${JSON.stringify(effectId)}`;
  const hint = effects.size === 0 ? 'it has none' : didYouMean(effectId, [...effects.keys()]);
  throw new UsageError('WSK_ERR_UNKNOWN_EFFECT', message, { hint });
}

async function settle(
  run: Run,
  effect: Effect,
  { context, operations }: { context: OperationContext; operations: readonly Operation[] },
): Promise<Omit<Outcome, 'durationMs'>> {
  const committed = await readCommitted(run, effect);
  if (committed !== undefined) return committed;
  const assignment = await assign(run, effect, operations);
  if (assignment.ours) return await executeEffect(run, assignment, context);
  throw new UsageError(
    'WSK_ERR_UNKNOWN_EFFECT',
    `effect ${effect.effectId} is a ${effect.kind} effect, not one of this skill`,
    { hint: `whoever it is for posts it: ${assignment.pending.post}` },
  );
}
