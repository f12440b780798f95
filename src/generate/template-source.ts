import { templateFiles } from './template-files.ts';
import type { TemplateFiles } from './template-files.ts';

let cached: TemplateFiles | undefined;

/** Everything the generator reads, for a bundle to embed. */
export function collectTemplates(): TemplateFiles {
  cached ??= templateFiles();
  return cached;
}

/**
 * The files of the template `name` by path, sorted.
 *
 * @throws Error when there is none; the input schema only lets known names through
 */
export function readTemplate(name: string): ReadonlyMap<string, string> {
  const files = collectTemplates().templates[name];
  if (files === undefined) throw new Error(`there is no template ${name}`);
  return new Map(Object.entries(files));
}

/** The function `defineWs(module, require)` that makes a generated single file self-contained. */
export function readWsBundle(): string {
  return collectTemplates().ws;
}
