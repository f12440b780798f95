import * as z from 'zod';
import { sha256 } from '../target/project/manifest.ts';
import { SERVER_TYPES } from './languages/language.ts';
import type { ServerType } from './languages/language.ts';
import { evaluate, preprocess } from './preprocess.ts';
import type { Features } from './preprocess.ts';
import { templateFiles } from './template-files.ts';
import type { TemplateFiles } from './template-files.ts';

/** `template.json`: how a template becomes a project. Not part of what is generated. */
const TemplateManifest = z.strictObject({
  /** Every feature that its markers may name. */
  features: z.array(z.string()),
  /** Names by which its markers know the types of server that are made of it. */
  types: z
    .record(z.string(), z.union([z.enum(SERVER_TYPES), z.array(z.enum(SERVER_TYPES))]))
    .default({}),
  /** Conditional files: path to `rooms` or `!rooms`. */
  files: z.record(z.string(), z.string()),
  /**
   * Folders of another template whose files these servers have, too: `nodejs/realtime/public/` to a condition, its
   * place, and features of that template that hold here.
   */
  shared: z
    .record(
      z.string().endsWith('/'),
      z.strictObject({
        if: z.string().optional(),
        to: z.string().endsWith('/'),
        with: z.array(z.string()).default([]),
      }),
    )
    .default({}),
  /** Folders of files that belong to the user once they are written. */
  userFolders: z.array(z.string().endsWith('/')).default([]),
  /** Files that npm would not publish under their real name: path to real path. */
  rename: z.record(z.string(), z.string()),
  /** Conditional entries of JSON files: file to JSON pointer (RFC 6901; last of an array first) to `rooms` or `!rooms`. */
  entries: z.record(z.string(), z.record(z.string(), z.string())).default({}),
  /** By file, or `*.go` for those that end so and have it: text of the template to its replacement; both may contain `{value}`. */
  values: z.record(z.string(), z.record(z.string(), z.string())),
});
type TemplateManifest = z.output<typeof TemplateManifest>;

const MANIFEST = 'template.json';

let cached: TemplateFiles | undefined;

/**
 * The files of the template `name`, a folder of `templates/`, by path, sorted.
 *
 * @throws Error when there is none
 */
export function readTemplate(name: string): ReadonlyMap<string, string> {
  cached ??= templateFiles();
  const files = cached.templates[name];
  if (files === undefined) throw new Error(`there is no template ${name}`);
  return new Map(Object.entries(files));
}

/** A file of `dist/assets/`, made from source text when the package was built. */
export function readAsset(name: string): string {
  cached ??= templateFiles();
  return cached.assets[name] ?? '';
}

/** Reads `template.json`. @throws Error when it is wrong: a template bug */
export function templateManifest(template: ReadonlyMap<string, string>): TemplateManifest {
  const manifest = TemplateManifest.parse(JSON.parse(template.get(MANIFEST) ?? 'null'));
  const { files, rename, values, entries } = manifest;
  for (const record of [files, rename, values, entries]) {
    const stale = Object.keys(record).find((path) => !path.startsWith('*') && !template.has(path));
    if (stale !== undefined) throw new Error(`${MANIFEST} names ${stale}, which does not exist`);
  }
  return manifest;
}

/**
 * The files of a template for a server of `type`, with `isOn` features and `values` filled in, by
 * their final paths.
 *
 * @throws Error when the template is inconsistent: a template bug
 */
export function renderTemplate(
  template: ReadonlyMap<string, string>,
  type: ServerType,
  isOn: (feature: string) => boolean,
  values: Readonly<Record<string, string>>,
): Map<string, string> {
  const manifest = templateManifest(template);
  const features: Features = Object.fromEntries([
    ...manifest.features.map((feature) => [feature, isOn(feature)] as const),
    ...Object.entries(manifest.types).map(
      ([name, named]) => [name, [named].flat().includes(type)] as const,
    ),
  ]);
  const files = new Map<string, string>();
  for (const [path, text] of template) {
    if (path === MANIFEST || !isIncluded(path, manifest, features)) continue;
    const filled = fill(text, replacementsIn(path, text, manifest.values), values, path);
    const kept = preprocess(filled, features, path);
    const whole = withoutEntries(kept, manifest.entries[path], (condition) =>
      evaluate(condition, features, (message) => {
        throw new Error(`${MANIFEST}: ${path}: ${message}`);
      }),
    );
    files.set(manifest.rename[path] ?? path, whole);
  }
  for (const [folder, { if: condition, to, with: more }] of Object.entries(manifest.shared)) {
    const holds =
      condition === undefined ||
      evaluate(condition, features, (message) => {
        throw new Error(`${MANIFEST}: ${folder}: ${message}`);
      });
    if (!holds) continue;
    const [language = '', name = '', ...rest] = folder.split('/');
    const other = readTemplate(`${language}/${name}`);
    const isOnThere = (feature: string): boolean => more.includes(feature) || isOn(feature);
    const others = renderTemplate(other, type, isOnThere, values);
    for (const [path, text] of others) {
      const inside = rest.join('/');
      if (path.startsWith(inside)) files.set(`${to}${path.slice(inside.length)}`, text);
    }
  }
  return files;
}

/** What is generated, in the order in which it is listed. */
export function sortedByPath<Value>(
  files: Iterable<readonly [string, Value]>,
): ReadonlyMap<string, Value> {
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The hash of each file, as manifests have it. */
export function hashesOf(files: ReadonlyMap<string, string>): Record<string, string> {
  const hashes = [...files].map(([path, text]) => [path, sha256(text)] as const);
  return Object.fromEntries(sortedByPath(hashes));
}

function isIncluded(path: string, manifest: TemplateManifest, features: Features): boolean {
  const condition = manifest.files[path];
  if (condition === undefined) return true;
  return evaluate(condition, features, (message) => {
    throw new Error(`${MANIFEST}: ${path}: ${message}`);
  });
}

/** The JSON `text` without those of `entries` whose condition does not hold, and without what that empties. */
function withoutEntries(
  text: string,
  entries: Readonly<Record<string, string>> | undefined,
  holds: (condition: string) => boolean,
): string {
  if (entries === undefined) return text;
  const json = JSON.parse(text) as Record<string, unknown>;
  for (const [pointer, condition] of Object.entries(entries)) {
    const keys = pointer.split('/').slice(1);
    const path = keys.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (!removeEntry(json, path, holds(condition))) throw new Error(`there is no ${pointer}`);
  }
  return `${JSON.stringify(json, null, 2)}\n`;
}

/** Whether there is an entry at `path`; removes it unless it is to be kept. */
function removeEntry(json: object, [key = '', ...rest]: string[], isKept: boolean): boolean {
  const value: unknown = Reflect.get(json, key);
  if (value === undefined) return false;
  if (rest.length > 0) {
    if (typeof value !== 'object' || value === null) return false;
    if (!removeEntry(value, rest, isKept)) return false;
    if (Object.keys(value).length > 0) return true;
  }
  if (!isKept && Array.isArray(json)) json.splice(Number(key), 1);
  else if (!isKept) Reflect.deleteProperty(json, key);
  return true;
}

/** What `values` of a manifest says of a file. */
function replacementsIn(
  path: string,
  text: string,
  values: TemplateManifest['values'],
): Readonly<Record<string, string>> {
  const shared = Object.entries(values)
    .filter(([name]) => name.startsWith('*') && path.endsWith(name.slice(1)))
    .flatMap(([, replacements]) => Object.entries(replacements))
    .filter(([token]) => text.includes(token));
  return { ...Object.fromEntries(shared), ...values[path] };
}

/** Replaces each key of `replacements` everywhere in `text`, in one pass. */
function fill(
  text: string,
  replacements: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>>,
  path: string,
): string {
  const expand = (pattern: string): string =>
    pattern.replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`${path}: there is no value ${name}`);
      return value;
    });
  const byToken = new Map(
    Object.entries(replacements).map(([token, pattern]) => [expand(token), pattern] as const),
  );
  const tokens = [...byToken.keys()];
  const stale = tokens.find((token) => !text.includes(token));
  if (stale !== undefined) throw new Error(`${path} does not contain ${JSON.stringify(stale)}`);
  if (tokens.length === 0) return text;
  const pattern = new RegExp(tokens.map(escape).join('|'), 'g');
  return text.replace(pattern, (token) => expand(byToken.get(token) ?? ''));
}

function escape(token: string): string {
  return token.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
