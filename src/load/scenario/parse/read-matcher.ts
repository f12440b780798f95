import { formatJsonPath, parseJsonPath } from '../json-path.ts';
import type { Capture, JsonPath, Matcher, Template } from '../scenario.ts';
import type { Path } from '../../../core/located-document.ts';
import { quote } from '../../../core/located-document.ts';
import type { Scope } from './scope.ts';
import { CaptureShape } from './shapes.ts';
import type { MatcherShape } from './shapes.ts';

/** Reads the condition on a message. */
export function readMatcher(scope: Scope, shape: MatcherShape, path: Path): Matcher {
  const json = Object.entries(shape.json ?? {}).map(([key, value]) => ({
    path: readPath(scope, key, [...path, 'json', key]),
    equals: scope.json(value, [...path, 'json', key]),
  }));
  const matcher: Omit<Matcher, 'words'> = {
    json,
    exists: readPaths(scope, shape.exists, [...path, 'exists']),
    absent: readPaths(scope, shape.absent, [...path, 'absent']),
    contains: readText(scope, shape.contains, [...path, 'contains']),
    text: readText(scope, shape.text, [...path, 'text']),
    regex: readRegex(scope, shape.regex, [...path, 'regex']),
    binary: readBase64(scope, shape.binary, [...path, 'binary']),
  };
  const words = wordsOf(shape);
  if (words === '' && shape.any === undefined) {
    const keys = 'any, json, exists, absent, contains, text, regex, binary';
    scope.document.fault(path, `no condition on the message, expected one of ${keys}`);
  }
  if (words !== '' && shape.any !== undefined) {
    scope.document.keyFault([...path, 'any'], 'any excludes other conditions');
  }
  return { ...matcher, words: words === '' ? 'any message' : words };
}

function wordsOf(shape: MatcherShape): string {
  const words = Object.entries(shape.json ?? {}).map(
    ([key, value]) => `${key} = ${JSON.stringify(value)}`,
  );
  for (const key of ['exists', 'absent', 'contains', 'text', 'regex', 'binary'] as const) {
    if (shape[key] !== undefined) words.push(`${key} ${quote(shape[key])}`);
  }
  return words.join(', ');
}

function readPaths(scope: Scope, given: string | string[] | undefined, path: Path): JsonPath[] {
  if (given === undefined) return [];
  return typeof given === 'string'
    ? [readPath(scope, given, path)]
    : given.map((text, i) => readPath(scope, text, [...path, i]));
}

function readPath(scope: Scope, text: string, path: Path): JsonPath {
  const parsed = parseJsonPath(text);
  if (parsed === undefined) {
    scope.document.keyFault(
      path,
      `${quote(text)} is not a path; a path looks like $.user.roles[0]`,
    );
  }
  return parsed ?? [];
}

function readText(scope: Scope, text: string | undefined, path: Path): Template | null {
  return text === undefined ? null : scope.text(text, path);
}

function readRegex(scope: Scope, source: string | undefined, path: Path): string | null {
  if (source === undefined) return null;
  try {
    new RegExp(source);
  } catch (error) {
    scope.document.fault(path, `regex is ${quote(source)}: ${(error as Error).message}`);
  }
  return source;
}

/** RFC 4648 section 4. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function readBase64(scope: Scope, text: string | undefined, path: Path): string | null {
  if (text === undefined) return null;
  checkBase64(scope, text, path);
  return text;
}

/** Reports a text that is no base64. */
export function checkBase64(scope: Scope, text: string, path: Path): void {
  if (!BASE64.test(text)) scope.document.fault(path, `binary is ${quote(text)}, expected base64`);
}

/** Reads `capture:`, each entry a path or `{ regex, group }`, and defines its names. */
export function readCaptures(
  scope: Scope,
  captures: Readonly<Record<string, unknown>> | undefined,
  path: Path,
): Capture[] {
  return Object.entries(captures ?? {}).flatMap(([name, raw]) => {
    const at = [...path, name];
    if (!scope.declare(name, at)) return [];
    if (typeof raw === 'string') return [jsonCapture(scope, { name, text: raw, at })];
    const shape = scope.document.read(CaptureShape, raw, at);
    if (shape === undefined) return [];
    if ((shape.json === undefined) === (shape.regex === undefined)) {
      scope.document.fault(at, `${name} needs one of json and regex`);
      return [];
    }
    if (shape.json !== undefined) return [jsonCapture(scope, { name, text: shape.json, at })];
    const source = readRegex(scope, shape.regex, [...at, 'regex']) ?? '';
    checkGroup(scope, { source, group: shape.group, at });
    return [{ name, from: { kind: 'regex', source, group: shape.group } }];
  });
}

function jsonCapture(
  scope: Scope,
  { name, text, at }: { name: string; text: string; at: Path },
): Capture {
  const path = parseJsonPath(text);
  if (path === undefined) {
    scope.document.fault(
      at,
      `${name} is ${quote(text)}, expected a path such as ${formatJsonPath(['id'])}`,
    );
  }
  return { name, from: { kind: 'json', path: path ?? [] } };
}

/** Matching with an added empty alternative lists the groups of an expression. */
function checkGroup(
  scope: Scope,
  { source, group, at }: { source: string; group: number | string; at: Path },
): void {
  let groups: RegExpExecArray | null;
  try {
    groups = new RegExp(`${source}|`).exec('');
  } catch {
    return;
  }
  const has =
    typeof group === 'number'
      ? group < (groups?.length ?? 0)
      : Object.hasOwn(groups?.groups ?? {}, group);
  if (!has) scope.document.fault(at, `regex ${quote(source)} has no group ${quote(group)}`);
}
