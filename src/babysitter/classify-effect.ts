import path from 'node:path';
import * as z from 'zod';
import { UsageError } from '../core/errors.ts';
import { didYouMean } from '../core/did-you-mean.ts';
import type { Operation, OperationEntry } from '../core/operation.ts';
import { readJson } from './json-file.ts';
import type { Effect, Run } from './run-folder.ts';
import type { PendingEffect } from './schema.ts';
import { badTaskInput, readTaskInput } from './task-input.ts';

const TaskDefinition = z.looseObject({
  schemaVersion: z.string(),
  kind: z.string(),
  title: z.string().optional(),
  skill: z
    .looseObject({ name: z.string(), context: z.looseObject({ operation: z.string().optional() }) })
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
 * Tells whether an effect is ours: a `skill` effect that names this skill and an operation.
 *
 * Changes nothing.
 *
 * @throws UsageError WSK_ERR_BAD_TASK_INPUT when an effect of ours is corrupt or unknown
 */
export async function classify(
  run: Run,
  effect: Effect,
  operations: Registry,
): Promise<ClassifiedEffect> {
  const file = path.join(run.dir, 'tasks', effect.effectId, 'task.json');
  const value = await readJson(file).catch((cause: unknown) => {
    throw badTaskInput(`${file} is not JSON`, cause);
  });
  const parsed = TaskDefinition.safeParse(value);
  if (!parsed.success) throw badTaskInput(`${file} is no task definition`, parsed.error);
  const definition = parsed.data;
  const name = operationNameOf(definition);
  if (name === undefined)
    return { ours: false, effect, pending: describe(run, effect, definition) };
  if (definition.schemaVersion !== run.sdk.TASK_SCHEMA_VERSION) {
    throw badTaskInput(
      `${file}: schemaVersion is ${definition.schemaVersion}, expected ${run.sdk.TASK_SCHEMA_VERSION}`,
    );
  }
  return { ours: true, effect, task: await readTask(run, effect, { name, operations }) };
}

function operationNameOf({ kind, skill }: TaskDefinition): string | undefined {
  return kind === 'skill' && skill?.name === 'websocket' ? skill.context.operation : undefined;
}

async function readTask(
  run: Run,
  { effectId }: Effect,
  { name, operations }: { name: string; operations: Registry },
): Promise<EffectTask> {
  const stored = await readTaskInput(run.dir, effectId);
  if (stored.operation !== name) {
    throw badTaskInput(
      `input.json of ${effectId} is for ${stored.operation}, its task.json for ${name}`,
    );
  }
  const entry = Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (entry === undefined) {
    throw new UsageError(
      'WSK_ERR_BAD_TASK_INPUT',
      `effect ${effectId} asks for the unknown operation ${JSON.stringify(name)}`,
      { hint: didYouMean(name, Object.keys(operations)) },
    );
  }
  const operation = await entry.load();
  const input = operation.input.safeParse(stored.input);
  if (!input.success) {
    const issue = input.error.issues[0];
    const at = ['input', ...(issue?.path ?? [])].join('.');
    throw badTaskInput(`input.json of ${effectId}: ${at}: ${issue?.message ?? ''}`, input.error);
  }
  return { operation, input: input.data, cwd: stored.cwd };
}

function describe(run: Run, effect: Effect, { kind, title }: TaskDefinition): PendingEffect {
  const value = kind === 'breakpoint' ? '{"approved":true}' : '<json>';
  return {
    effectId: effect.effectId,
    kind,
    taskId: effect.taskId,
    title: title ?? effect.taskId,
    post: `babysitter task:post ${run.dir} ${effect.effectId} --status ok --value-inline '${value}'`,
  };
}
