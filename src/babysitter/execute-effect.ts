import { realpath } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { EnvironmentError, isSystemError, UsageError } from '../core/errors.ts';
import type { Operation, OperationContext, Progress, Report, Status } from '../core/operation.ts';
import type { EffectTask } from './classify-effect.ts';
import { withFileLock } from './file-lock.ts';
import { effectLock, withRunLock } from './recover.ts';
import { DamagedFile, isMissing, readJson, writeJson } from './json-file.ts';
import { readState, refuseLinks, runFailed, type Effect, type Run } from './run-folder.ts';
import type { ExecutedEffect, ReportedError } from './schema.ts';
import { writeTaskInput } from './task-input.ts';

/** How one of our effects ended; an `invalid` report counts as failed. */
export interface Outcome {
  readonly status: Exclude<Status, 'invalid'>;
  readonly how: ExecutedEffect['how'];
  /** The operation's report; undefined when it raised an error. */
  readonly report: unknown;
  readonly error: ReportedError | null;
  readonly durationMs: number;
}

type Result = Parameters<Run['sdk']['commitEffectResult']>[0]['result'];

/** The SDK's result.json. */
const StoredResult = z.looseObject({
  schemaVersion: z.string(),
  effectId: z.string(),
  invocationKey: z.string(),
  status: z.enum(['ok', 'error']),
  result: z.unknown().optional(),
  resultRef: z.string().optional(),
  error: z.unknown().optional(),
  startedAt: z.string().optional(),
  finishedAt: z.string().optional(),
});

const ReportHead = z.looseObject({
  status: z.enum(['passed', 'failed', 'invalid']),
  success: z.boolean(),
});

/** An error as the SDK stores it; `data` holds what it would otherwise lose of ours. */
const StoredError = z.looseObject({
  name: z.string().catch('Error'),
  message: z.string().catch('unknown error'),
  data: z
    .looseObject({ code: z.string().nullish(), hint: z.string().nullish() })
    .optional()
    .catch(undefined),
});

/** An error that was read from the run folder, as a report holds it. */
export function reportStoredError(stored: unknown): ReportedError {
  const { name, message, data } = StoredError.parse(stored ?? {});
  return { name, message, code: data?.code ?? null, hint: data?.hint ?? null };
}

/**
 * Executes one of our pending effects and commits its result.
 *
 * Safe to repeat after a kill and beside another runner: under the effect's lock, a committed result
 * is left alone and a computed one is committed as it is. An interrupted operation, or one that
 * throws because of a bug of ours, commits nothing.
 */
export async function executeEffect(
  run: Run,
  { effect, task }: { effect: Effect; task: EffectTask },
  context: OperationContext,
): Promise<Outcome> {
  const started = context.now();
  await refuseLinks(run.dir, effect.effectId);
  const stage = `waiting for the other runner of ${effect.taskId}`;
  const options = { signal: context.signal, onWait: () => context.emit({ stage }) };
  const outcome = await withFileLock(effectLock(run, effect.effectId), options, async () => {
    // The runner that held the lock before may have left a result. If it has committed it, our
    // commit fails and the committed one is reported.
    const leftover = await readLeftover(run, effect, task.operation);
    if (leftover !== undefined) return await commit(run, effect, leftover, 'recovered');
    const { operation, input, cwd } = task;
    await writeTaskInput(run.dir, {
      effectId: effect.effectId,
      operation: operation.name,
      cwd,
      input,
    });
    return await execute(run, { effect, task }, context);
  });
  return { ...outcome, durationMs: context.now() - started };
}

type Timeless = Omit<Outcome, 'durationMs'>;

async function execute(
  run: Run,
  { effect, task }: { effect: Effect; task: EffectTask },
  context: OperationContext,
): Promise<Timeless> {
  const log = new ProgressLog(context);
  const startedAt = new Date().toISOString();
  let report: Report;
  try {
    report = await task.operation.run(task.input, { ...context, emit: log.emit, cwd: task.cwd });
  } catch (error) {
    if (context.signal.aborted) return interrupted(undefined);
    if (!(error instanceof UsageError || error instanceof EnvironmentError)) throw error;
    const result: Result = { status: 'error', error: toSdkError(error), ...log.times(startedAt) };
    return await commit(run, effect, result, 'executed');
  }
  if (report.status === 'interrupted') return interrupted(report);
  const value = JSON.parse(JSON.stringify(report)) as unknown;
  await refuseLinks(run.dir, effect.effectId);
  await writeJson(path.join(run.dir, 'tasks', effect.effectId, 'output.json'), value);
  return await commit(run, effect, { status: 'ok', value, ...log.times(startedAt) }, 'executed');
}

function interrupted(report: unknown): Timeless {
  return { status: 'interrupted', how: 'executed', report, error: null };
}

async function commit(
  run: Run,
  effect: Effect,
  result: Result,
  how: ExecutedEffect['how'],
): Promise<Timeless> {
  const { dir: runDir, sdk } = run;
  const { effectId, invocationKey } = effect;
  // Never aborted: a computed result is always committed.
  const signal = new AbortController().signal;
  // The SDK writes through links, and the operation may have taken its time.
  await refuseLinks(runDir, effectId);
  try {
    await withRunLock(run, signal, () =>
      sdk.commitEffectResult({ runDir, effectId, invocationKey, result }),
    );
  } catch (error) {
    const done = await readCommitted(run, effect);
    if (done === undefined) throw isSystemError(error) ? error : runFailed(run, error);
    return done;
  }
  return result.status === 'ok'
    ? { status: statusOf(result.value), how, report: result.value, error: null }
    : { status: 'failed', how, report: undefined, error: reportStoredError(result.error) };
}

/** The result that is already committed for the effect, by this runner or another. */
export async function readCommitted(run: Run, effect: Effect): Promise<Timeless | undefined> {
  const now = (await readState(run)).effects.get(effect.effectId);
  if (now === undefined || now.status === 'requested') return undefined;
  const file = await inside(run, now.resultRef ?? '');
  const stored = StoredResult.safeParse(await readJson(file)).data;
  const report = stored === undefined ? undefined : await valueOf(run, stored);
  const error = now.status === 'error' ? reportStoredError(stored?.error) : null;
  const status = error === null ? statusOf(report) : 'failed';
  return { status, how: 'already-done', report, error };
}

/** A valid result that an earlier runner computed before it was killed. */
async function readLeftover(
  run: Run,
  effect: Effect,
  operation: Operation,
): Promise<Result | undefined> {
  const dir = path.join(run.dir, 'tasks', effect.effectId);
  const stored = StoredResult.safeParse(await readJsonOrNothing(path.join(dir, 'result.json')));
  if (stored.success && belongsTo(run, effect, stored.data)) {
    const { status, error, startedAt, finishedAt } = stored.data;
    const times = { ...(startedAt && { startedAt }), ...(finishedAt && { finishedAt }) };
    return status === 'error'
      ? { status, error, ...times }
      : { status, value: await valueOf(run, stored.data), ...times };
  }
  const output = operation.output.safeParse(await readJsonOrNothing(path.join(dir, 'output.json')));
  return output.success && output.data.operation === operation.name
    ? { status: 'ok', value: JSON.parse(JSON.stringify(output.data)) }
    : undefined;
}

function belongsTo(run: Run, effect: Effect, stored: z.output<typeof StoredResult>): boolean {
  return (
    stored.schemaVersion === run.sdk.RESULT_SCHEMA_VERSION &&
    stored.effectId === effect.effectId &&
    stored.invocationKey === effect.invocationKey
  );
}

/** The value of a result; the SDK moves one above 1 MiB into a file of its own. */
async function valueOf(run: Run, stored: z.output<typeof StoredResult>): Promise<unknown> {
  return stored.resultRef === undefined
    ? stored.result
    : await readJson(await inside(run, stored.resultRef));
}

/**
 * The absolute path of a file that a file of the run refers to.
 *
 * @throws DamagedFile when it is outside of the run folder, symbolic links followed
 */
async function inside(run: Run, reference: string): Promise<string> {
  const root = await realpath(run.dir);
  const file = path.resolve(root, reference);
  const target = await realpath(file).catch((error: unknown) => {
    if (isMissing(error)) return file;
    throw error;
  });
  const relative = path.relative(root, target);
  if (relative.startsWith('..') || path.isAbsolute(relative)) {
    throw new DamagedFile(`a result refers to ${reference}, which is outside of the run folder`);
  }
  return target;
}

function statusOf(report: unknown): 'failed' | 'passed' {
  const head = ReportHead.safeParse(report).data;
  return head?.status === 'failed' || head?.success === false ? 'failed' : 'passed';
}

async function readJsonOrNothing(file: string): Promise<unknown> {
  return await readJson(file).catch((error: unknown) => {
    if (error instanceof DamagedFile) return undefined;
    throw error;
  });
}

/** The SDK keeps name, message, stack and data of an error, nothing else. */
function toSdkError(error: UsageError | EnvironmentError): object {
  const { name, message, code, hint } = error;
  return { name, message, data: { code, hint: hint ?? null } };
}

/** Passes progress on and keeps it for the task's stderr.log. */
class ProgressLog {
  readonly #context: OperationContext;
  readonly #started: number;
  readonly #lines: string[] = [];

  constructor(context: OperationContext) {
    this.#context = context;
    this.#started = context.now();
  }

  readonly emit = (progress: Progress): void => {
    const { stage, done, total } = progress;
    const count = done === undefined ? '' : ` ${done}${total === undefined ? '' : `/${total}`}`;
    const at = ((this.#context.now() - this.#started) / 1000).toFixed(1);
    this.#lines.push(`+${at}s ${stage}${count}\n`);
    this.#context.emit(progress);
  };

  times(startedAt: string): Pick<Result, 'startedAt' | 'finishedAt' | 'stderr'> {
    const finishedAt = new Date().toISOString();
    return { startedAt, finishedAt, stderr: this.#lines.join('') };
  }
}
