/** What git does better than a library would: merges, diffs, and knowing what is committed. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EnvironmentError } from '../core/errors.ts';

/** @throws EnvironmentError WSK_ERR_GIT_MISSING */
function git(cwd: string, args: readonly string[]): { status: number; stdout: string } {
  // A hook of git has those of another repository.
  const none = { GIT_DIR: undefined, GIT_WORK_TREE: undefined, GIT_INDEX_FILE: undefined };
  const env = { ...process.env, ...none };
  const options = { cwd, env, encoding: 'utf8', maxBuffer: 1 << 28 } as const;
  const { status, stdout, error } = spawnSync('git', args, options);
  if (error === undefined) return { status: status ?? 255, stdout };
  throw new EnvironmentError('WSK_ERR_GIT_MISSING', `git cannot be run (${error.message})`, {
    cause: error,
    hint: 'install git: it merges an update with edited files, and shows what changes',
  });
}

function inTemporaryFolder<Result>(use: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'websocket-skill-update-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The names of the two sides of a conflict. */
export const SIDES = { ours: 'yours', theirs: 'generated' } as const;

/** Merges what has become of `base`; where both sides changed the same, with the markers of a conflict. */
export function mergeTexts(
  ours: string,
  base: string,
  theirs: string,
): { readonly text: string; readonly hasConflict: boolean } {
  return inTemporaryFolder((folder) => {
    for (const [name, text] of Object.entries({ ours, base, theirs })) {
      writeFileSync(join(folder, name), text);
    }
    const labels = [SIDES.ours, 'base', SIDES.theirs].flatMap((label) => ['-L', label]);
    const style = ['-c', 'merge.conflictStyle=merge'];
    const { status, stdout } = git(folder, [
      ...style,
      ...['merge-file', '-p', ...labels, 'ours', 'base', 'theirs'],
    ]);
    // The number of conflicts, at most 127; above it, an error.
    if (status > 127) throw new Error(`git merge-file ended with ${status}`);
    return { text: stdout, hasConflict: status > 0 };
  });
}

/** A file before and after a change; undefined where there is none. */
export interface Change {
  readonly path: string;
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/** The changes as a unified diff, which `git apply` takes. */
export function unifiedDiff(changes: readonly Change[]): string {
  return inTemporaryFolder((folder) => {
    for (const side of ['a', 'b']) mkdirSync(join(folder, side));
    for (const { path, before, after } of changes) {
      for (const [side, content] of Object.entries({ a: before, b: after })) {
        if (content === undefined) continue;
        mkdirSync(dirname(join(folder, side, path)), { recursive: true });
        writeFileSync(join(folder, side, path), content);
      }
    }
    const plain = ['--no-color', '--no-ext-diff', '--no-renames', '--no-prefix'];
    const { status, stdout } = git(folder, ['diff', '--no-index', ...plain, '--', 'a', 'b']);
    if (status > 1) throw new Error(`git diff ended with ${status}`);
    return stdout;
  });
}

/**
 * Paths below `folder`, with `/`, whose content no commit has: edited files, and those of `written` that
 * git does not know. None outside of a work tree, and where git is missing.
 */
export function uncommitted(folder: string, written: readonly string[]): string[] {
  try {
    const prefix = git(folder, ['rev-parse', '--show-prefix']);
    const all = ['--porcelain', '-z', '--untracked-files=all', '--no-renames'];
    const safe = ['--no-optional-locks', '-c', 'core.fsmonitor=false'];
    const { status, stdout } = git(folder, [...safe, 'status', ...all, '--', '.']);
    if (prefix.status !== 0 || status !== 0) return [];
    const inFolder = prefix.stdout.replace(/\n$/, '').length;
    return stdout.split('\0').flatMap((entry) => {
      const path = entry.slice(3 + inFolder);
      const isKnown = !entry.startsWith('??');
      return path !== '' && (isKnown || written.includes(path)) ? [path] : [];
    });
  } catch (error) {
    if (error instanceof EnvironmentError) return [];
    throw error;
  }
}
