/** JSON Patch (RFC 6902) and JSON Pointer (RFC 6901). */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** One of the six operations, before it is known to be one. */
export interface PatchOperation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: Json;
}

/**
 * `document` after all of `patch`; the given one is left as it is, and both share what did not change.
 *
 * @throws Error when an operation does not apply; nothing of the patch is then done
 */
export function applyPatch(document: Json, patch: readonly PatchOperation[]): Json {
  return patch.reduce(applyOperation, document);
}

function applyOperation(document: Json, operation: PatchOperation): Json {
  const { op, path, from, value } = operation;
  const keys = parsePointer(path);
  switch (op) {
    case 'add':
    case 'replace':
      return put(document, keys, given(value), op);
    case 'remove':
      return remove(document, keys);
    case 'copy':
      return put(document, keys, find(document, parsePointer(from)), 'add');
    case 'move': {
      const source = parsePointer(from);
      const inside = keys.length > source.length && source.every((key, at) => key === keys[at]);
      if (inside) throw new Error('a value cannot be moved into itself');
      const moved = find(document, source);
      // Moving the root to the root is the only move of the root there is.
      return source.length === 0 ? document : put(remove(document, source), keys, moved, 'add');
    }
    case 'test':
      if (isEqual(find(document, keys), given(value))) return document;
      throw new Error(`the test of ${path} failed`);
    default:
      throw new Error(`there is no operation ${op}`);
  }
}

function given(value: Json | undefined): Json {
  if (value === undefined) throw new Error('the operation has no value');
  return value;
}

function parsePointer(pointer: unknown): string[] {
  if (pointer === '') return [];
  if (typeof pointer !== 'string' || !pointer.startsWith('/') || /~(?![01])/.test(pointer)) {
    throw new Error('not a JSON pointer');
  }
  const parts = pointer.slice(1).split('/');
  return parts.map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
}

function find(document: Json, keys: readonly string[]): Json {
  return keys.reduce(child, document);
}

/** Only what the document itself holds: never what an object inherits. */
function child(parent: Json, key: string): Json {
  if (isArray(parent)) return parent[indexOf(key, parent.length - 1)] as Json;
  if (typeof parent === 'object' && parent !== null && Object.hasOwn(parent, key)) {
    return parent[key] as Json;
  }
  throw new Error(`there is no ${key}`);
}

function indexOf(key: string, last: number): number {
  if (!/^(?:0|[1-9]\d*)$/.test(key) || Number(key) > last) throw new Error(`no index ${key}`);
  return Number(key);
}

/** `parent` with `change` done to a copy of what holds the last of `keys`. */
function edit(
  parent: Json,
  keys: readonly string[],
  change: (holder: Json[] | Record<string, Json>, key: string) => void,
): Json {
  const [key = '', ...rest] = keys;
  const value = rest.length > 0 ? edit(child(parent, key), rest, change) : undefined;
  if (typeof parent !== 'object' || parent === null) throw new Error(`nothing can hold ${key}`);
  const copy = isArray(parent) ? [...parent] : { ...parent };
  if (value === undefined) change(copy, key);
  else define(copy, key, value);
  return copy;
}

function put(document: Json, keys: readonly string[], value: Json, op: 'add' | 'replace'): Json {
  if (keys.length === 0) return value;
  return edit(document, keys, (holder, key) => {
    if (op === 'replace') child(holder, key);
    if (!Array.isArray(holder) || op === 'replace') define(holder, key, value);
    else holder.splice(key === '-' ? holder.length : indexOf(key, holder.length), 0, value);
  });
}

function remove(document: Json, keys: readonly string[]): Json {
  if (keys.length === 0) throw new Error('the whole document cannot be removed');
  return edit(document, keys, (holder, key) => {
    child(holder, key);
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else Reflect.deleteProperty(holder, key);
  });
}

/** An assignment to `__proto__` would change what the object inherits. */
function define(holder: object, key: string, value: Json): void {
  const attributes = { writable: true, enumerable: true, configurable: true };
  Object.defineProperty(holder, key, { value, ...attributes });
}

function isArray(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

function isEqual(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isArray(a) !== isArray(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isEqual(child(a, key), child(b, key)))
  );
}
