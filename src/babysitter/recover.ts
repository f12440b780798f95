import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { liveOwner, LOCK_WRITE_GRACE_MS, readLockFile, withFileLock } from './file-lock.ts';
import { exists, isMissing } from './json-file.ts';
import { isAlive, startedAfter } from './process-alive.ts';
import { notARun, readState, runFailed, type Run } from './run-folder.ts';

/** The file that keeps two runners from executing one effect at the same time. */
export function effectLock(run: Pick<Run, 'dir'>, effectId: string): string {
  return path.join(run.dir, 'tasks', effectId, 'websocket-skill.lock');
}

/** What the SDK writes into run.lock. */
const SdkLock = z.looseObject({ pid: z.int().positive(), acquiredAt: z.string() });

/** As the SDK does with a held run.lock: 40 tries, a quarter of a second apart. */
const SDK_LOCK_TRIES = 40;
const SDK_LOCK_POLL_MS = 250;

/**
 * Runs `work`, which may call the SDK on the run, while no other runner of this package does.
 *
 * First repairs what a kill left. The SDK recovers from most kills, but not from an empty run.lock
 * (a SyntaxError forever) nor from a leftover `journal/*.tmp-*` (counted as an event, so that the
 * next number leaves a gap and the journal is refused forever).
 */
export async function withRunLock<Result>(
  run: Run,
  signal: AbortSignal,
  work: () => Promise<Result>,
): Promise<Result> {
  return await withFileLock(path.join(run.dir, 'websocket-skill.lock'), { signal }, async () => {
    await removeDeadLock(path.join(run.dir, 'run.lock'));
    const hasLeftovers = (await journalLeftovers(run)).length > 0;
    if (hasLeftovers) await withSdkLock(run, () => removeJournalLeftovers(run));
    return await work();
  });
}

/**
 * Repairs a run after a kill: completes a creation that stopped before the first event, and removes
 * the locks of killed runners from the effects.
 *
 * @throws UsageError WSK_ERR_NOT_A_RUN when it cannot be known whether the run had inputs
 */
export async function recover(run: Run, signal: AbortSignal): Promise<void> {
  for (const name of await namesIn(path.join(run.dir, 'tasks'))) {
    await liveOwner(effectLock(run, name));
  }
  await withRunLock(run, signal, async () => {
    if ((await readState(run)).events > 0) return;
    // inputs.json is written after run.json: without it, the run has no inputs or was killed in
    // between. A process must not run without its inputs, so the run is refused.
    if (!(await exists(path.join(run.dir, 'inputs.json')))) {
      throw notARun(`${run.dir} was not completely created; create the run again`);
    }
    const { runId, processId, entrypoint } = run;
    const event = { runId, processId, entrypoint, inputsRef: 'inputs.json' };
    await withSdkLock(run, () =>
      run.sdk.appendEvent({ runDir: run.dir, eventType: 'RUN_CREATED', event }),
    );
  });
}

async function removeDeadLock(file: string): Promise<void> {
  const before = await readLockFile(file);
  if (before === undefined || isHeld(before)) return;
  if (before === '') await sleep(LOCK_WRITE_GRACE_MS);
  // Another program may have removed the dead lock and taken its own in the meantime.
  if ((await readLockFile(file)) === before) await rm(file, { force: true });
}

function isHeld(content: string): boolean {
  let lock: z.output<typeof SdkLock>;
  try {
    lock = SdkLock.parse(JSON.parse(content));
  } catch {
    return false;
  }
  // This process holds the runner's lock and is not inside the SDK: a lock with its pid is older.
  if (lock.pid === process.pid || !isAlive({ pid: lock.pid })) return false;
  return !startedAfter(lock.pid, Date.parse(lock.acquiredAt));
}

async function removeJournalLeftovers(run: Run): Promise<void> {
  for (const name of await journalLeftovers(run)) {
    await rm(path.join(run.dir, 'journal', name), { force: true });
  }
}

async function journalLeftovers(run: Run): Promise<string[]> {
  const names = await namesIn(path.join(run.dir, 'journal'));
  return names.filter((name) => /\.json\.tmp-/.test(name));
}

async function namesIn(dir: string): Promise<string[]> {
  return await readdir(dir).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
}

/** Runs `work` while holding the SDK's run.lock, so that no other program is writing an event. */
async function withSdkLock<Result>(run: Run, work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      await run.sdk.acquireRunLock(run.dir, 'websocket-skill');
      break;
    } catch (error) {
      const held = error instanceof Error && error.message.startsWith('run.lock already held');
      if (!held) throw error;
      if (tries === SDK_LOCK_TRIES) throw runFailed(run, error);
      await sleep(SDK_LOCK_POLL_MS);
    }
  }
  try {
    return await work();
  } finally {
    await run.sdk.releaseRunLock(run.dir);
  }
}
