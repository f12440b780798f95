import type { Operation } from '../operation.ts';
import { ownProgram } from '../own-command.ts';
import { shellQuote } from '../shell-quote.ts';

/** The effect a task definition is for. */
export interface TaskEffect {
  readonly effectId: string;
  /** Absolute. */
  readonly runDir: string;
}

/** What the babysitter SDK stores as task.json; a type, since interfaces are not indexable. */
export type TaskDefinition = {
  kind: 'skill';
  title: string;
  description: string;
  labels: string[];
  io: { inputJsonPath: string; outputJsonPath: string };
  skill: { name: 'websocket'; context: { operation: string; input: unknown; command: string[] } };
};

/** The id under which an operation's task is defined: `websocket/generate-server`. */
export function taskIdOf(operation: Pick<Operation, 'name'>): string {
  return `websocket/${operation.name}`;
}

/**
 * The task definition of `operation` for one effect; `input` is the resolved input, as JSON.
 *
 * Some hosts hand an agent nothing but the title, so that the title ends with the whole command.
 */
export function toTaskDefinition(
  operation: Pick<Operation, 'name' | 'summary'>,
  { effectId, runDir }: TaskEffect,
  input: unknown,
): TaskDefinition {
  const command = [...ownProgram(), 'run-task', runDir, effectId];
  return {
    kind: 'skill',
    title: `${operation.summary}. This command does it and posts the result: ${shellQuote(command)}`,
    description: operation.summary,
    labels: [taskIdOf(operation)],
    io: {
      inputJsonPath: `tasks/${effectId}/input.json`,
      outputJsonPath: `tasks/${effectId}/result.json`,
    },
    skill: { name: 'websocket', context: { operation: operation.name, input, command } },
  };
}
