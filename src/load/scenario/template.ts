import { parseJsonPath, valueAt } from './json-path.ts';
import type { Template, TemplatePart } from './scenario.ts';

const PLACEHOLDER = /\{\{(.*?)\}\}/gs;
const REFERENCE = /^([A-Za-z_][\w-]*)(.*)$/s;

/** A faulty template; the caller adds the place. */
export class TemplateError extends Error {}

/**
 * Splits a text at `{{name}}` and `{{name.key[0]}}`.
 *
 * @throws TemplateError
 */
export function textTemplate(text: string): Template {
  return split(text, 'text');
}

/**
 * Makes a template of the JSON text of a YAML value. A string that is only `{{name}}` becomes the
 * variable's value with its type, any other placeholder a part of the string.
 *
 * @throws TemplateError
 */
export function jsonTemplate(value: unknown): Template {
  return joined(partsOf(value));
}

function partsOf(value: unknown): TemplatePart[] {
  if (typeof value === 'string') return stringParts(value);
  if (Array.isArray(value)) {
    const items = value.flatMap((item, i) => [...(i === 0 ? [] : [',']), ...partsOf(item)]);
    return ['[', ...items, ']'];
  }
  if (typeof value !== 'object' || value === null) return [JSON.stringify(value ?? null)];
  const members = Object.entries(value).flatMap(([key, item], i) => [
    ...(i === 0 ? [] : [',']),
    ...stringParts(key, true),
    ':',
    ...partsOf(item),
  ]);
  return ['{', ...members, '}'];
}

function stringParts(text: string, isKey = false): TemplatePart[] {
  const parts = split(text, 'string');
  const [only] = parts;
  if (!isKey && parts.length === 1 && typeof only === 'object') return [{ ...only, as: 'value' }];
  const inner = parts.map((part) =>
    typeof part === 'string' ? JSON.stringify(part).slice(1, -1) : part,
  );
  return ['"', ...inner, '"'];
}

function split(text: string, as: 'text' | 'string'): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    if (match.index > end) parts.push(text.slice(end, match.index));
    parts.push(reference(match[1] as string, as));
    end = match.index + match[0].length;
  }
  const rest = text.slice(end);
  if (rest.includes('{{')) throw new TemplateError('"{{" without "}}"');
  return rest === '' ? parts : [...parts, rest];
}

function reference(text: string, as: 'text' | 'string'): TemplatePart {
  const match = REFERENCE.exec(text.trim());
  if (match === null) {
    throw new TemplateError(`{{${text}}} names no variable, expected {{name}} or {{name.key}}`);
  }
  const path = parseJsonPath(`$${match[2] as string}`);
  if (path === undefined) throw new TemplateError(`{{${text}}} has a path that cannot be read`);
  return { name: match[1] as string, path, as };
}

function joined(parts: readonly TemplatePart[]): Template {
  const result: TemplatePart[] = [];
  for (const part of parts) {
    const last = result.at(-1);
    if (typeof part === 'string' && typeof last === 'string')
      result[result.length - 1] = last + part;
    else result.push(part);
  }
  return result;
}

/** The variables that a template uses, each with the path into its value. */
export function referencesOf(template: Template): Exclude<TemplatePart, string>[] {
  return template.filter((part) => typeof part === 'object');
}

/** The value of a variable; undefined: it has none. */
export type Lookup = (name: string) => unknown;

/** A variable without a value when its template is rendered. */
export class UnsetVariable extends Error {}

/** Renders a template. Throws `UnsetVariable` for a variable without a value. */
export function render(template: Template, lookup: Lookup): string {
  let text = '';
  for (const part of template) text += typeof part === 'string' ? part : fill(part, lookup);
  return text;
}

function fill({ name, path, as }: Exclude<TemplatePart, string>, lookup: Lookup): string {
  const value = valueAt(lookup(name), path);
  if (value === undefined) throw new UnsetVariable(`{{${name}}} has no value`);
  if (as === 'value') return JSON.stringify(value);
  const plain = typeof value === 'string' ? value : JSON.stringify(value);
  return as === 'text' ? plain : JSON.stringify(plain).slice(1, -1);
}
