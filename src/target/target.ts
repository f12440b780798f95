import { resolve } from 'node:path';
import type { OperationContext } from '../core/operation.ts';
import { startProject } from './project/index.ts';
import type { RunningProject } from './project/index.ts';

/** The endpoint under test; disposing of it stops the project if there is one. */
export interface Target extends AsyncDisposable {
  readonly url: string;
  readonly project: RunningProject | undefined;
}

/** Takes the input's url, or starts its project. Throws as `startProject` does. */
export async function openTarget(
  input: { readonly url?: string | undefined; readonly project?: string | undefined },
  context: OperationContext,
): Promise<Target> {
  if (input.project === undefined) {
    const url = input.url ?? '';
    return { url, project: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const project = await startProject(resolve(context.cwd, input.project), {
    signal: context.signal,
    emit: context.emit,
  });
  return { url: project.url, project, [Symbol.asyncDispose]: () => project[Symbol.asyncDispose]() };
}
