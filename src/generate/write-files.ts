import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isWritten } from './plan.ts';
import type { Plan, PlannedFile } from './plan.ts';
import { makeFolder } from '../core/make-folder.ts';

/**
 * Makes all changes of `plan` or none: everything is first written to a staging folder on the same
 * file system, where a full disk is noticed, and then moved into place.
 *
 * @throws the file system's error; the output is then unchanged
 */
export function writeFiles(plan: Plan): void {
  const undo = new UndoLog();
  try {
    if (existsSync(plan.root)) writeInto(plan, undo);
    else writeNew(plan, undo);
  } catch (error) {
    undo.run();
    throw error;
  }
}

/** Creates the complete folder by one rename. */
function writeNew({ root, files }: Plan, undo: UndoLog): void {
  const parent = dirname(root);
  makeFolderUndoably(parent, undo);
  const staging = join(parent, stagingName(basename(root)));
  try {
    stage(staging, files);
    renameSync(staging, root);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Replaces files of an existing folder one by one; keeps the old ones until the last. */
function writeInto({ root, files }: Plan, undo: UndoLog): void {
  const changed = files.filter(isWritten);
  // Inside the folder: a sibling could be on another file system, to which renames fail.
  const staging = join(root, stagingName('staging'));
  try {
    stage(join(staging, 'new'), changed);
    for (const { path } of changed.filter(({ change }) => change === 'overwrite')) {
      const present = lstatSync(join(root, path));
      if (present.isFile()) chmodSync(join(staging, 'new', path), present.mode);
    }
    for (const file of changed) moveIntoPlace(file, { root, staging, undo });
  } catch (error) {
    // If this throws, the staging folder has the only copy and has to stay.
    undo.run();
    rmSync(staging, { recursive: true, force: true });
    throw error;
  }
  rmSync(staging, { recursive: true, force: true });
}

interface Move {
  readonly root: string;
  readonly staging: string;
  readonly undo: UndoLog;
}

function moveIntoPlace({ path, change }: PlannedFile, { root, staging, undo }: Move): void {
  const target = join(root, path);
  if (change !== 'create') {
    const backup = join(staging, 'old', path);
    makeFolder(dirname(backup));
    move(target, backup, undo);
  }
  if (change === 'remove') return;
  makeFolderUndoably(dirname(target), undo);
  move(join(staging, 'new', path), target, undo);
}

function stage(folder: string, files: readonly PlannedFile[]): void {
  makeFolder(folder);
  for (const { path, content } of files) {
    if (content === undefined) continue;
    makeFolder(dirname(join(folder, path)));
    writeFileSync(join(folder, path), content);
  }
}

/** Hidden and unique, so that concurrent runs do not conflict. */
function stagingName(word: string): string {
  return `.wsgen-${word}-${randomBytes(6).toString('hex')}`;
}

function makeFolderUndoably(folder: string, undo: UndoLog): void {
  const first = makeFolder(folder);
  if (first !== undefined) undo.push(() => rmSync(first, { recursive: true, force: true }));
}

function move(from: string, to: string, undo: UndoLog): void {
  renameSync(from, to);
  undo.push(() => renameSync(to, from));
}

/** Steps that restore the previous state; each runs at most once. */
class UndoLog {
  readonly #steps: (() => void)[] = [];

  push(step: () => void): void {
    this.#steps.push(step);
  }

  run(): void {
    for (const step of this.#steps.splice(0).reverse()) step();
  }
}
