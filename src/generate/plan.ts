import { lstatSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EnvironmentError } from '../core/errors.ts';
import * as z from 'zod';
import { BASE_FILE, isSameBase } from './base.ts';
import { Manifest, MANIFEST_FILE, sha256 } from '../target/project/manifest.ts';

/** The change of one file that writing the project makes. */
export interface PlannedFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly change: 'create' | 'overwrite' | 'keep' | 'leave' | 'remove';
  /** The new content; undefined for `remove`, and for `leave`: the user's own, which stays. */
  readonly content: Buffer | undefined;
}

/** Whether carrying the change out writes or removes the file. */
export function isWritten({ change }: PlannedFile): boolean {
  return change !== 'keep' && change !== 'leave';
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
 * A link below `root` is never followed: one in the place of a file counts as other content, and is
 * replaced itself. A file that is one of `userFiles` is written once and never changed.
 *
 * @throws the file system's error when `root` cannot hold them, for example because it is a file,
 * EnvironmentError WSK_ERR_OUTPUT_NOT_WRITABLE when a folder within is a link
 */
export function planFiles(
  root: string,
  files: ReadonlyMap<string, string>,
  userFiles: readonly string[] = [],
): Plan {
  const planned = [...files].map(([path, text]): PlannedFile => {
    const content = Buffer.from(text);
    const link = linkAbove(root, path);
    if (link !== undefined) throw isLink(join(root, link));
    const present = readIfPresent(join(root, path));
    if (present !== undefined && present?.equals(content) !== true && userFiles.includes(path)) {
      return { path, bytes: present?.length ?? 0, change: 'leave', content: undefined };
    }
    const same =
      present?.equals(content) === true ||
      (path === BASE_FILE && isSameBase(String(present), text));
    const change = present === undefined ? 'create' : same ? 'keep' : 'overwrite';
    return { path, bytes: content.length, change, content };
  });
  // A single file is no part of the project that may be around it.
  const isProject = files.has(MANIFEST_FILE);
  const { removable, orphans } = isProject ? leftBehind(root, files) : NOTHING_LEFT;
  return { root, files: [...planned, ...removable], orphans };
}

/**
 * The content of `file`: undefined if it does not exist, null if it is a link, a pipe or a device.
 * Throws if it is a folder or not readable.
 */
export function readIfPresent(file: string): Buffer | null | undefined {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return undefined;
  return found.isFile() || found.isDirectory() ? readFileSync(file) : null;
}

/** The topmost folder of `path`, below `root`, that is a symbolic link. */
export function linkAbove(root: string, path: string): string | undefined {
  const parent = dirname(path);
  if (parent === '.') return undefined;
  const isLink = lstatSync(join(root, parent), { throwIfNoEntry: false })?.isSymbolicLink();
  return linkAbove(root, parent) ?? (isLink === true ? parent : undefined);
}

export function isLink(folder: string): EnvironmentError {
  const message = `${folder} is a symbolic link and is not written through, nothing was changed`;
  return new EnvironmentError('WSK_ERR_OUTPUT_NOT_WRITABLE', message, {
    cause: new Error('symbolic link'),
    hint: 'put a folder in its place, or choose another place',
  });
}

const NOTHING_LEFT = { removable: [], orphans: [] };

/** Files that an earlier generation wrote here and this one does not. */
function leftBehind(
  root: string,
  files: ReadonlyMap<string, string>,
): { removable: PlannedFile[]; orphans: string[] } {
  const removable: PlannedFile[] = [];
  const orphans: string[] = [];
  for (const [path, hash] of Object.entries(previousFiles(root))) {
    if (files.has(path) || !isInside(path) || linkAbove(root, path) !== undefined) continue;
    const present = readIfPresent(join(root, path));
    if (present === undefined) continue;
    if (present === null || sha256(present) !== hash) orphans.push(path);
    else removable.push({ path, bytes: present.length, change: 'remove', content: undefined });
  }
  return { removable, orphans };
}

/** What the manifests of servers and clients have in common. */
const Generated = z.object({ files: Manifest.shape.files });

function previousFiles(root: string): Readonly<Record<string, string>> {
  try {
    const text = readIfPresent(join(root, MANIFEST_FILE))?.toString() ?? '';
    return Generated.parse(JSON.parse(text)).files;
  } catch {
    // No valid manifest: nothing here was generated.
    return {};
  }
}

/** An edited manifest must not name files outside its folder, nor folders. */
export function isInside(path: string): boolean {
  return path.split(/[\\/]/).every((part) => !['', '.', '..'].includes(part));
}
