import { join } from 'node:path';
import { invalidInput } from '../core/errors.ts';
import { MANIFEST_FILE, sha256 } from '../target/project/manifest.ts';
import type { Manifest } from '../target/project/manifest.ts';
import { BASE_FILE, parseBase } from './base.ts';
import { SIDES } from './git.ts';
import { merge, readText } from './merge.ts';
import type { Text } from './merge.ts';
import { OtherFiles } from './other-files.ts';
import type { OtherFile } from './other-files.ts';
import { isInside, isLink, linkAbove, readIfPresent } from './plan.ts';
import type { PlannedFile } from './plan.ts';

/**
 * What an update makes of a file. `kept`: it is as the user has made it, and nothing of the update belongs
 * into it, or it is the user's own; `merged`: both have changed it, in different places.
 */
export type UpdateAction =
  'unchanged' | 'updated' | 'merged' | 'conflict' | 'kept' | 'removed' | 'added';

export interface UpdatedFile extends PlannedFile {
  readonly action: UpdateAction;
  /** What was there; undefined: nothing, or no regular file. */
  readonly before: Buffer | undefined;
  /** What the user should know. */
  readonly note?: string;
}

/** A project that was generated, and edited since. */
export interface Edited {
  /** Absolute. */
  readonly root: string;
  readonly manifest: Pick<Manifest, 'files'>;
  /** What the present templates give for its present answers. */
  readonly again: () => ReadonlyMap<string, string>;
}

/** The three sides of a merge. */
interface Sides {
  /** Whether it was generated. */
  readonly was: boolean;
  /** As it was generated; undefined: it was not, or nobody knows any more. */
  readonly base: string | undefined;
  /** What is there; null: a link, a pipe or a device. */
  readonly ours: Buffer | null | undefined;
  readonly theirs: string | undefined;
}

/**
 * What becomes of each file of an edited project when `next` is generated into it: a three-way merge of
 * what was generated, what is there, and what is generated now. Of `userFiles`, those that are there stay.
 *
 * @throws UsageError WSK_ERR_INVALID_INPUT while conflicts of an earlier update are in the way,
 * EnvironmentError WSK_ERR_OUTPUT_NOT_WRITABLE when a folder within is a link and WSK_ERR_GIT_MISSING,
 * and the file system's error when a folder is in the place of a file
 */
export function planUpdate(
  { root, manifest, again }: Edited,
  next: ReadonlyMap<string, string>,
  userFiles: readonly string[],
): UpdatedFile[] {
  const hashes = manifest.files;
  const stored = parseBase(String(readIfPresent(join(root, BASE_FILE)) ?? ''));
  let regenerated: ReadonlyMap<string, string> | undefined;
  const baseOf = (path: string, ours: Buffer | null | undefined): string | undefined => {
    const isBase = (text: string | undefined): boolean =>
      text !== undefined && sha256(text) === hashes[path];
    const [present, kept] = [ours && readText(ours)?.text, stored[path]];
    if (present && isBase(present)) return present;
    if (isBase(kept)) return kept;
    const made = (regenerated ??= again()).get(path);
    return isBase(made) ? made : undefined;
  };

  const known = new Set([...next.keys(), ...Object.keys(hashes).filter(isInside)]);
  const others = new OtherFiles(root, known);
  return [...known].sort().flatMap((path): UpdatedFile[] => {
    const theirs = next.get(path);
    const link = linkAbove(root, path);
    if (link !== undefined && theirs === undefined) return [];
    if (link !== undefined) throw isLink(join(root, link));
    const ours = readIfPresent(join(root, path));
    if (theirs !== undefined && [MANIFEST_FILE, BASE_FILE].includes(path)) {
      return [replaced(path, ours, theirs)];
    }
    const was = Object.hasOwn(hashes, path);
    const base = was ? baseOf(path, ours) : undefined;
    const isOwn = userFiles.includes(path);
    if (ours === undefined && was && theirs !== undefined) {
      const moved = isOwn ? undefined : others.likest(base ?? '');
      return [moved === undefined ? deleted(path) : followed(path, moved, { was, base, theirs })];
    }
    return decide(path, { was, base, ours, theirs }, isOwn);
  });
}

function decide(path: string, sides: Sides, isOwn: boolean): UpdatedFile[] {
  const { ours, theirs, base } = sides;
  if (ours === undefined) return theirs === undefined ? [] : [added(path, theirs)];
  const text = ours === null ? undefined : readText(ours);
  if (theirs === undefined) {
    const why = `${path} is no longer part of the project, but it was edited and is not removed`;
    return text !== undefined && text.text === base
      ? [{ ...kept(path, ours), change: 'remove', action: 'removed' }]
      : [kept(path, ours, why)];
  }
  if (text?.text === theirs) return [{ ...kept(path, ours), action: 'unchanged', change: 'keep' }];
  if (isOwn) {
    const note = `${path} is yours and stays as it is, but is generated differently now`;
    return [kept(path, ours, theirs === base ? undefined : note)];
  }
  if (text !== undefined) return [merged(path, { ...sides, ours: text }, ours)];
  if (theirs === base) return [kept(path, ours)];
  const what = ours === null ? 'is no regular file' : 'is no text';
  const why = `${path} ${what} and was left as it is: update it yourself`;
  return [{ ...kept(path, ours, why), action: 'conflict' }];
}

const CONFLICT = new RegExp(`^<{7} ${SIDES.ours}$[^]*^>{7} ${SIDES.theirs}$`, 'm');

function merged(
  path: string,
  { was, base, ours, theirs = '' }: Omit<Sides, 'ours'> & { readonly ours: Text },
  before: Buffer | null | undefined,
): UpdatedFile {
  const isOpen = CONFLICT.test(ours.text);
  if (theirs === base) {
    const file = kept(path, before);
    return isOpen ? { ...file, action: 'conflict' } : file;
  }
  if (isOpen) {
    throw invalidInput(
      `${path} still has conflicts of an earlier update`,
      `resolve them: choose between the lines from <<<<<<< ${SIDES.ours} to >>>>>>> ${SIDES.theirs}`,
    );
  }
  const write = (text: string, action: UpdateAction, note?: string): UpdatedFile => {
    const content = Buffer.from(ours.isCrlf ? text.replaceAll('\n', '\r\n') : text);
    return {
      ...{ path, bytes: content.length, change: 'overwrite', content, action },
      before: before ?? undefined,
      ...(note !== undefined && { note }),
    };
  };
  if (ours.text === base) return write(theirs, 'updated');
  const { text, hasConflict } = merge(path, ours.text, { base: base ?? '', theirs });
  if (text === ours.text) return kept(path, before);
  if (!hasConflict) return write(text, 'merged');
  const lost = `nobody knows any more how ${path} was generated: each difference is a conflict`;
  return write(text, 'conflict', was && base === undefined ? lost : undefined);
}

function replaced(path: string, ours: Buffer | null | undefined, theirs: string): UpdatedFile {
  const content = Buffer.from(theirs);
  if (ours === undefined) return added(path, theirs);
  const same = ours?.equals(content) === true;
  const file = { path, bytes: content.length, content, before: ours ?? undefined };
  return same
    ? { ...file, change: 'keep', action: 'unchanged' }
    : { ...file, change: 'overwrite', action: 'updated' };
}

function added(path: string, text: string): UpdatedFile {
  const content = Buffer.from(text);
  return {
    path,
    bytes: content.length,
    change: 'create',
    content,
    action: 'added',
    before: undefined,
  };
}

function kept(path: string, before: Buffer | null | undefined, note?: string): UpdatedFile {
  return {
    ...{ path, bytes: before?.length ?? 0, change: 'leave', content: undefined, action: 'kept' },
    before: before ?? undefined,
    ...(note !== undefined && { note }),
  };
}

function deleted(path: string): UpdatedFile {
  return kept(path, undefined, `${path} was deleted, and stays so`);
}

/** The update of a file that the user has moved. */
function followed(path: string, moved: OtherFile, sides: Omit<Sides, 'ours'>): UpdatedFile {
  const file = merged(moved.path, { ...sides, ours: moved.text }, moved.content);
  const updated = file.action === 'kept' ? '' : ', and is updated there';
  return { ...file, note: `${path} was moved to ${moved.path}${updated}` };
}
