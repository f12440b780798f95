import * as z from 'zod';
import type { LanguageName } from './languages/index.ts';
import type { ServerType } from './languages/language.ts';
import { evaluate, preprocess } from './preprocess.ts';
import type { Features } from './preprocess.ts';
import { templateFiles } from './template-files.ts';
import type { TemplateFiles } from './template-files.ts';

/** `template.json`: how a template becomes a project. Not part of what is generated. */
const TemplateManifest = z.strictObject({
  /** Every feature that its markers may name. */
  features: z.array(z.string()),
  /** Conditional files: path to `rooms` or `!rooms`. */
  files: z.record(z.string(), z.string()),
  /** Files that npm would not publish under their real name: path to real path. */
  rename: z.record(z.string(), z.string()),
  /** By file: text of the template to its replacement, which may contain `{value}`. */
  values: z.record(z.string(), z.record(z.string(), z.string())),
});
type TemplateManifest = z.output<typeof TemplateManifest>;

const MANIFEST = 'template.json';

let cached: TemplateFiles | undefined;

/**
 * The files of a template by path, sorted.
 *
 * @throws Error when there is none; the input schema only accepts known names
 */
export function readTemplate(
  language: LanguageName,
  type: ServerType,
): ReadonlyMap<string, string> {
  cached ??= templateFiles();
  const files = cached.templates[`${language}/${type}`];
  if (files === undefined) throw new Error(`there is no template ${language}/${type}`);
  return new Map(Object.entries(files));
}

/** What a single file of `language` ends with: its libraries as source text. */
export function readLibrary(language: LanguageName): string {
  cached ??= templateFiles();
  return cached.libraries[language] ?? '';
}

/** Reads `template.json`. @throws Error when it is wrong: a template bug */
export function templateManifest(template: ReadonlyMap<string, string>): TemplateManifest {
  const manifest = TemplateManifest.parse(JSON.parse(template.get(MANIFEST) ?? 'null'));
  for (const record of [manifest.files, manifest.rename, manifest.values]) {
    const stale = Object.keys(record).find((path) => !template.has(path));
    if (stale !== undefined) throw new Error(`${MANIFEST} names ${stale}, which does not exist`);
  }
  return manifest;
}

/**
 * The files of a template with `isOn` features and `values` filled in, by their final paths.
 *
 * @throws Error when the template is inconsistent: a template bug
 */
export function renderTemplate(
  template: ReadonlyMap<string, string>,
  isOn: (feature: string) => boolean,
  values: Readonly<Record<string, string>>,
): Map<string, string> {
  const manifest = templateManifest(template);
  const features: Features = Object.fromEntries(
    manifest.features.map((feature) => [feature, isOn(feature)]),
  );
  const files = new Map<string, string>();
  for (const [path, text] of template) {
    if (path === MANIFEST || !isIncluded(path, manifest, features)) continue;
    const filled = fill(text, manifest.values[path] ?? {}, values, path);
    files.set(manifest.rename[path] ?? path, preprocess(filled, features, path));
  }
  return files;
}

function isIncluded(path: string, manifest: TemplateManifest, features: Features): boolean {
  const condition = manifest.files[path];
  if (condition === undefined) return true;
  return evaluate(condition, features, (message) => {
    throw new Error(`${MANIFEST}: ${path}: ${message}`);
  });
}

/** Replaces each key of `replacements` everywhere in `text`, in one pass. */
function fill(
  text: string,
  replacements: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>>,
  path: string,
): string {
  const tokens = Object.keys(replacements);
  const stale = tokens.find((token) => !text.includes(token));
  if (stale !== undefined) throw new Error(`${path} does not contain ${JSON.stringify(stale)}`);
  if (tokens.length === 0) return text;
  const pattern = new RegExp(tokens.map(escape).join('|'), 'g');
  return text.replace(pattern, (token) =>
    (replacements[token] ?? '').replace(/\{(\w+)\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw new Error(`${path}: there is no value ${name}`);
      return value;
    }),
  );
}

function escape(token: string): string {
  return token.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
