import { classify, type Registry } from '../../babysitter/classify-effect.ts';
import { executeEffect, readCommitted, type Outcome } from '../../babysitter/execute-effect.ts';
import { onRun, openRun, readState, type Effect, type Run } from '../../babysitter/run-folder.ts';
import { loadRunnerSdk } from '../../babysitter/sdk.ts';
import { didYouMean } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import type { OperationContext } from '../../core/operation.ts';
import { operations as registry } from '../index.ts';
import type { RunTaskInput, RunTaskReport } from './schema.ts';

/**
 * Executes one effect of ours and posts its result; a resolved one is only reported.
 *
 * @throws UsageError WSK_ERR_NOT_A_RUN, WSK_ERR_UNKNOWN_EFFECT or WSK_ERR_BAD_TASK_INPUT with
 * nothing changed, EnvironmentError WSK_ERR_SDK_MISSING, WSK_ERR_RUN_FAILED
 */
export async function runTask(
  { runDir, effectId }: RunTaskInput,
  context: OperationContext,
  operations: Registry = registry,
): Promise<RunTaskReport> {
  const run = await openRun(loadRunnerSdk(context.cwd), runDir, context.cwd);
  const { effect, outcome } = await onRun(run, async () => {
    const found = await findEffect(run, effectId);
    return { effect: found, outcome: await settle(run, found, { context, operations }) };
  });
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
  { context, operations }: { context: OperationContext; operations: Registry },
): Promise<Omit<Outcome, 'durationMs'>> {
  const committed = await readCommitted(run, effect);
  if (committed !== undefined) return committed;
  const classified = await classify(run, effect, operations);
  if (classified.ours) return await executeEffect(run, classified, context);
  const { pending } = classified;
  throw new UsageError(
    'WSK_ERR_UNKNOWN_EFFECT',
    pending.reason === null
      ? `effect ${effect.effectId} is a ${effect.kind} effect, not an effect of this skill`
      : `effect ${effect.effectId} cannot be executed: ${pending.reason}`,
    { hint: `its result is posted with: ${pending.post}, an error with: ${pending.fail}` },
  );
}
