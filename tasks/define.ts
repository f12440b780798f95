import path from 'node:path';
import type {
  DefinedTask,
  TaskBuildContext,
  TaskImpl,
} from '@a5c-ai/babysitter-sdk/dist/tasks/index.js';
import * as z from 'zod';
import { readJson } from '../src/babysitter/json-file.ts';
import { loadTaskSdk } from '../src/babysitter/sdk.ts';
import { resolveTaskInput, writeTaskInput } from '../src/babysitter/task-input.ts';
import { checkInput } from '../src/core/derive/input.ts';
import { taskIdOf, toTaskDefinition, type TaskDefinition } from '../src/core/derive/task.ts';
import type { OperationEntry, Report } from '../src/core/operation.ts';

/*
 * The SDK refuses a task id that is defined twice in one process, and two copies of this package
 * (the project's and a global one, sources and build) define the same ids. The first copy's are used.
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

/** The tasks of a registry, by the names of its operations. */
type TasksOf<Registry> = {
  readonly [Name in keyof Registry]: Registry[Name] extends OperationEntry<
    infer Input,
    infer Output
  >
    ? TaskOf<Input, Output>
    : never;
};

/**
 * Defines one task for each operation. When a process requests it, the task resolves arguments >
 * WS_* > websocket.yaml > defaults and writes the result to `tasks/<effectId>/input.json`, once.
 */
export function defineTasks<Registry extends Readonly<Record<string, OperationEntry>>>(
  operations: Registry,
): TasksOf<Registry> {
  const tasks = Object.entries(operations).map(([name, entry]) => {
    const options = { kind: 'skill', description: entry.summary };
    const build: TaskImpl<Record<string, unknown>, Report> = (args, effect) =>
      request(entry, args, effect);
    return [name, defineOnce(taskIdOf(entry), build, options)];
  });
  return Object.fromEntries(tasks) as TasksOf<Registry>;
}

/** What the one task for all operations takes: the name of an operation, and its input. */
export type AnyArgs<Registry> = {
  readonly [Name in keyof Registry]: Registry[Name] extends OperationEntry<infer Input>
    ? { readonly operation: Name; readonly config?: z.input<Input> }
    : never;
}[keyof Registry];

/** Defines one task for all operations: `{ operation: 'test', config: { url } }`. */
export function defineAnyTask<Registry extends Readonly<Record<string, OperationEntry>>>(
  operations: Registry,
): DefinedTask<AnyArgs<Registry>, Report> {
  const Args = z.strictObject({
    operation: z.enum(Object.keys(operations)),
    config: z
      .record(z.string(), z.unknown())
      .default({})
      .meta({ expected: 'the input of the operation' }),
  });
  const build = async (
    args: AnyArgs<Registry> | undefined,
    effect: TaskBuildContext,
  ): Promise<TaskDefinition> => {
    const { operation, config } = checkInput(Args, args ?? {});
    return await request(operations[operation] as OperationEntry, config, effect);
  };
  const options = { kind: 'skill', description: 'Execute any operation of the websocket skill' };
  return defineOnce('websocket/any', build, options);
}

/** Defines a task, or returns the one that is already defined under this id. */
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
 * Builds the definition of a task when a process requests it for the first time.
 *
 * @throws UsageError for an argument, variable or configuration value that is wrong
 */
async function request(
  entry: OperationEntry,
  args: Record<string, unknown> | undefined,
  { effectId, runDir }: { effectId: string; runDir: string },
): Promise<TaskDefinition> {
  const operation = await entry.load();
  const cwd = await workingFolder(runDir);
  // A task about a run is about the one that asks for it, unless the arguments name another.
  const own = Object.hasOwn(operation.input.shape, 'run') ? { run: runDir } : {};
  const input = resolveTaskInput(operation, { ...own, ...args }, cwd);
  await writeTaskInput(runDir, { effectId, operation: operation.name, cwd, input });
  return toTaskDefinition(operation, { effectId, runDir }, input);
}

/** The folder in which our runner created the run, else the working folder of this process. */
async function workingFolder(runDir: string): Promise<string> {
  const metadata = await readJson(path.join(runDir, 'run.json'));
  const noted = (metadata as { cwd?: unknown } | undefined)?.cwd;
  return typeof noted === 'string' ? noted : process.cwd();
}
