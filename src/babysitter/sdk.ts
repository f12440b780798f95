import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as runtime from '@a5c-ai/babysitter-sdk/dist/runtime/index.js';
import type * as storage from '@a5c-ai/babysitter-sdk/dist/storage/index.js';
import type * as tasks from '@a5c-ai/babysitter-sdk/dist/tasks/index.js';
import { EnvironmentError } from '../core/errors.ts';

/*
 * The only place that loads the babysitter SDK, an optional peer of 240 MB. Its main entry takes half
 * a second and needs an undeclared dependency; its parts do not, but are no documented API. So a part
 * is loaded where it exists, else the main entry, which has the same names.
 */

const PACKAGE = '@a5c-ai/babysitter-sdk';
const HERE = path.dirname(fileURLToPath(import.meta.url));

/** The SDK version that this package is developed and tested with. */
export const TESTED_SDK = '0.0.187';

/** The SDK's own program, in the project or global; npm must not fetch another of that name. */
export const BABYSITTER = ['npx', '--no', '--', 'babysitter'] as const;

type Part = 'runtime' | 'storage' | 'tasks';

/** What the runner uses of the SDK. */
export type RunnerSdk = Pick<
  typeof runtime,
  'createRun' | 'orchestrateIteration' | 'commitEffectResult' | 'replaySchemaVersion'
> &
  Pick<typeof storage, 'acquireRunLock' | 'appendEvent' | 'loadJournal' | 'releaseRunLock'> &
  Pick<typeof tasks, 'TASK_SCHEMA_VERSION' | 'RESULT_SCHEMA_VERSION'>;

/** What the task wrappers use of the SDK. */
export type TaskSdk = Pick<typeof tasks, 'defineTask'>;

/**
 * Loads what the runner needs: from beside this package, else from `cwd` (the package may be
 * installed globally and the SDK in the project).
 *
 * @throws EnvironmentError WSK_ERR_SDK_MISSING with the command that installs it
 */
export function loadRunnerSdk(cwd: string): RunnerSdk {
  return {
    ...(loadPart('runtime', cwd) as typeof runtime),
    ...(loadPart('storage', cwd) as typeof storage),
    ...(loadPart('tasks', cwd) as typeof tasks),
  };
}

/** Loads `defineTask`; see loadRunnerSdk. */
export function loadTaskSdk(cwd: string): TaskSdk {
  return loadPart('tasks', cwd) as typeof tasks;
}

function loadPart(part: Part, cwd: string): unknown {
  const require = createRequire(import.meta.url);
  const candidates = [`${PACKAGE}/dist/${part}/index.js`, PACKAGE];
  let cause: unknown;
  for (const candidate of candidates) {
    try {
      return require(require.resolve(candidate, { paths: [HERE, cwd] }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      cause = error;
    }
  }
  throw new EnvironmentError('WSK_ERR_SDK_MISSING', `${PACKAGE} is not installed`, {
    cause,
    hint: `npm install --save-dev ${PACKAGE}@${TESTED_SDK}`,
  });
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND';
}
