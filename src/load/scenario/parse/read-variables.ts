import { dirname, resolve } from 'node:path';
import { nearest } from '../../../core/did-you-mean.ts';
import { readRegularFile } from '../../../core/input-file.ts';
import type { Source, Variable } from '../scenario.ts';
import { parseCsv } from './csv.ts';
import type { LocatedDocument, Path } from '../../../core/located-document.ts';
import { quote } from '../../../core/located-document.ts';
import { integerRange } from './range.ts';
import { VariableShape } from './shapes.ts';

/** Variables that every client has, beside those of `data` and what it captures. */
export const BUILT_IN_VARIABLES = ['client', 'iteration', 'pass', 'now', 'uuid'] as const;

const NAME = /^[A-Za-z_][\w-]*$/;

/** A name of `data` or of a capture; notes what is wrong with it. */
export function isVariableName(document: LocatedDocument, name: string, path: Path): boolean {
  if (!NAME.test(name)) {
    document.keyFault(
      path,
      `${quote(name)} is not a valid variable name`,
      'letters, digits, _ and -',
    );
    return false;
  }
  if (!BUILT_IN_VARIABLES.some((builtIn) => builtIn === name)) return true;
  document.keyFault(path, `${name} is a built-in variable, expected another name`);
  return false;
}

/** Reads `data`. */
export function readVariables(
  document: LocatedDocument,
  data: Readonly<Record<string, unknown>>,
): Variable[] {
  return Object.entries(data).flatMap(([name, raw]) => {
    const path = ['data', name];
    if (!isVariableName(document, name, path)) return [];
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      return [constant(document, { name, raw, path })];
    }
    const shape = document.read(VariableShape, raw, path);
    const source = shape && readSource(document, shape, path);
    // A faulty variable stays defined, so that its uses are not reported too.
    return [{ name, per: shape?.per ?? 'client', source: source ?? { kind: 'uuid' } }];
  });
}

function constant(
  document: LocatedDocument,
  { name, raw, path }: { name: string; raw: unknown; path: Path },
): Variable {
  if (raw === null || Array.isArray(raw)) {
    document.fault(path, `${name} is ${quote(raw)}, expected a value, or choice: or list: with it`);
  }
  return { name, per: 'client', source: { kind: 'values', order: 'cycle', values: [raw] } };
}

type Shape = ReturnType<typeof VariableShape.parse>;

const SOURCES = ['integer', 'text', 'uuid', 'sequence', 'choice', 'list', 'csv'] as const;

/** Keys that only some sources have. */
const EXTRAS = { step: ['sequence'], order: ['list', 'csv'] } as const;

function readSource(document: LocatedDocument, shape: Shape, path: Path): Source | undefined {
  const given = SOURCES.filter((key) => shape[key] !== undefined);
  const [kind] = given;
  if (kind === undefined || given.length > 1) {
    const seen = given.length === 0 ? 'no source' : given.join(' and ');
    document.fault(path, `${seen}, expected one of ${SOURCES.join(', ')}`);
    return undefined;
  }
  for (const [key, kinds] of Object.entries(EXTRAS)) {
    if (shape[key as keyof typeof EXTRAS] === undefined || kinds.some((it) => it === kind))
      continue;
    document.keyFault([...path, key], `${key} belongs to ${kinds.join(' or ')}, not to ${kind}`);
  }
  switch (kind) {
    case 'integer':
    case 'text': {
      const range = integerRange(shape[kind]);
      if (range !== undefined && (kind === 'integer' || range.min >= 0)) return { kind, ...range };
      const expected = kind === 'text' ? 'a number of letters' : 'a whole number';
      document.fault(
        [...path, kind],
        `${kind} is ${quote(shape[kind])}, expected ${expected} or a range such as 1..6`,
      );
      return undefined;
    }
    case 'uuid':
      return { kind };
    case 'sequence':
      return { kind, from: shape.sequence as number, step: shape.step ?? 1 };
    case 'choice':
    case 'list': {
      const order = kind === 'choice' ? 'random' : (shape.order ?? 'cycle');
      return { kind: 'values', order, values: shape[kind] as unknown[] };
    }
    case 'csv': {
      const values = readCsv(document, shape.csv as string, [...path, 'csv']);
      return values && { kind: 'values', order: shape.order ?? 'cycle', values };
    }
  }
}

function readCsv(document: LocatedDocument, name: string, path: Path): object[] | undefined {
  const file = resolve(dirname(document.file), name);
  try {
    return parseCsv(readRegularFile(file).toString('utf8'));
  } catch (error) {
    document.fault(path, `cannot read ${name}: ${(error as Error).message}`);
    return undefined;
  }
}

/** The fault of using `key` of the variable: an unknown column. */
export function columnFault(
  { source }: Variable,
  key: string | number | undefined,
): string | undefined {
  if (key === undefined || source.kind !== 'values') return undefined;
  const first = source.values[0];
  if (typeof first !== 'object' || first === null || Array.isArray(first)) return undefined;
  const columns = Object.keys(first);
  if (Object.hasOwn(first, key)) return undefined;
  const match = nearest(String(key), columns);
  return match === undefined ? `its columns are ${columns.join(', ')}` : `did you mean ${match}?`;
}
