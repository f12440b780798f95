import { lstatSync, statSync } from 'node:fs';
import path from 'node:path';
import type * as z from 'zod';
import { UsageError } from '../core/errors.ts';
import { didYouMean } from '../core/did-you-mean.ts';
import { readEnvironment } from './environment.ts';
import type { ConfigFile } from './file.ts';
import { Settings } from '../core/settings.ts';

/** Path of the project file below a project's root. */
export const CONFIG_PATH = path.join('.babysitter', 'skills', 'websocket.yaml');

/** Where the settings come from, and what its reader should be told about that. */
export interface FoundConfig {
  readonly file: string | undefined;
  readonly note: string | undefined;
}

/**
 * `.babysitter/skills/websocket.yaml` in `folder` or the nearest folder above it.
 *
 * A file above, which its user may not know of, is named in the note. It has to belong to the user
 * or to root: below a folder that others write to, such as /tmp, anybody could place one.
 */
export function findConfigFile(folder: string): FoundConfig {
  const start = path.resolve(folder);
  for (let at = start; ; at = path.dirname(at)) {
    const file = path.join(at, CONFIG_PATH);
    const owner = strangeOwner(file);
    if (owner !== 'none') {
      if (at === start) return { file, note: undefined };
      if (owner === undefined) return { file, note: `settings are read from ${file}` };
      const note = `${file} belongs to another user (uid ${owner}) and is not used`;
      return { file: undefined, note };
    }
    if (at === path.dirname(at)) return { file: undefined, note: undefined };
  }
}

/** The uid of an owner who is neither the user nor root; `none` without a file. */
function strangeOwner(file: string): number | 'none' | undefined {
  const stats = [
    statSync(file, { throwIfNoEntry: false }),
    lstatSync(file, { throwIfNoEntry: false }),
  ];
  if (stats[0] === undefined) return 'none';
  const trusted = [0, process.getuid?.()];
  // Windows has no uids; there `uid` is 0.
  return stats.flatMap((entry) => entry?.uid ?? []).find((uid) => !trusted.includes(uid));
}

/** The effective settings and, for each key, where its value came from. */
export interface LoadedSettings {
  readonly settings: Settings;
  /** By dotted key (`compression.enabled`): `default`, the file with its line, or the variable. */
  readonly origins: Readonly<Record<string, string>>;
  /** The project file that was read, if there is one. */
  readonly file: string | undefined;
  /** What the user should know: a file in a folder above, used or not. */
  readonly note: string | undefined;
}

type Tree = Record<string, unknown>;

/**
 * Resolves environment > project file > defaults; flags and task arguments override them later.
 *
 * @throws UsageError WSK_ERR_INVALID_CONFIG naming file, line, key, what was read and expected
 */
export function resolveSettings(
  file: ConfigFile | undefined,
  env: NodeJS.ProcessEnv,
  note?: string,
): LoadedSettings {
  const fromFile = file === undefined ? {} : checkFile(file);
  const merged = structuredClone(fromFile);
  const environment = readEnvironment(env);
  for (const { key, value } of environment) setIn(merged, key, value);
  const result = Settings.safeParse(merged);
  if (!result.success) throw environmentError(result.error, environment);
  const origins = Object.fromEntries(
    leaves(result.data).map((key) => {
      const variable = environment.find((entry) => entry.key === key);
      return [
        key,
        variable === undefined ? fileOrigin(key, fromFile, file) : `env ${variable.name}`,
      ];
    }),
  );
  return { settings: result.data, origins, file: file?.file, note };
}

function checkFile(file: ConfigFile): Tree {
  const result = Settings.safeParse(file.values, { reportInput: true });
  if (result.success) return file.values as Tree;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const path = [...issue.path, key];
    throw new UsageError(
      'WSK_ERR_INVALID_CONFIG',
      `${file.file}:${file.lineOf(path)}: unknown key "${path.join('.')}"`,
      { hint: didYouMean(key, knownKeys(issue.path)) },
    );
  }
  const key = issue.path.length === 0 ? 'websocket' : issue.path.join('.');
  throw new UsageError(
    'WSK_ERR_INVALID_CONFIG',
    `${file.file}:${file.lineOf(issue.path)}: ${key} is ${JSON.stringify(issue.input)}: ${issue.message}`,
  );
}

function environmentError(
  error: z.ZodError,
  environment: readonly { name: string; key: string; value: unknown }[],
): UsageError {
  const issue = error.issues[0] as z.core.$ZodIssue;
  const variable = environment.find((entry) => entry.key === issue.path.join('.'));
  return new UsageError(
    'WSK_ERR_INVALID_CONFIG',
    `environment variable ${variable?.name ?? 'WS_*'} is ${String(variable?.value)}: ${issue.message}`,
  );
}

function knownKeys(path: readonly PropertyKey[]): string[] {
  const defaults: unknown = path.reduce<unknown>(
    (at, key) => (at as Tree)[key as string],
    Settings.parse({}),
  );
  return Object.keys(defaults as Tree);
}

function fileOrigin(key: string, fromFile: Tree, file: ConfigFile | undefined): string {
  const keys = key.split('.');
  const value = keys.reduce<unknown>((at, part) => (at as Tree | undefined)?.[part], fromFile);
  if (file === undefined || value === undefined) return 'default';
  return `file ${file.file}:${file.lineOf(keys)}`;
}

/** Dotted paths of all values that are no mappings. */
function leaves(tree: Tree, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? leaves(value as Tree, `${prefix}${key}.`)
      : [prefix + key],
  );
}

function setIn(tree: Tree, key: string, value: unknown): void {
  const [first = '', ...rest] = key.split('.');
  if (rest.length === 0) tree[first] = value;
  else setIn((tree[first] ??= {}) as Tree, rest.join('.'), value);
}
