import type { JsonPath } from './scenario.ts';

const SEGMENT =
  /\.([\p{L}_][\p{L}\p{N}_-]*)|\[(-?\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]/uy;

/**
 * Reads a path to a single value: `$.user.roles[0]`, `$['a key']`, `$[-1]`: RFC 9535's names and
 * indices. The `$.` may be left out. Undefined for anything else.
 */
export function parseJsonPath(text: string): JsonPath | undefined {
  const full = text.startsWith('$') ? text.slice(1) : text.startsWith('[') ? text : `.${text}`;
  const path: (string | number)[] = [];
  SEGMENT.lastIndex = 0;
  while (SEGMENT.lastIndex < full.length) {
    const match = SEGMENT.exec(full);
    if (match === null) return undefined;
    const [, name, index, single, double] = match;
    if (index !== undefined) path.push(Number(index));
    else path.push(name ?? (single ?? double ?? '').replace(/\\(.)/gs, '$1'));
  }
  return path;
}

/** The value at `path`; undefined if there is none. */
export function valueAt(value: unknown, path: JsonPath): unknown {
  let at = value;
  for (const key of path) {
    if (Array.isArray(at)) at = typeof key === 'number' ? at.at(key) : undefined;
    else if (typeof at === 'object' && at !== null && Object.hasOwn(at, key)) {
      at = (at as Record<string, unknown>)[key];
    } else return undefined;
  }
  return at;
}

/** For people: `$.user.roles[0]`. */
export function formatJsonPath(path: JsonPath): string {
  const segments = path.map((key) => {
    if (typeof key === 'number') return `[${key}]`;
    return /^[\p{L}_][\p{L}\p{N}_-]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  });
  return `$${segments.join('')}`;
}
