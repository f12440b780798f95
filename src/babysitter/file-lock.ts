import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { isMissing } from './json-file.ts';
import { isAlive, thisProcess } from './process-alive.ts';

const LockOwner = z.object({ pid: z.int().positive(), startedAt: z.string().optional() });

/** Milliseconds between two checks of a lock that another process holds. */
const POLL_MS = 100;

/** How long a lock file may be empty before its writer counts as killed. */
export const LOCK_WRITE_GRACE_MS = 500;

/**
 * Runs `work` while holding the lock file, after waiting for its present owner.
 *
 * A lock whose owner was killed is replaced. `onWait` is called once with the pid of the owner; the
 * wait ends with an AbortError when `signal` aborts.
 */
export async function withFileLock<Result>(
  file: string,
  options: { signal: AbortSignal; onWait?: (pid: number) => void },
  work: () => Promise<Result>,
): Promise<Result> {
  for (let waited = false; !(await tryLock(file)); waited = true) {
    const owner = await liveOwner(file);
    if (owner === undefined) continue;
    if (!waited) options.onWait?.(owner);
    await sleep(POLL_MS, undefined, { signal: options.signal });
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

/** Reads a lock file; undefined when nobody holds it. */
export async function readLockFile(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function tryLock(file: string): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(thisProcess()), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** The pid of the process that holds the lock; the lock of a dead process is removed. */
export async function liveOwner(file: string): Promise<number | undefined> {
  const content = await readLockFile(file);
  if (content === undefined) return undefined;
  const owner = parseOwner(content);
  if (owner !== undefined && isAlive(owner)) return owner.pid;
  if (owner === undefined) await sleep(LOCK_WRITE_GRACE_MS);
  // Another process may have replaced the dead lock in the meantime.
  if ((await readLockFile(file)) === content) await rm(file, { force: true });
  return undefined;
}

function parseOwner(content: string): z.output<typeof LockOwner> | undefined {
  try {
    return LockOwner.parse(JSON.parse(content));
  } catch {
    return undefined;
  }
}
