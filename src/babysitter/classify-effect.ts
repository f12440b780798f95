import path from 'node:path';
import * as z from 'zod';
import { UsageError } from '../core/errors.ts';
import { didYouMean } from '../core/did-you-mean.ts';
import type { Operation, OperationEntry } from '../core/operation.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { exists, readJson } from './json-file.ts';
import { howToFail, type Effect, type Run } from './run-folder.ts';
import type { PendingEffect } from './schema.ts';
import { BABYSITTER } from './sdk.ts';
import {
  badTaskInput,
  readTaskInput,
  resolveTaskInput,
  taskInputFile,
  type TaskInput,
} from './task-input.ts';

const TaskDefinition = z.looseObject({
  schemaVersion: z.string(),
  kind: z.string(),
  title: z.string().optional(),
  skill: z
    .looseObject({
      name: z.string(),
      context: z.record(z.string(), z.unknown()).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});
type TaskDefinition = z.output<typeof TaskDefinition>;

/** One of our effects, ready to be executed. */
export interface EffectTask {
  readonly operation: Operation;
  readonly input: Record<string, unknown>;
  readonly cwd: string;
}

/** The operations that a runner can execute, by name. */
export type Registry = Readonly<Record<string, OperationEntry>>;

/** An effect of ours with what to execute, or one that someone else has to resolve. */
export type ClassifiedEffect =
  | { readonly ours: true; readonly effect: Effect; readonly task: EffectTask }
  | { readonly ours: false; readonly effect: Effect; readonly pending: PendingEffect };

/**
 * Tells whether an effect is ours: a `skill` effect that names this skill and an operation. Its
 * input is in input.json, or, if another package has defined the task, in `skill.context`.
 *
 * Changes nothing.
 *
 * @throws UsageError WSK_ERR_BAD_TASK_INPUT when an effect of ours is corrupt or its input wrong
 */
export async function classify(
  run: Run,
  effect: Effect,
  operations: Registry,
): Promise<ClassifiedEffect> {
  const place = { dir: run.dir, effectId: effect.effectId };
  const file = path.join(run.dir, 'tasks', effect.effectId, 'task.json');
  const value = await readJson(file).catch((cause: unknown) => {
    throw badTaskInput(place, `${file} is not JSON`, cause);
  });
  if (value === undefined) throw badTaskInput(place, `${file} is missing`);
  const parsed = TaskDefinition.safeParse(value);
  if (!parsed.success) throw badTaskInput(place, `${file} is no task definition`, parsed.error);
  const definition = parsed.data;
  const { kind, skill, schemaVersion } = definition;
  const leave = (reason: string | null): ClassifiedEffect => {
    return { ours: false, effect, pending: describe(run, effect, { definition, reason }) };
  };
  if (kind !== 'skill' || skill?.name !== 'websocket') return leave(null);
  const { operation: name, ...context } = skill.context ?? {};
  if (typeof name !== 'string') return leave('its skill.context names no operation');
  if (schemaVersion !== run.sdk.TASK_SCHEMA_VERSION) {
    throw badTaskInput(
      place,
      `${file}: schemaVersion is ${schemaVersion}, expected ${run.sdk.TASK_SCHEMA_VERSION}`,
    );
  }
  const stored = await readStored(run, effect, { name, context });
  const entry = Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (entry === undefined) {
    const hint = didYouMean(name, Object.keys(operations));
    return leave(`there is no operation ${JSON.stringify(name)}; ${hint}`);
  }
  const operation = await entry.load();
  const task =
    stored === undefined
      ? { operation, input: readContext(run, effect, { operation, context }), cwd: run.cwd }
      : { operation, input: readInput(run, effect, { operation, stored }), cwd: stored.cwd };
  return { ours: true, effect, task };
}

/** The file input.json; undefined for a task of others whose input is in its `skill.context`. */
async function readStored(
  run: Run,
  { effectId }: Effect,
  { name, context }: { name: string; context: Readonly<Record<string, unknown>> },
): Promise<TaskInput | undefined> {
  // Our own tasks name the command; they are never without input.json.
  const isForeign = !Object.hasOwn(context, 'command');
  if (isForeign && !(await exists(taskInputFile(run.dir, effectId)))) return undefined;
  const stored = await readTaskInput(run.dir, effectId);
  if (stored.operation === name) return stored;
  throw badTaskInput(
    { dir: run.dir, effectId },
    `input.json of ${effectId} is for ${stored.operation}, its task.json for ${name}`,
  );
}

function readInput(
  run: Run,
  { effectId }: Effect,
  { operation, stored }: { operation: Operation; stored: TaskInput },
): Record<string, unknown> {
  const input = operation.input.safeParse(stored.input);
  if (input.success) return input.data;
  const issue = input.error.issues[0];
  const at = ['input', ...(issue?.path ?? [])].join('.');
  throw badTaskInput(
    { dir: run.dir, effectId },
    `input.json of ${effectId}: ${at}: ${issue?.message ?? ''}`,
    input.error,
  );
}

function readContext(
  run: Run,
  { effectId, taskId }: Effect,
  { operation, context }: { operation: Operation; context: Readonly<Record<string, unknown>> },
): Record<string, unknown> {
  try {
    return operation.input.parse(resolveTaskInput(operation, context, run.cwd));
  } catch (error) {
    if (!(error instanceof UsageError) || error.code === 'WSK_ERR_INVALID_CONFIG') throw error;
    const { message, hint } = error;
    throw new UsageError(
      'WSK_ERR_BAD_TASK_INPUT',
      `skill.context of ${taskId} (${effectId}), operation ${operation.name}: ${message}`,
      {
        cause: error,
        hint:
          `${hint === undefined ? '' : `${hint.replace(/(?<!\?)$/, ';')} `}nothing was executed; mend the task and start a ` +
          `new run, or ${howToFail(run, effectId)}`,
      },
    );
  }
}

function describe(
  { dir }: Run,
  { effectId, taskId }: Effect,
  { definition, reason }: { definition: TaskDefinition; reason: string | null },
): PendingEffect {
  const { kind, title } = definition;
  const value = kind === 'breakpoint' ? '{"approved":true}' : '<json>';
  const post = [...BABYSITTER, 'task:post', dir, effectId, '--status'];
  return {
    effectId,
    kind,
    taskId,
    title: title ?? taskId,
    reason,
    post: shellQuote([...post, 'ok', '--value-inline', value]),
    fail: shellQuote([...post, 'error']),
  };
}
