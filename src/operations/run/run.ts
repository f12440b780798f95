import path from 'node:path';
import type { Registry } from '../../babysitter/classify-effect.ts';
import { createRunFolder } from '../../babysitter/create-run.ts';
import { continueRun } from '../../babysitter/orchestrate.ts';
import { checkProcessInputs, findProcess } from '../../babysitter/process-file.ts';
import type { RunReport } from '../../babysitter/schema.ts';
import { loadRunnerSdk } from '../../babysitter/sdk.ts';
import { invalidInput, UsageError } from '../../core/errors.ts';
import { readInputFile } from '../../core/input-file.ts';
import type { OperationContext } from '../../core/operation.ts';
import { operations as registry } from '../index.ts';
import type { RunInput } from './schema.ts';

/**
 * Creates a run of a process and executes it until it ends or waits for others.
 *
 * @throws UsageError for a wrong process, wrong inputs or run id (nothing is created),
 * EnvironmentError WSK_ERR_SDK_MISSING, WSK_ERR_RUN_FAILED, WSK_ERR_OUTPUT_NOT_WRITABLE
 */
export async function runProcess(
  input: RunInput,
  context: OperationContext,
  operations: Registry = registry,
): Promise<RunReport> {
  const { cwd } = context;
  const sdk = loadRunnerSdk(cwd);
  const found = await findProcess(input.process, cwd);
  const inputs = input.inputs === undefined ? {} : await readInputs(input.inputs, cwd);
  await checkProcessInputs(found, inputs);
  const defaultDir = process.env['BABYSITTER_RUNS_DIR'] ?? path.join('.a5c', 'runs');
  const runsDir = path.resolve(cwd, input.runsDir ?? defaultDir);
  const run = { process: found, inputs, runsDir, runId: input.runId, cwd };
  const dir = await createRunFolder(sdk, run);
  context.emit({ stage: `run ${dir}` });
  return await continueRun('run', dir, { context, operations });
}

async function readInputs(file: string, cwd: string): Promise<Record<string, unknown>> {
  const text = (await readInputFile(file, { cwd, flag: '--inputs' })).toString('utf8');
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
    throw invalidInput(`--inputs ${file} holds ${JSON.stringify(value)}, expected a JSON object`);
  }
  return value as Record<string, unknown>;
}
