import { parseDocument } from 'yaml';
import type { Document, ParseOptions, DocumentOptions, SchemaOptions } from 'yaml';

/** Levels of lists and mappings in a YAML file; more is a mistake, or meant to do harm. */
const MAX_DEPTH = 100;

/** Parses a YAML file of a user. Throws an `Error` that says why it cannot be; see also `errors`. */
export function parseYaml(
  text: string,
  options: ParseOptions & DocumentOptions & SchemaOptions = {},
): Document {
  if (isDeep(text)) throw new Error('it is nested too deeply');
  return parseDocument(text, { prettyErrors: false, ...options });
}

/**
 * Whether brackets, or list marks within a line, are nested too deeply for a parser that recurses:
 * it would end the whole process. Brackets inside of text count, too; those are balanced or few.
 */
function isDeep(text: string): boolean {
  let depth = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth = bracket === '[' || bracket === '{' ? depth + 1 : Math.max(0, depth - 1);
    if (depth > MAX_DEPTH) return true;
  }
  return new RegExp(`^[ \\t]*(?:[-?:][ \\t]+){${MAX_DEPTH + 1}}`, 'm').test(text);
}

/**
 * The values of a document as plain data. Throws an `Error` that says why there are none: an alias
 * without its anchor, aliases that multiply or contain themselves, too many levels.
 */
export function valuesOf(document: Document): unknown {
  const values: unknown = document.toJS({ maxAliasCount: 100 });
  checkDepth(values, 0);
  return values;
}

function checkDepth(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (depth > MAX_DEPTH) throw new Error('it is nested too deeply, or an alias contains itself');
  for (const inner of Object.values(value)) checkDepth(inner, depth + 1);
}
