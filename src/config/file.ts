import { readFileSync } from 'node:fs';
import { LineCounter, isMap, isNode, isPair, isScalar, parseDocument, type Document } from 'yaml';
import { EnvironmentError, UsageError } from '../core/errors.ts';

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
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) {
    const { line } = lines.linePos(fault.pos[0]);
    const message = fault.message.charAt(0).toLowerCase() + fault.message.slice(1);
    throw new UsageError('WSK_ERR_INVALID_CONFIG', `${file}:${line}: ${message}`);
  }
  const lineOf = (keys: readonly PropertyKey[]): number => lineOfPath(document, lines, keys);
  return { file, values: sectionOf(document, file, lineOf), lineOf };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new EnvironmentError('WSK_ERR_FILE_NOT_READABLE', `cannot read ${file}`, { cause });
  }
}

function sectionOf(
  document: Document,
  file: string,
  lineOf: (path: readonly PropertyKey[]) => number,
): unknown {
  const content: unknown = document.toJS();
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
