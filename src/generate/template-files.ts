import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LANGUAGES } from './languages/index.ts';

/** Everything that the generators read: plain JSON, so that a bundle can hold it. */
export interface TemplateFiles {
  /** `<language>/<folder>` to path (with `/`) to text. */
  readonly templates: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The files of `dist/assets/` by name. */
  readonly assets: Readonly<Record<string, string>>;
}

/**
 * Reads the template files from the package's folder. The single-file bundle replaces this module
 * by one that holds them.
 */
export function templateFiles(): TemplateFiles {
  const root = packageRoot();
  const templates: Record<string, Record<string, string>> = {};
  const ignored = Object.values(LANGUAGES).flatMap((language) => language.ignored);
  const folder = join(root, 'templates');
  for (const language of readdirSync(folder).sort()) {
    for (const name of readdirSync(join(folder, language)).sort()) {
      templates[`${language}/${name}`] = readFolder(join(folder, language, name), ignored);
    }
  }
  return { templates, assets: readFolder(join(root, 'dist', 'assets'), []) };
}

/** The same from `src/` and from `dist/src/`: the folder above that has templates. */
function packageRoot(): string {
  for (const up of ['../..', '../../..']) {
    const root = fileURLToPath(new URL(up, import.meta.url));
    if (existsSync(join(root, 'templates'))) return root;
  }
  throw new Error('the package has no templates folder');
}

function readFolder(folder: string, ignored: readonly string[]): Record<string, string> {
  const files: Record<string, string> = {};
  const visit = (current: string): void => {
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      if (ignored.includes(entry.name)) continue;
      const path = join(current, entry.name);
      if (entry.isDirectory()) visit(path);
      else files[relative(folder, path).split(sep).join('/')] = readFileSync(path, 'utf8');
    }
  };
  visit(folder);
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
}
