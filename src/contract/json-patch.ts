import { RowFailure } from './terms.ts';
import { isObject, same, show } from './shape.ts';

/** The value of a document after the operations of a patch (RFC 6902). Throws what is wrong with one. */
export function applyPatch(document: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new RowFailure(`got the patch ${show(patch)}, expected a list`);
  return patch.reduce(applyOperation, structuredClone(document));
}

function applyOperation(document: unknown, operation: unknown): unknown {
  if (!isObject(operation)) throw new RowFailure(`got the operation ${show(operation)}`);
  const { op, path, from, value } = operation;
  const at = partsOf(path);
  switch (op) {
    case 'add':
      return put(document, at, value, true);
    case 'replace':
      valueAt(document, at);
      return put(document, at, value, false);
    case 'remove':
      return remove(document, at);
    case 'move': {
      const moved = valueAt(document, partsOf(from));
      return put(remove(document, partsOf(from)), at, moved, true);
    }
    case 'copy':
      return put(document, at, structuredClone(valueAt(document, partsOf(from))), true);
    case 'test':
      if (same(valueAt(document, at), value)) return document;
      throw new RowFailure(`the server sent a patch whose test fails: ${show(operation)}`);
    default:
      throw new RowFailure(`got the operation ${show(operation)}, which RFC 6902 does not know`);
  }
}

/** A JSON pointer (RFC 6901). */
function partsOf(pointer: unknown): readonly string[] {
  if (typeof pointer !== 'string' || !/^(?:\/|$)/.test(pointer)) {
    throw new RowFailure(`${show(pointer)} is no JSON pointer`);
  }
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueAt(document: unknown, path: readonly string[]): unknown {
  return path.reduce((value, part) => {
    if (Array.isArray(value) && /^\d+$/.test(part) && Number(part) < value.length) {
      return value[Number(part)] as unknown;
    }
    if (isObject(value) && Object.hasOwn(value, part)) return value[part];
    throw new RowFailure(`the server sent a patch for ${show(path)}, which the document lacks`);
  }, document);
}

function put(document: unknown, path: readonly string[], value: unknown, isNew: boolean): unknown {
  const key = path.at(-1);
  if (key === undefined) return value;
  const parent = valueAt(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    const index = key === '-' ? parent.length : Number(key);
    parent.splice(index, isNew ? 0 : 1, value);
  } else {
    // Not an assignment, which would give a key named __proto__ another meaning.
    const own = { value, writable: true, enumerable: true, configurable: true };
    Object.defineProperty(parent, key, own);
  }
  return document;
}

function remove(document: unknown, path: readonly string[]): unknown {
  const key = path.at(-1);
  if (key === undefined) return null;
  valueAt(document, path);
  const parent = valueAt(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else Reflect.deleteProperty(parent as object, key);
  return document;
}
