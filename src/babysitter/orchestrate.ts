import path from 'node:path';
import type { Operation, OperationContext, Status } from '../core/operation.ts';
import { withConsoleOnStderr } from './console-on-stderr.ts';
import { assign, type Assignment } from './classify-effect.ts';
import { executeEffect, type Outcome } from './execute-effect.ts';
import { guardRun } from './recover.ts';
import { readJson } from './json-file.ts';
import { reportStoredError } from './reported-error.ts';
import { readState, runFailed, type Run, type RunState } from './run-folder.ts';
import type { ExecutedEffect, PendingEffect, ReportedError, RunReport } from './schema.ts';

/** How far a run was driven. */
export type Drive = Pick<
  RunReport,
  'status' | 'runStatus' | 'output' | 'error' | 'effects' | 'pending' | 'partial'
>;

type DoneSoFar = { effect: ExecutedEffect; error: ReportedError | null }[];
type Done = Readonly<DoneSoFar>;

/** Where the process stands after it was replayed. */
type Step =
  | { readonly status: 'completed'; readonly output: unknown }
  | { readonly status: 'failed'; readonly error: unknown }
  | { readonly status: 'waiting'; readonly effectIds: readonly string[] };

/**
 * Drives a run until it ends, waits for someone else, or is interrupted.
 *
 * Replays the process, executes what it waits for and is ours, and again. A run that has ended is
 * reported as it is: replaying it would append to its journal.
 *
 * @throws UsageError WSK_ERR_BAD_TASK_INPUT, EnvironmentError WSK_ERR_RUN_FAILED; the run can be
 * resumed after either
 */
export async function drive(
  run: Run,
  operations: readonly Operation[],
  context: OperationContext,
): Promise<Drive> {
  const done: DoneSoFar = [];
  try {
    return await driveOn(run, { operations, done }, context);
  } catch (error) {
    // Interrupted while it waited for another runner's lock.
    if (isAborted(context) && isAbort(error)) return interrupted(done, undefined);
    throw error;
  }
}

/**
 * Reads every pending effect of a run that goes on, and changes nothing: replaying a process whose
 * task.json is corrupt would make the SDK end the run as failed.
 *
 * @throws UsageError WSK_ERR_BAD_TASK_INPUT
 */
export async function checkPending(run: Run, operations: readonly Operation[]): Promise<void> {
  const { ended, effects } = await readState(run);
  if (ended !== undefined) return;
  for (const effect of effects.values()) {
    if (effect.status === 'requested') await assign(run, effect, operations);
  }
}

async function driveOn(
  run: Run,
  { operations, done }: { operations: readonly Operation[]; done: DoneSoFar },
  context: OperationContext,
): Promise<Drive> {
  for (;;) {
    if (isAborted(context)) return interrupted(done, undefined);
    const step = await replay(run, context);
    if (step.status !== 'waiting') return ended(step, done);
    const { ours, pending } = await sort(run, step.effectIds, operations);
    if (ours.length === 0) return waiting(done, pending);
    for (const assignment of ours) {
      const { effect, task } = assignment;
      context.emit({ stage: task.operation.name });
      if (isAborted(context)) return interrupted(done, undefined);
      const outcome = await executeEffect(run, { effect, task }, context);
      if (outcome.status === 'interrupted') return interrupted(done, outcome.report);
      done.push({ effect: toExecuted(assignment, outcome), error: outcome.error });
    }
  }
}

/** Replays the process once, under the lock that keeps other runners of this package out. */
async function replay(run: Run, { signal }: OperationContext): Promise<Step> {
  return await guardRun(run, signal, async () => {
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

type Ours = Extract<Assignment, { ours: true }>;

/** Splits effects into ours and others'. All are read before one is executed. */
async function sort(
  run: Run,
  effectIds: readonly string[],
  operations: readonly Operation[],
): Promise<{ ours: Ours[]; pending: PendingEffect[] }> {
  const { effects } = await readState(run);
  const ours: Ours[] = [];
  const pending: PendingEffect[] = [];
  for (const effectId of new Set(effectIds)) {
    const effect = effects.get(effectId);
    if (effect === undefined) continue;
    const assignment = await assign(run, effect, operations);
    if (assignment.ours) ours.push(assignment);
    else pending.push(assignment.pending);
  }
  return { ours, pending };
}

function toExecuted({ effect }: Ours, outcome: Outcome): ExecutedEffect {
  const { status, how, durationMs } = outcome;
  return { effectId: effect.effectId, taskId: effect.taskId, status, how, durationMs };
}

function isAborted({ signal }: OperationContext): boolean {
  return signal.aborted;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

function ended(step: Exclude<Step, { status: 'waiting' }>, done: Done): Drive {
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
  // The journal's RUN_FAILED has lost code and hint; the effect that caused it still has them.
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

/** A process that says of itself `success: false` has run to its end, and failed all the same. */
function isUnsuccessful(output: unknown): boolean {
  return (
    typeof output === 'object' && output !== null && 'success' in output && output.success === false
  );
}

function waiting(done: Done, pending: PendingEffect[]): Drive {
  return { ...unfinished(done), status: 'waiting', pending };
}

function interrupted(done: Done, partial: unknown): Drive {
  return { ...unfinished(done), status: 'interrupted', pending: [], partial };
}

function unfinished(done: Done): Pick<Drive, 'runStatus' | 'output' | 'error' | 'effects'> {
  const effects = done.map(({ effect }) => effect);
  return { runStatus: 'waiting', output: null, error: null, effects };
}
