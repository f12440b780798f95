import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { EnvironmentError, environmentFault, UsageError } from '../core/errors.ts';
import { ownCommand } from '../core/own-command.ts';
import { shellQuote } from '../core/shell-quote.ts';
import { DamagedFile, isMissing, readJson } from './json-file.ts';
import { BABYSITTER, type RunnerSdk } from './sdk.ts';

const RunMetadata = z.looseObject({
  runId: z.string().min(1),
  processId: z.string().min(1),
  layoutVersion: z.string().min(1),
  createdAt: z.string().min(1),
  cwd: z.string().optional(),
  entrypoint: z.object({ importPath: z.string().min(1), exportName: z.string().min(1) }),
});

/** A checked run folder, and the SDK that reads it. */
export interface Run {
  readonly sdk: RunnerSdk;
  /** Absolute. */
  readonly dir: string;
  readonly runId: string;
  readonly processId: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** Absolute: where our runner created the run, else where it is opened. */
  readonly cwd: string;
  readonly entrypoint: { readonly importPath: string; readonly exportName: string };
}

/** One effect as the journal has it. */
export interface Effect {
  readonly effectId: string;
  readonly invocationKey: string;
  readonly taskId: string;
  readonly kind: string;
  readonly status: 'requested' | 'ok' | 'error';
  /** Run-relative file of the result, once there is one. */
  readonly resultRef: string | undefined;
}

/** The state of a run as the journal has it; nothing is inferred. */
export interface RunState {
  readonly events: number;
  readonly ended: 'completed' | 'failed' | undefined;
  /** The error of a failed run, as the SDK serialised it. */
  readonly failure: unknown;
  readonly effects: ReadonlyMap<string, Effect>;
}

/**
 * Opens the run folder `dir` (relative to `cwd`) without changing anything.
 *
 * @throws UsageError WSK_ERR_NOT_A_RUN when it is none, or of a layout that the SDK does not know
 */
export async function openRun(sdk: RunnerSdk, dir: string, cwd: string): Promise<Run> {
  const runDir = path.resolve(cwd, dir);
  const file = path.join(runDir, 'run.json');
  const value = await readJson(file).catch((cause: unknown) => {
    throw notARun(`${file} cannot be read`, cause);
  });
  if (value === undefined) throw notARun(`${runDir} holds no babysitter run: no run.json`);
  const parsed = RunMetadata.safeParse(value);
  if (!parsed.success) {
    const key = parsed.error.issues[0]?.path.join('.') ?? '';
    throw notARun(`${file} is not of a babysitter run: ${key} is missing or wrong`);
  }
  const { layoutVersion, runId, processId, createdAt, entrypoint } = parsed.data;
  if (layoutVersion !== sdk.replaySchemaVersion) {
    throw notARun(
      `${file}: layoutVersion is ${layoutVersion}, expected ${sdk.replaySchemaVersion}`,
    );
  }
  return {
    sdk,
    dir: runDir,
    runId,
    processId,
    createdAt,
    cwd: path.resolve(cwd, parsed.data.cwd ?? ''),
    entrypoint,
  };
}

/** The error for a folder that is not a run this package can work on. */
export function notARun(message: string, cause?: unknown): UsageError {
  return new UsageError('WSK_ERR_NOT_A_RUN', message, {
    cause,
    hint: 'nothing was changed; give a folder below .a5c/runs that holds a run.json',
  });
}

/** Reads the journal. @throws EnvironmentError WSK_ERR_RUN_FAILED when it is damaged */
export async function readState(run: Run): Promise<RunState> {
  const events = await run.sdk.loadJournal(run.dir).catch((cause: unknown) => {
    throw runFailed(run, cause);
  });
  const effects = new Map<string, Effect>();
  let ended: RunState['ended'];
  let failure: unknown;
  for (const { type, data } of events) {
    if (type === 'EFFECT_REQUESTED') {
      const effectId = text(data['effectId']);
      // It names a folder of the run and stands in command lines.
      if (!/^\w[\w-]*$/.test(effectId)) {
        const message = `the journal has an effect with the id ${JSON.stringify(effectId)}`;
        throw runFailed(run, new DamagedFile(message));
      }
      effects.set(effectId, {
        effectId,
        invocationKey: text(data['invocationKey']),
        taskId: text(data['taskId']),
        kind: text(data['kind']),
        status: 'requested',
        resultRef: undefined,
      });
    } else if (type === 'EFFECT_RESOLVED') {
      const effect = effects.get(text(data['effectId']));
      if (effect === undefined) continue;
      const status = data['status'] === 'ok' ? 'ok' : 'error';
      effects.set(effect.effectId, { ...effect, status, resultRef: text(data['resultRef']) });
    } else if (type === 'RUN_COMPLETED') {
      ended = 'completed';
    } else if (type === 'RUN_FAILED') {
      ended = 'failed';
      failure = data['error'];
    }
  }
  return { events: events.length, ended, failure, effects };
}

/** How to end the wait for an effect that nobody can resolve. */
export function howToFail({ dir }: Pick<Run, 'dir'>, effectId: string): string {
  const post = shellQuote([...BABYSITTER, 'task:post', dir, effectId, '--status', 'error']);
  return `post an error: ${post}, then run: ${ownCommand('resume', dir)}`;
}

/** The error for a run that the SDK cannot continue; the journal keeps what was committed. */
export function runFailed(run: Pick<Run, 'dir'>, cause: unknown): EnvironmentError {
  const message = cause instanceof Error ? cause.message : String(cause);
  const hint = hintFor(run, message, cause);
  return new EnvironmentError('WSK_ERR_RUN_FAILED', `run ${run.dir}: ${message}`, { cause, hint });
}

function hintFor({ dir }: Pick<Run, 'dir'>, message: string, cause: unknown): string {
  const resume = ownCommand('resume', dir);
  const owner = /^run\.lock already held by pid (\d+)/.exec(message)?.[1];
  if (owner !== undefined) return `wait for process ${owner} or end it, then run: ${resume}`;
  if (cause instanceof DamagedFile) {
    return 'the run cannot go on like this: restore the file, or remove the folder and start a new run';
  }
  if (/journal|sequence/i.test(message)) {
    const repair = shellQuote([...BABYSITTER, 'run:repair-journal', dir]);
    return `repair it with: ${repair}; if that fails, start a new run`;
  }
  return `fix it, then run: ${resume}`;
}

/** What is written of a run besides the folders of its effects. */
const WRITTEN = ['journal', 'state', 'tasks', 'run.lock', 'websocket-skill.lock'];

/**
 * Refuses a run in which something would be written through a symbolic link, which a task may have put
 * there: into another folder than the effect's, or over a file of somebody else.
 *
 * @throws EnvironmentError WSK_ERR_OUTPUT_NOT_WRITABLE that names the link
 */
export async function refuseLinks(runDir: string, effectId: string): Promise<void> {
  const folder = path.join('tasks', effectId);
  for (const name of [...WRITTEN, folder]) await refuseLink(runDir, name);
  const names = await readdir(path.join(runDir, folder)).catch(nothingIfMissing);
  for (const name of names ?? []) await refuseLink(runDir, path.join(folder, name));
}

async function refuseLink(runDir: string, name: string): Promise<void> {
  const stats = await lstat(path.join(runDir, name)).catch(nothingIfMissing);
  if (stats?.isSymbolicLink() !== true) return;
  const message = `run ${runDir}: ${name} is a symbolic link, which is not written through`;
  throw new EnvironmentError('WSK_ERR_OUTPUT_NOT_WRITABLE', message, {
    cause: new Error(`${name} is a symbolic link`),
    hint: `find out who made it and remove it, then run: ${ownCommand('resume', runDir)}`,
  });
}

function nothingIfMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

/**
 * Runs `work` on a run. What the folder is to blame for, a full or read-only disk, a file that is
 * damaged, becomes an `EnvironmentError` about the run.
 */
export async function onRun<Result>(
  run: Pick<Run, 'dir'>,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DamagedFile) throw runFailed(run, error);
    const fault = environmentFault(error);
    if (fault === undefined) throw error;
    const resume = ownCommand('resume', run.dir);
    throw new EnvironmentError(fault.code, `run ${run.dir}: ${fault.message}`, {
      cause: error,
      hint: `fix it, then run: ${resume}`,
    });
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
