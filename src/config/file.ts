import { LineCounter, isMap, isNode, isPair, isScalar, type Document } from 'yaml';
import { EnvironmentError, isSystemError, UsageError } from '../core/errors.ts';
import { readRegularFile, reasonOf } from '../core/input-file.ts';
import { parseYaml, valuesOf } from '../core/yaml.ts';

/** The parsed project file, with the line of every key for later errors. */
export interface ConfigFile {
  readonly file: string;
  /** The value of `websocket:`, unchecked. */
  readonly values: unknown;
  /** The line (from 1) of the value at `path`, below `websocket:`. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

/**
 * Reads and parses the project file.
 *
 * @throws UsageError WSK_ERR_INVALID_CONFIG when it is not YAML, or has another key than `websocket`
 */
export function readConfigFile(file: string): ConfigFile {
  const lines = new LineCounter();
  // Without the tags beyond YAML's core schema, whose values would be no plain data.
  const options = { lineCounter: lines, resolveKnownTags: false };
  const document = orInvalid(file, () => parseYaml(readText(file), options));
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const { line } = lines.linePos(fault.pos[0]);
    const message = fault.message.charAt(0).toLowerCase() + fault.message.slice(1);
    throw new UsageError('WSK_ERR_INVALID_CONFIG', `${file}:${line}: ${message}`);
  }
  const lineOf = (keys: readonly PropertyKey[]): number => lineOfPath(document, lines, keys);
  return { file, values: sectionOf(document, file, lineOf), lineOf };
}

/** A handful of settings with their comments. */
const MAX_BYTES = 256 * 1024;

/** Runs `read`; an error that says why the file is wrong becomes a `UsageError`. */
function orInvalid<Value>(file: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof UsageError || cause instanceof EnvironmentError) throw cause;
    throw new UsageError('WSK_ERR_INVALID_CONFIG', `${file}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function readText(file: string): string {
  try {
    return readRegularFile(file, MAX_BYTES).toString('utf8');
  } catch (cause) {
    const message = `cannot read ${file} (${reasonOf(cause)})`;
    if (isSystemError(cause)) {
      throw new EnvironmentError('WSK_ERR_FILE_NOT_READABLE', message, { cause });
    }
    throw new UsageError('WSK_ERR_INVALID_CONFIG', message, { cause });
  }
}

function sectionOf(
  document: Document,
  file: string,
  lineOf: (path: readonly PropertyKey[]) => number,
): unknown {
  const content = orInvalid(file, () => valuesOf(document));
  if (content === null || content === undefined) return {};
  const keys = isMap(document.contents) ? Object.keys(content) : [];
  const stray = keys.find((key) => key !== 'websocket');
  if (!isMap(document.contents) || stray !== undefined) {
    const seen = stray === undefined ? 'no mapping' : `unknown key ${JSON.stringify(stray)}`;
    throw new UsageError(
      'WSK_ERR_INVALID_CONFIG',
      `${file}:${lineOf([])}: ${seen}, expected the one key "websocket"`,
      stray === undefined ? {} : { hint: 'did you mean websocket?' },
    );
  }
  return (content as { websocket: unknown }).websocket ?? {};
}

/** The line of the deepest part of `keys` that the document has. */
function lineOfPath(document: Document, lines: LineCounter, keys: readonly PropertyKey[]): number {
  let at: unknown = document.contents;
  let offset = 0;
  for (const key of ['websocket', ...keys]) {
    if (!isMap(at)) break;
    const pair = at.items.find(
      (item) => isPair(item) && isScalar(item.key) && item.key.value === key,
    );
    if (pair === undefined) break;
    offset = (isNode(pair.key) ? pair.key.range?.[0] : undefined) ?? offset;
    at = pair.value;
  }
  return lines.linePos(offset).line;
}
