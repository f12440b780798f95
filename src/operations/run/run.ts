import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { UsageError } from '../core/errors.ts';
import type { Operation, OperationContext } from '../core/operation.ts';
import { operations as registry } from '../operations/index.ts';
import { createRunFolder } from './create-run.ts';
import { checkPending, drive } from './orchestrate.ts';
import { takeUp } from './recover.ts';
import { findProcess } from './process-file.ts';
import { openRun } from './run-folder.ts';
import type { ResumeInput, RunInput, RunReport } from './schema.ts';
import { loadRunnerSdk } from './sdk.ts';

/**
 * Creates a run of a process and drives it as far as it goes without others.
 *
 * @throws UsageError for a wrong process, inputs file or run id (nothing is created),
 * EnvironmentError WSK_ERR_SDK_MISSING, WSK_ERR_RUN_FAILED, WSK_ERR_OUTPUT_NOT_WRITABLE
 */
export async function runProcess(
  input: RunInput,
  context: OperationContext,
  operations: readonly Operation[] = registry,
): Promise<RunReport> {
  const { cwd } = context;
  const sdk = loadRunnerSdk(cwd);
  const process = await findProcess(input.process, cwd);
  const inputs = input.inputs === undefined ? {} : await readInputs(input.inputs, cwd);
  const runsDir = path.resolve(cwd, input.runsDir ?? defaultRunsDir());
  const dir = await createRunFolder(sdk, { process, inputs, runsDir, runId: input.runId, cwd });
  context.emit({ stage: `run ${dir}` });
  return await continueRun('run', { runDir: dir }, { context, operations });
}

/**
 * Goes on with a run: after a kill, an interruption, or a result that someone else posted.
 *
 * A run that has ended is reported and left alone.
 *
 * @throws UsageError WSK_ERR_NOT_A_RUN or WSK_ERR_BAD_TASK_INPUT with nothing changed,
 * EnvironmentError WSK_ERR_SDK_MISSING, WSK_ERR_RUN_FAILED
 */
export async function resumeRun(
  input: ResumeInput,
  context: OperationContext,
  operations: readonly Operation[] = registry,
): Promise<RunReport> {
  return await continueRun('resume', input, { context, operations });
}

async function continueRun(
  operation: RunReport['operation'],
  { runDir }: ResumeInput,
  { context, operations }: { context: OperationContext; operations: readonly Operation[] },
): Promise<RunReport> {
  const run = await openRun(loadRunnerSdk(context.cwd), runDir, context.cwd);
  await checkPending(run, operations);
  await takeUp(run, context.signal);
  const driven = await drive(run, operations, context);
  return {
    operation,
    ...driven,
    success: driven.status === 'passed',
    runId: run.runId,
    runDir: run.dir,
    process: run.processId,
  };
}

function defaultRunsDir(): string {
  return globalThis.process.env['BABYSITTER_RUNS_DIR'] ?? path.join('.a5c', 'runs');
}

async function readInputs(name: string, cwd: string): Promise<Record<string, unknown>> {
  const file = path.resolve(cwd, name);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError('WSK_ERR_FILE_NOT_READABLE', `--inputs ${file} cannot be read`, { cause });
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError('WSK_ERR_INVALID_INPUT', `--inputs ${file} is not JSON: ${why}`, {
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const message = `--inputs ${file} holds ${JSON.stringify(value)}, expected a JSON object`;
    throw new UsageError('WSK_ERR_INVALID_INPUT', message);
  }
  return value as Record<string, unknown>;
}
