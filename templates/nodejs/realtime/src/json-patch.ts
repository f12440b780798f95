import { faultOfJson, MAX_DEPTH } from './json.ts';

/** Any value that JSON has. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** One change (RFC 6902 section 4). */
export type Operation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: Json }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string };
export type Patch = readonly Operation[];

/** A patch that is none, that does not apply, or that makes too much. */
export class PatchError extends Error {
  readonly why: 'invalid' | 'conflict' | 'tooLarge';

  constructor(why: PatchError['why'], message: string) {
    super(message);
    this.why = why;
  }
}

/** Why `value` is no document; undefined if it is one. `__proto__` means something else to JavaScript. */
export function faultOf(value: unknown): string | undefined {
  return faultOfJson(value) ?? (hasProto(value) ? 'expected no key "__proto__"' : undefined);
}

function hasProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProto);
}

/**
 * Checks that `value` is a patch of at most `limit` operations. Unknown members are left out.
 *
 * @throws {PatchError} invalid, tooLarge
 */
export function readPatch(value: unknown, limit: number): Patch {
  if (!Array.isArray(value)) throw new PatchError('invalid', 'expected a list of operations');
  if (value.length > limit) {
    throw new PatchError('tooLarge', `expected at most ${String(limit)} operations`);
  }
  return value.map((item: unknown, index) => {
    const operation = readOperation(item);
    if (typeof operation !== 'string') return operation;
    throw new PatchError('invalid', `operation ${String(index)}: ${operation}`);
  });
}

function readOperation(item: unknown): Operation | string {
  if (typeof item !== 'object' || item === null) return 'expected an object';
  const { op, path, from, value } = item as Record<string, unknown>;
  const fault = faultOfPointer(path);
  if (fault !== undefined) return `path: ${fault}`;
  switch (op) {
    case 'add':
    case 'replace':
    case 'test':
      if (value === undefined) return 'value: expected a JSON value';
      return faultOf(value) ?? { op, path: path as string, value: value as Json };
    case 'remove':
      return { op, path: path as string };
    case 'move':
    case 'copy': {
      const wrong = faultOfPointer(from);
      return wrong === undefined
        ? { op, from: from as string, path: path as string }
        : `from: ${wrong}`;
    }
    default:
      return 'op: expected add, remove, replace, move, copy or test';
  }
}

/** RFC 6901 section 3. */
function faultOfPointer(pointer: unknown): string | undefined {
  if (typeof pointer !== 'string' || !/^(?:\/(?:[^~]|~[01])*)?$/.test(pointer)) {
    return 'expected a JSON pointer';
  }
  const tokens = tokensOf(pointer);
  if (tokens.length > MAX_DEPTH) return `expected at most ${String(MAX_DEPTH)} levels`;
  return tokens.includes('__proto__') ? 'expected no key "__proto__"' : undefined;
}

function tokensOf(pointer: string): string[] {
  const parts = pointer.split('/').slice(1);
  return parts.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/**
 * What `patch` makes of `document`, which stays as it is: all of the patch is done or nothing. What it copies
 * has `limit` characters at most.
 *
 * @throws {PatchError} conflict, tooLarge
 */
export function applyPatch(document: Json, patch: Patch, limit: number): Json {
  let copied = 0;
  // Copied by this patch, and in one place: what comes next may change it.
  const own: Owned = new WeakSet();
  return patch.reduce((current, operation) => {
    const tokens = tokensOf(operation.path);
    switch (operation.op) {
      case 'add':
        return edit(current, tokens, operation.value, 'add', own);
      case 'remove':
        return remove(current, tokens, own);
      case 'replace':
        get(current, tokens);
        return edit(current, tokens, operation.value, 'replace', own);
      case 'test':
        if (isEqual(get(current, tokens), operation.value)) return current;
        throw new PatchError('conflict', `the test of ${JSON.stringify(operation.path)} failed`);
      case 'copy': {
        const text = JSON.stringify(get(current, tokensOf(operation.from)));
        copied += text.length;
        if (copied > limit) throw new PatchError('tooLarge', 'the patch copies too much');
        return edit(current, tokens, JSON.parse(text) as Json, 'add', own);
      }
      case 'move': {
        const value = get(current, tokensOf(operation.from));
        if (operation.from === operation.path) return current;
        if (operation.path.startsWith(`${operation.from}/`)) {
          throw new PatchError('conflict', 'nothing is moved into itself');
        }
        return edit(remove(current, tokensOf(operation.from), own), tokens, value, 'add', own);
      }
    }
  }, document);
}

function get(document: Json, tokens: readonly string[]): Json {
  return tokens.reduce<Json>((value, token) => {
    const key = keyIn(value, token, false);
    return (value as Record<string, Json>)[key] as Json;
  }, document);
}

type Owned = WeakSet<object>;

function remove(document: Json, tokens: readonly string[], own: Owned): Json {
  if (tokens.length === 0) throw new PatchError('conflict', 'the whole document is not removed');
  get(document, tokens);
  return edit(document, tokens, null, 'remove', own);
}

/** Copies what is on the way to the place of the change, once in a patch, and shares the rest. */
function edit(
  container: Json,
  tokens: readonly string[],
  value: Json,
  how: 'add' | 'replace' | 'remove',
  own: Owned,
): Json {
  const [token, ...others] = tokens;
  if (token === undefined) return value;
  const isHere = others.length === 0;
  const key = keyIn(container, token, isHere && how === 'add');
  if (Array.isArray(container)) {
    const present = container as readonly Json[];
    const items = own.has(present) ? (present as Json[]) : [...present];
    own.add(items);
    const index = Number(key);
    if (!isHere) items[index] = edit(items[index] as Json, others, value, how, own);
    else if (how === 'add') items.splice(index, 0, value);
    else items.splice(index, 1, ...(how === 'replace' ? [value] : []));
    return items;
  }
  const present = container as Record<string, Json>;
  const members = own.has(present) ? present : { ...present };
  own.add(members);
  if (!isHere) members[key] = edit(members[key] as Json, others, value, how, own);
  else if (how !== 'remove') members[key] = value;
  else Reflect.deleteProperty(members, key);
  return members;
}

/** The key or index that `token` means; with `isNew` it need not be there yet (RFC 6901 section 4). */
function keyIn(container: Json, token: string, isNew: boolean): string {
  if (Array.isArray(container)) {
    const last = container.length - (isNew ? 0 : 1);
    if (isNew && token === '-') return String(container.length);
    if (/^(?:0|[1-9]\d{0,9})$/.test(token) && Number(token) <= last) return token;
  } else if (typeof container === 'object' && container !== null) {
    if (isNew || Object.hasOwn(container, token)) return token;
  }
  throw new PatchError('conflict', `there is no ${JSON.stringify(token)}`);
}

/** Compares by RFC 6902 section 4.6: members in any order. */
export function isEqual(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [one, other] = [a, b] as Readonly<Record<string, Json>>[] as [
    Readonly<Record<string, Json>>,
    Readonly<Record<string, Json>>,
  ];
  const keys = Object.keys(one);
  return (
    keys.length === Object.keys(other).length &&
    keys.every((key) => Object.hasOwn(other, key) && isEqual(one[key] as Json, other[key] as Json))
  );
}

/**
 * A patch that makes `after` of `before`: in time that grows with their size, so that it is not the shortest one
 * for lists whose middle has moved. Where it would be no shorter than `after`, it replaces the whole.
 */
export function patchBetween(before: Json, after: Json, limit: number): Patch {
  const patch: Operation[] = [];
  compare(before, after, '', patch);
  const whole: Patch = [{ op: 'replace', path: '', value: after }];
  if (patch.length > limit) return whole;
  return JSON.stringify(patch).length < JSON.stringify(whole).length ? patch : whole;
}

function compare(before: Json, after: Json, path: string, patch: Operation[]): void {
  if (isEqual(before, after)) return;
  if (Array.isArray(before) && Array.isArray(after)) compareLists(before, after, path, patch);
  else if (isObject(before) && isObject(after)) {
    for (const key of Object.keys(before)) {
      if (!Object.hasOwn(after, key)) patch.push({ op: 'remove', path: join(path, key) });
    }
    for (const [key, value] of Object.entries(after)) {
      const place = join(path, key);
      if (Object.hasOwn(before, key)) compare(before[key] as Json, value, place, patch);
      else patch.push({ op: 'add', path: place, value });
    }
  } else patch.push({ op: 'replace', path, value: after });
}

function compareLists(
  before: readonly Json[],
  after: readonly Json[],
  path: string,
  patch: Operation[],
): void {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && isEqual(before[start] as Json, after[start] as Json)) start += 1;
  let end = 0;
  while (
    end < shorter - start &&
    isEqual(before.at(-1 - end) as Json, after.at(-1 - end) as Json)
  ) {
    end += 1;
  }
  for (let index = start; index < shorter - end; index += 1) {
    compare(before[index] as Json, after[index] as Json, join(path, String(index)), patch);
  }
  const at = shorter - end;
  for (let index = before.length - end - 1; index >= at; index -= 1) {
    patch.push({ op: 'remove', path: join(path, String(index)) });
  }
  for (let index = at; index < after.length - end; index += 1) {
    patch.push({ op: 'add', path: join(path, String(index)), value: after[index] as Json });
  }
}

function isObject(value: Json): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function join(path: string, key: string): string {
  return `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
