import path from 'node:path';
import * as z from 'zod';
import { loadSettings } from '../config/index.ts';
import { resolveInput } from '../core/derive/input.ts';
import { UsageError } from '../core/errors.ts';
import { makeFolder } from '../core/make-folder.ts';
import type { Operation } from '../core/operation.ts';
import { exists, readJson, writeJson } from './json-file.ts';
import { howToFail, refuseLinks } from './run-folder.ts';

/** Format of `tasks/<effectId>/input.json`; any other is refused. */
export const TASK_INPUT_VERSION = 'websocket-skill.task-input.v1';

/** The resolved input of a task, written once when the task is requested. */
export const TaskInput = z.strictObject({
  schemaVersion: z.literal(TASK_INPUT_VERSION),
  effectId: z.string().min(1),
  operation: z.string().min(1),
  /** Absolute; relative paths in `input` start here. */
  cwd: z.string().min(1),
  /** The operation's input with every default filled in. */
  input: z.record(z.string(), z.unknown()),
});
export type TaskInput = z.output<typeof TaskInput>;

/** The file with the input of an effect. */
export function taskInputFile(runDir: string, effectId: string): string {
  return path.join(runDir, 'tasks', effectId, 'input.json');
}

/**
 * Resolves the arguments of a task in the folder `cwd`: arguments > WS_* > websocket.yaml >
 * defaults, as JSON.
 *
 * @throws UsageError for an argument, variable or configuration value that is wrong
 */
export function resolveTaskInput(
  operation: Operation,
  args: Readonly<Record<string, unknown>>,
  cwd: string,
): Record<string, unknown> {
  const { settings, note } = loadSettings({ cwd, env: process.env });
  if (note !== undefined) console.error(`websocket-skill: ${note}`);
  const resolved = resolveInput(operation, args, settings);
  return JSON.parse(JSON.stringify(resolved)) as Record<string, unknown>;
}

/** Writes the input of a newly requested effect; an existing file is kept. */
export async function writeTaskInput(
  runDir: string,
  task: Omit<TaskInput, 'schemaVersion'>,
): Promise<void> {
  await refuseLinks(runDir, task.effectId);
  const file = taskInputFile(runDir, task.effectId);
  if (await exists(file)) return;
  makeFolder(path.dirname(file));
  await writeJson(file, { schemaVersion: TASK_INPUT_VERSION, ...task });
}

/**
 * Reads the input of an effect.
 *
 * @throws UsageError WSK_ERR_BAD_TASK_INPUT when it is missing, corrupt, or of another effect
 */
export async function readTaskInput(runDir: string, effectId: string): Promise<TaskInput> {
  await refuseLinks(runDir, effectId);
  const file = taskInputFile(runDir, effectId);
  const task = { dir: runDir, effectId };
  const value = await readJson(file).catch((cause: unknown) => {
    throw badTaskInput(task, `${file} is not JSON`, cause);
  });
  if (value === undefined) throw badTaskInput(task, `${file} is missing`);
  const parsed = TaskInput.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const at = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.join('.')}: `;
    throw badTaskInput(task, `${file}: ${at}${issue?.message ?? 'unknown format'}`, parsed.error);
  }
  if (parsed.data.effectId !== effectId) {
    const message = `${file}: effectId is ${parsed.data.effectId}, expected ${effectId}`;
    throw badTaskInput(task, message);
  }
  return parsed.data;
}

/** The error for a task folder whose files were not written by a task of this package. */
export function badTaskInput(
  { dir, effectId }: { dir: string; effectId: string },
  message: string,
  cause?: unknown,
): UsageError {
  return new UsageError('WSK_ERR_BAD_TASK_INPUT', message, {
    cause,
    hint:
      'nothing was executed or changed; the file is written by the task wrapper, not by hand: ' +
      `restore it, start a new run, or ${howToFail({ dir }, effectId)}`,
  });
}
