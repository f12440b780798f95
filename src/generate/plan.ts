import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Manifest, MANIFEST_FILE, sha256 } from '../target/project/manifest.ts';

/** The change of one file that writing the project makes. */
export interface PlannedFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly change: 'create' | 'overwrite' | 'keep' | 'remove';
  /** The new content; undefined for `remove`. */
  readonly content: Buffer | undefined;
}

/** The changes that writing a project makes. */
export interface Plan {
  /** Absolute. */
  readonly root: string;
  readonly files: readonly PlannedFile[];
  /** Files of an earlier generation that are no longer generated but were edited: not touched. */
  readonly orphans: readonly string[];
}

/**
 * Compares `files` with what `root` holds.
 *
 * @throws the file system's error when `root` cannot hold them, for example because it is a file
 */
export function planFiles(root: string, files: ReadonlyMap<string, string>): Plan {
  const planned = [...files].map(([path, text]): PlannedFile => {
    const content = Buffer.from(text);
    const present = readIfPresent(join(root, path));
    const same = present?.equals(content);
    const change = same === undefined ? 'create' : same ? 'keep' : 'overwrite';
    return { path, bytes: content.length, change, content };
  });
  const { removable, orphans } = leftBehind(root, files);
  return { root, files: [...planned, ...removable], orphans };
}

/** Undefined if `file` does not exist; throws if it is not a readable file. */
function readIfPresent(file: string): Buffer | undefined {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  return readFileSync(file);
}

/** Files that an earlier generation wrote here and this one does not. */
function leftBehind(
  root: string,
  files: ReadonlyMap<string, string>,
): { removable: PlannedFile[]; orphans: string[] } {
  const removable: PlannedFile[] = [];
  const orphans: string[] = [];
  for (const [path, hash] of Object.entries(previousFiles(root))) {
    if (files.has(path) || !isInside(path)) continue;
    const present = readIfPresent(join(root, path));
    if (present === undefined) continue;
    if (sha256(present) !== hash) orphans.push(path);
    else removable.push({ path, bytes: present.length, change: 'remove', content: undefined });
  }
  return { removable, orphans };
}

function previousFiles(root: string): Readonly<Record<string, string>> {
  try {
    const text = readFileSync(join(root, MANIFEST_FILE), 'utf8');
    return Manifest.parse(JSON.parse(text)).files;
  } catch {
    // No valid manifest: nothing here was generated.
    return {};
  }
}

/** An edited manifest must not name files outside its folder. */
function isInside(path: string): boolean {
  return !path.startsWith('/') && !path.split(/[\\/]/).includes('..');
}
