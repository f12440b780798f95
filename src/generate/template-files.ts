import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Everything that generate-server reads: plain JSON, so that a bundle can hold it. */
export interface TemplateFiles {
  /** Template name to path (with `/`) to text. */
  readonly templates: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** A function declaration `defineWs(module, require)` that holds the `ws` package. */
  readonly ws: string;
}

/** What working on a template leaves behind in its folder. */
const LEFTOVERS = new Set(['node_modules', 'dist', 'package-lock.json']);

/**
 * Reads the template files from the package's folder. The single-file bundle replaces this module
 * by one that holds them.
 */
export function templateFiles(): TemplateFiles {
  const root = packageRoot();
  const folder = join(root, 'templates', 'nodejs');
  return {
    templates: Object.fromEntries(
      readdirSync(folder)
        .sort()
        .map((name) => [name, readFolder(join(folder, name))]),
    ),
    ws: readFileSync(join(root, 'dist', 'assets', 'ws.min.js'), 'utf8'),
  };
}

/** The same from `src/` and from `dist/src/`: the folder above that has templates. */
function packageRoot(): string {
  for (const up of ['../..', '../../..']) {
    const root = fileURLToPath(new URL(up, import.meta.url));
    if (existsSync(join(root, 'templates', 'nodejs'))) return root;
  }
  throw new Error('the package has no templates folder');
}

function readFolder(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  const visit = (current: string): void => {
    for (const entry of readdirSync(current, { withFileTypes: true })) {
      if (LEFTOVERS.has(entry.name)) continue;
      const path = join(current, entry.name);
      if (entry.isDirectory()) visit(path);
      else files[relative(folder, path).split(sep).join('/')] = readFileSync(path, 'utf8');
    }
  };
  visit(folder);
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
}
