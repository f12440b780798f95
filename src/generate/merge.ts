import { isUtf8 } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import { mergeTexts } from './git.ts';

/** A text that is merged. */
export interface Text {
  /** With the line ends of generated texts. */
  readonly text: string;
  readonly isCrlf: boolean;
}

/** A text, whose lines may end as those of Windows do; undefined for other content. */
export function readText(content: Buffer): Text | undefined {
  if (content.includes(0) || !isUtf8(content)) return undefined;
  const text = content.toString();
  const isCrlf = text.includes('\r\n') && !/(?:^|[^\r])\n/.test(text);
  return { text: isCrlf ? text.replaceAll('\r\n', '\n') : text, isCrlf };
}

/**
 * Merges what has become of `base`, which is empty where nobody knows it. Where both sides changed the
 * same, the text has the markers of a conflict.
 */
export function merge(
  path: string,
  ours: string,
  { base, theirs }: { readonly base: string; readonly theirs: string },
): { readonly text: string; readonly hasConflict: boolean } {
  const merged = mergeTexts(ours, base, theirs);
  const isJson = merged.hasConflict && path.endsWith('.json');
  const text = isJson ? mergeJsonTexts(ours, base, theirs) : undefined;
  return text === undefined ? merged : { text, hasConflict: false };
}

/** A JSON file merged entry by entry: of two that were added beside each other git makes a conflict. */
function mergeJsonTexts(ours: string, base: string, theirs: string): string | undefined {
  try {
    const [mine, old, made] = [ours, base, theirs].map((text) => JSON.parse(text) as unknown);
    const indent = /^[{[]\n([ \t]+)/.exec(ours)?.[1] ?? '  ';
    return `${JSON.stringify(mergeJson(mine, old, made), null, indent)}\n`;
  } catch {
    // One of them is no JSON, or both have changed the same entry.
    return undefined;
  }
}

/** Values of JSON, undefined where there is none. @throws Error for a conflict */
function mergeJson(ours: unknown, base: unknown, theirs: unknown): unknown {
  if (isDeepStrictEqual(theirs, base) || isDeepStrictEqual(ours, theirs)) return ours;
  if (isDeepStrictEqual(ours, base)) return theirs;
  if (!isObject(ours) || !isObject(theirs)) throw new Error('conflict');
  const old = isObject(base) ? base : {};
  const at = (values: Record<string, unknown>, key: string): unknown =>
    Object.hasOwn(values, key) ? values[key] : undefined;
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
  const merged = [...keys].map(
    (key) => [key, mergeJson(at(ours, key), at(old, key), at(theirs, key))] as const,
  );
  return Object.fromEntries(merged.filter(([, value]) => value !== undefined));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
