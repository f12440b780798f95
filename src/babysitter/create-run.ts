import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentError, invalidInput } from '../core/errors.ts';
import { makeFolder } from '../core/make-folder.ts';
import { ownCommand } from '../core/own-command.ts';
import { exists } from './json-file.ts';
import { isAlive } from './process-alive.ts';
import type { ProcessFile } from './process-file.ts';
import type { RunnerSdk } from './sdk.ts';

/** Folders in which runs are being created, beside the runs: `.creating-<pid>-<random>`. */
const STAGING = '.creating-';

/** What a run is created from. */
export interface NewRun {
  readonly process: ProcessFile;
  readonly inputs: Record<string, unknown>;
  /** Absolute. */
  readonly runsDir: string;
  /** A fresh ULID when absent. */
  readonly runId: string | undefined;
  /** Absolute; kept in run.json so that later tasks resolve as the first one did. */
  readonly cwd: string;
}

/**
 * Creates a run folder, whole or not at all, and returns its absolute path.
 *
 * The SDK writes run.json, inputs.json and the first event one after the other; a kill in between
 * would leave a run without its inputs. So the run is created in a staging folder and then moved.
 *
 * @throws UsageError when `runId` is taken, EnvironmentError when the folder cannot be written
 */
export async function createRunFolder(sdk: RunnerSdk, run: NewRun): Promise<string> {
  const { process: found, runsDir } = run;
  if (run.runId !== undefined) await refuseTaken(path.join(runsDir, run.runId));
  try {
    makeFolder(runsDir);
    await removeAbandoned(runsDir);
    const staging = await mkdtemp(path.join(runsDir, `${STAGING}${process.pid}-`));
    try {
      const { runId } = await sdk.createRun({
        runsDir: staging,
        ...(run.runId !== undefined && { runId: run.runId }),
        process: {
          processId: found.processId,
          // Relative to the folder it moves to; the SDK takes a relative path as it is.
          importPath: path.relative(path.join(runsDir, 'run'), found.file),
          exportName: found.exportName,
        },
        inputs: run.inputs,
        metadata: { cwd: run.cwd },
      });
      await rename(path.join(staging, runId), path.join(runsDir, runId));
      return path.join(runsDir, runId);
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new EnvironmentError(
      'WSK_ERR_OUTPUT_NOT_WRITABLE',
      `cannot create a run in ${runsDir}: ${message}`,
      { cause },
    );
  }
}

async function refuseTaken(runDir: string): Promise<void> {
  if (!(await exists(runDir))) return;
  throw invalidInput(`run ${runDir} already exists`, `resume it: ${ownCommand('resume', runDir)}`);
}

/** Removes the staging folders of runners that were killed while creating a run. */
async function removeAbandoned(runsDir: string): Promise<void> {
  for (const name of await readdir(runsDir)) {
    if (!name.startsWith(STAGING)) continue;
    const pid = Number(name.slice(STAGING.length).split('-')[0]);
    if (!isAlive({ pid })) await rm(path.join(runsDir, name), { recursive: true, force: true });
  }
}
