import path from 'node:path';
import type { DefinedTask, TaskImpl } from '@a5c-ai/babysitter-sdk/dist/tasks/index.js';
import type * as z from 'zod';
import { readJson } from '../src/babysitter/json-file.ts';
import { loadTaskSdk } from '../src/babysitter/sdk.ts';
import { writeTaskInput } from '../src/babysitter/task-input.ts';
import { loadSettings } from '../src/config/index.ts';
import { resolveInput } from '../src/core/derive/input.ts';
import { taskIdOf, toTaskDefinition, type TaskDefinition } from '../src/core/derive/task.ts';
import type { Operation, Report } from '../src/core/operation.ts';

/*
 * The SDK refuses a task id that is defined twice in one process, and two copies of this package
 * (the project's and a global one, sources and build) define the same. The first one wins for all.
 */
const MEMO = Symbol.for('websocket-skill/tasks');
type Memo = Map<string, unknown>;

/** What a task resolves to: `ResultOf<typeof generateServer>`. */
export type ResultOf<Task> = Task extends DefinedTask<never, infer Result> ? Result : never;

/** The task of an operation, typed as its library function is. */
export type TaskOf<Input extends z.ZodObject, Output extends z.ZodType<Report>> = DefinedTask<
  z.input<Input>,
  z.output<Output>
>;

/**
 * Defines the task of one operation: requested, it resolves arguments > WS_* > websocket.yaml >
 * defaults and writes the outcome to `tasks/<effectId>/input.json`, once.
 */
export function defineOperationTask<Input extends z.ZodObject, Output extends z.ZodType<Report>>(
  operation: Operation<Input, Output>,
): TaskOf<Input, Output> {
  return defineOnce<z.input<Input>, z.output<Output>>(
    taskIdOf(operation),
    (args, effect) => request(operation, args, effect),
    { kind: 'skill', description: operation.summary },
  );
}

/** Defines a task, or returns the one that was defined under this id before. */
export function defineOnce<Args, Result>(
  id: string,
  build: TaskImpl<Args, Result>,
  options: { kind: string; description: string },
): DefinedTask<Args, Result> {
  const tasks = memo();
  const known = tasks.get(id);
  if (known !== undefined) return known as DefinedTask<Args, Result>;
  const task = loadTaskSdk(process.cwd()).defineTask<Args, Result>(id, build, options);
  tasks.set(id, task);
  return task;
}

function memo(): Memo {
  const host = globalThis as unknown as Record<symbol, Memo | undefined>;
  const tasks = host[MEMO] ?? new Map<string, unknown>();
  host[MEMO] = tasks;
  return tasks;
}

/**
 * What happens when a process asks for the task for the first time.
 *
 * @throws UsageError for an argument, variable or configuration value that is wrong
 */
async function request<Input extends z.ZodObject, Output extends z.ZodType<Report>>(
  operation: Operation<Input, Output>,
  args: z.input<Input> | undefined,
  { effectId, runDir }: { effectId: string; runDir: string },
): Promise<TaskDefinition> {
  const cwd = await workingFolder(runDir);
  const { settings } = loadSettings({ cwd, env: process.env });
  const resolved = resolveInput(operation, args ?? {}, settings);
  const input = JSON.parse(JSON.stringify(resolved)) as Record<string, unknown>;
  await writeTaskInput(runDir, { effectId, operation: operation.name, cwd, input });
  return toTaskDefinition(operation, { effectId, runDir }, input);
}

/** The folder our runner noted when it made the run, else the one this program works in. */
async function workingFolder(runDir: string): Promise<string> {
  const metadata = await readJson(path.join(runDir, 'run.json'));
  const noted = (metadata as { cwd?: unknown } | undefined)?.cwd;
  return typeof noted === 'string' ? noted : process.cwd();
}
