import { basename, resolve } from 'node:path';
import type { OperationContext } from '../core/operation.ts';
import type { Manifest, RunningProject } from './project/index.ts';

/** The server that an operation connects to. Disposing of it stops the project, if there is one. */
export interface Target extends AsyncDisposable {
  readonly url: string;
  /** Null for a `--url`. */
  readonly contract: {
    readonly type: string;
    readonly echo: boolean;
    readonly rooms: boolean;
  } | null;
  /** The name of the project; undefined for a `--url`. */
  readonly name: string | undefined;
  readonly project: RunningProject | undefined;
}

export interface TargetOptions {
  /** Environment variables for a project. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called before a project is installed, built or started; throws to refuse it. */
  readonly check?: (manifest: Manifest) => void;
}

/** Takes the `--url` of an input, or starts its `--project`. Throws as `startProject` does. */
export async function openTarget(
  input: { readonly url?: string | undefined; readonly project?: string | undefined },
  { cwd, signal, emit }: OperationContext,
  { env = {}, check }: TargetOptions = {},
): Promise<Target> {
  if (input.project === undefined) {
    return {
      url: input.url ?? '',
      contract: null,
      name: undefined,
      project: undefined,
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  }
  const { readProject, startProject } = await import('./project/index.ts');
  const path = resolve(cwd, input.project);
  check?.((await readProject(path)).manifest);
  const project = await startProject(path, { signal, emit, env });
  const { type, answers, contract } = project.manifest;
  const { name, features } = answers;
  return {
    url: project.url,
    contract: {
      type,
      echo: contract.echo,
      rooms: Array.isArray(features) && features.includes('rooms'),
    },
    name: typeof name === 'string' ? name : basename(path),
    project,
    [Symbol.asyncDispose]: () => project[Symbol.asyncDispose](),
  };
}
