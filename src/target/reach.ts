import { resolve } from 'node:path';
import type { OperationContext } from '../core/operation.ts';
import { startProject } from './project/index.ts';
import type { BenchmarkInput } from '../operations/benchmark/schema.ts';
import { projectSettings } from '../operations/benchmark/plan/index.ts';
import type { Reached } from '../operations/benchmark/plan/index.ts';

/** The server under load; disposing of it stops the project if there is one. */
export interface Server extends Reached, AsyncDisposable {
  readonly notes: readonly string[];
}

/** Takes the input's url, or starts its project. Throws as `startProject` does. */
export async function reachServer(
  input: BenchmarkInput,
  context: OperationContext,
): Promise<Server> {
  if (input.project === undefined) {
    return {
      url: input.url ?? '',
      contract: null,
      notes: [],
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const settings = projectSettings(input, process.env);
  const project = await startProject(resolve(context.cwd, input.project), {
    signal: context.signal,
    emit: context.emit,
    env: settings,
  });
  const { contract, answers } = project.manifest;
  const shown = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return {
    url: project.url,
    contract: { echo: contract.echo, rooms: hasRooms(answers) },
    notes: shown.length === 0 ? [] : [`the project was started with ${shown.join(' ')}`],
    [Symbol.asyncDispose]: () => project[Symbol.asyncDispose](),
  };
}

/** Whether the chat server was generated with rooms. */
function hasRooms(answers: Readonly<Record<string, unknown>>): boolean {
  const { features } = answers;
  return Array.isArray(features) && features.includes('rooms');
}
