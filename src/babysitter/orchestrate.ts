import path from 'node:path';
import type { OperationContext, Status } from '../core/operation.ts';
import { classify, type ClassifiedEffect, type Registry } from './classify-effect.ts';
import { executeEffect, reportStoredError, type Outcome } from './execute-effect.ts';
import { readJson } from './json-file.ts';
import { withConsoleOnStderr } from './process-file.ts';
import { recover, withRunLock } from './recover.ts';
import {
  onRun,
  openRun,
  readState,
  runFailed,
  type Effect,
  type Run,
  type RunState,
} from './run-folder.ts';
import type { ExecutedEffect, PendingEffect, ReportedError, RunReport } from './schema.ts';
import { loadRunnerSdk } from './sdk.ts';

/** What orchestrating a run comes to. */
type Outcomes = Pick<
  RunReport,
  'status' | 'runStatus' | 'output' | 'error' | 'effects' | 'pending' | 'partial'
>;

type DoneSoFar = { effect: ExecutedEffect; error: ReportedError | null }[];
type Done = Readonly<DoneSoFar>;

/** The state of the process after a replay. */
type Step =
  | { readonly status: 'completed'; readonly output: unknown }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: 'waiting'; readonly effectIds: readonly string[] };

/**
 * Repairs the run in `runDir` after a kill, and executes it until it ends, waits for others, or is
 * interrupted.
 *
 * @throws UsageError WSK_ERR_NOT_A_RUN or WSK_ERR_BAD_TASK_INPUT with nothing changed,
 * EnvironmentError WSK_ERR_SDK_MISSING, WSK_ERR_RUN_FAILED
 */
export async function continueRun(
  operation: RunReport['operation'],
  runDir: string,
  { context, operations }: { context: OperationContext; operations: Registry },
): Promise<RunReport> {
  const run = await openRun(loadRunnerSdk(context.cwd), runDir, context.cwd);
  const outcome = await onRun(run, async () => {
    await checkPending(run, operations);
    await recover(run, context.signal);
    return await orchestrate(run, operations, context);
  });
  return {
    operation,
    ...outcome,
    success: outcome.status === 'passed',
    runId: run.runId,
    runDir: run.dir,
    process: run.processId,
  };
}

/**
 * Replays the process and executes the effects of ours that it waits for, until none is left.
 *
 * A run that has ended is reported as it is: replaying it would append to its journal. After an
 * error, the run can be resumed.
 *
 * @throws UsageError WSK_ERR_BAD_TASK_INPUT, EnvironmentError WSK_ERR_RUN_FAILED
 */
async function orchestrate(
  run: Run,
  operations: Registry,
  context: OperationContext,
): Promise<Outcomes> {
  const done: DoneSoFar = [];
  try {
    return await replayAndExecute(run, { operations, done }, context);
  } catch (error) {
    // Interrupted while waiting for another runner's lock.
    if (isAborted(context) && isAbort(error)) return interrupted(done, undefined);
    throw error;
  }
}

/**
 * Checks every pending effect and changes nothing: the SDK ends a run as failed when it replays a
 * process whose task.json is corrupt.
 *
 * @throws UsageError WSK_ERR_BAD_TASK_INPUT
 */
async function checkPending(run: Run, operations: Registry): Promise<void> {
  const { ended, effects } = await readState(run);
  if (ended !== undefined) return;
  for (const effect of effects.values()) {
    if (effect.status === 'requested') await classify(run, effect, operations);
  }
}

async function replayAndExecute(
  run: Run,
  { operations, done }: { operations: Registry; done: DoneSoFar },
  context: OperationContext,
): Promise<Outcomes> {
  for (;;) {
    if (isAborted(context)) return interrupted(done, undefined);
    const step = await replay(run, context);
    if (step.status !== 'waiting') return ended(step, done);
    const { ours, pending } = await classifyAll(run, step.effectIds, operations);
    if (ours.length === 0) return waiting(done, pending);
    for (const { effect, task } of ours) {
      context.emit({ stage: task.operation.name });
      if (isAborted(context)) return interrupted(done, undefined);
      const outcome = await executeEffect(run, { effect, task }, context);
      if (outcome.status === 'interrupted') return interrupted(done, outcome.report);
      done.push({ effect: toExecuted(effect, outcome), error: outcome.error });
    }
  }
}

/** Replays the process once. */
async function replay(run: Run, { signal }: OperationContext): Promise<Step> {
  return await withRunLock(run, signal, async () => {
    const state = await readState(run);
    if (state.ended !== undefined) return await readEnd(run, state);
    const context = { startedAt: run.createdAt };
    const iteration = await withConsoleOnStderr(() =>
      run.sdk.orchestrateIteration({ runDir: run.dir, context }),
    ).catch((cause: unknown) => {
      throw runFailed(run, cause);
    });
    return iteration.status === 'waiting'
      ? { status: 'waiting', effectIds: iteration.nextActions.map(({ effectId }) => effectId) }
      : iteration;
  });
}

async function readEnd(run: Run, state: RunState): Promise<Step> {
  if (state.ended === 'failed') return { status: 'failed', error: state.failure };
  return { status: 'completed', output: await readJson(path.join(run.dir, 'state/output.json')) };
}

type Ours = Extract<ClassifiedEffect, { ours: true }>;

/** Splits effects into ours and others', before the first one is executed. */
async function classifyAll(
  run: Run,
  effectIds: readonly string[],
  operations: Registry,
): Promise<{ ours: Ours[]; pending: PendingEffect[] }> {
  const { effects } = await readState(run);
  const ours: Ours[] = [];
  const pending: PendingEffect[] = [];
  for (const effectId of new Set(effectIds)) {
    const effect = effects.get(effectId);
    if (effect === undefined) continue;
    const classified = await classify(run, effect, operations);
    if (classified.ours) ours.push(classified);
    else pending.push(classified.pending);
  }
  return { ours, pending };
}

function toExecuted({ effectId, taskId }: Effect, outcome: Outcome): ExecutedEffect {
  const { status, how, durationMs } = outcome;
  return { effectId, taskId, status, how, durationMs };
}

function isAborted({ signal }: OperationContext): boolean {
  return signal.aborted;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function ended(step: Exclude<Step, { status: 'waiting' }>, done: Done): Outcomes {
  const effects = done.map(({ effect }) => effect);
  if (step.status === 'completed') {
    const status: Status = isUnsuccessful(step.output) ? 'failed' : 'passed';
    return {
      status,
      runStatus: 'completed',
      output: step.output,
      error: null,
      effects,
      pending: [],
    };
  }
  const error = reportStoredError(step.error);
  // The journal's RUN_FAILED has no code and hint; the effect that caused it has them.
  const cause = done.find((entry) => entry.error?.message === error.message)?.error;
  return {
    status: 'failed',
    runStatus: 'failed',
    output: null,
    error: cause ?? error,
    effects,
    pending: [],
  };
}

/** Whether a process returned `success: false`: it completed, and failed. */
function isUnsuccessful(output: unknown): boolean {
  return (
    typeof output === 'object' && output !== null && 'success' in output && output.success === false
  );
}

function waiting(done: Done, pending: PendingEffect[]): Outcomes {
  return { ...unfinished(done), status: 'waiting', pending };
}

function interrupted(done: Done, partial: unknown): Outcomes {
  return { ...unfinished(done), status: 'interrupted', pending: [], partial };
}

function unfinished(done: Done): Pick<Outcomes, 'runStatus' | 'output' | 'error' | 'effects'> {
  const effects = done.map(({ effect }) => effect);
  return { runStatus: 'waiting', output: null, error: null, effects };
}
