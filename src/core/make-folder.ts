import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';

/**
 * Makes `folder` and those above it that are missing; returns the topmost one that it made.
 *
 * Node's recursive mkdir never returns where the file system refuses a folder with ENOENT, as /proc
 * does, so that each folder is made on its own here. Throws as `mkdirSync` does.
 */
export function makeFolder(folder: string): string | undefined {
  const absolute = path.resolve(folder);
  const parent = path.dirname(absolute);
  const first = isMissing(parent) ? makeFolder(parent) : undefined;
  try {
    mkdirSync(absolute);
    return first ?? absolute;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && statSync(absolute).isDirectory()) return first;
    throw error;
  }
}

function isMissing(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false }) === undefined;
}
