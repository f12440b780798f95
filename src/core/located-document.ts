import { LineCounter, isMap, isNode, isPair, isScalar, isSeq } from 'yaml';
import type { Document, SchemaOptions } from 'yaml';
import type * as z from 'zod';
import { invalidInput } from './errors.ts';
import { didYouMean } from './did-you-mean.ts';
import { parseYaml, valuesOf } from './yaml.ts';

export type Path = readonly (string | number)[];

/** Further faults often follow from the first ones. */
const MAX_FAULTS = 20;

/** A YAML text with the place of each value; collects faults with their places. */
export class LocatedDocument {
  readonly file: string;
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines = new LineCounter();
  readonly #faults: { readonly offset: number; readonly text: string }[] = [];

  /** Throws a `UsageError` for a text that is no YAML. */
  constructor(text: string, file: string, options: SchemaOptions = {}) {
    this.file = file;
    try {
      this.#document = parseYaml(text, { ...options, lineCounter: this.#lines });
    } catch (error) {
      throw invalidInput(`${file}: ${(error as Error).message}`);
    }
    for (const { pos, message } of [...this.#document.errors, ...this.#document.warnings]) {
      this.#add(pos[0], message.charAt(0).toLowerCase() + message.slice(1));
    }
    this.throwIfFaulty();
    this.value = this.#toJs();
  }

  /** Reports a fault of the value at `path`; the hint follows in brackets. */
  fault(path: Path, message: string, hint?: string): void {
    this.#add(this.#offsetOf(path), hint === undefined ? message : `${message} (${hint})`);
  }

  /** The same for the key at the end of `path`. */
  keyFault(path: Path, message: string, hint?: string): void {
    this.#add(this.#keyOffsetOf(path), hint === undefined ? message : `${message} (${hint})`);
  }

  /** `line:column` of the value at `path`, both from 1. */
  at(path: Path): string {
    return this.#place(this.#offsetOf(path));
  }

  /** Parses `value` at `path` with `schema`; undefined after reporting its faults. */
  read<Schema extends z.ZodType>(
    schema: Schema,
    value: unknown,
    path: Path,
  ): z.output<Schema> | undefined {
    const result = schema.safeParse(value, { reportInput: true });
    if (result.success) return result.data;
    for (const issue of result.error.issues) this.#issue(issue, path, keysOf(schema));
    return undefined;
  }

  /** Throws all faults as one `UsageError` WSK_ERR_INVALID_INPUT, one per line, in their order. */
  throwIfFaulty(): void {
    if (this.#faults.length === 0) return;
    const sorted = this.#faults.toSorted((a, b) => a.offset - b.offset);
    const lines = sorted.slice(0, MAX_FAULTS).map(({ text }) => text);
    if (sorted.length > MAX_FAULTS) lines.push(`and ${sorted.length - MAX_FAULTS} more`);
    throw invalidInput(lines.join('\n'));
  }

  #issue(issue: z.core.$ZodIssue, path: Path, keys: readonly string[]): void {
    const at = [...path, ...(issue.path as (string | number)[])];
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const hint = issue.path.length === 0 ? didYouMean(key, keys) : undefined;
        this.keyFault([...at, key], `unknown key ${JSON.stringify(key)}`, hint);
      }
      return;
    }
    if (issue.code === 'invalid_key') {
      const expected = issue.issues[0]?.message ?? issue.message;
      this.keyFault(at, `key ${quote(at.at(-1))}: ${expected}`);
      return;
    }
    const name = at.at(-1);
    const what = typeof name === 'string' ? `${name} is ` : '';
    if (issue.input === undefined) this.fault(at, `${name ?? 'value'} is missing`);
    else this.fault(at, `${what}${quote(issue.input)}: ${issue.message}`);
  }

  #toJs(): unknown {
    try {
      return valuesOf(this.#document);
    } catch (error) {
      this.#add(0, (error as Error).message);
      this.throwIfFaulty();
      return undefined;
    }
  }

  #add(offset: number, message: string): void {
    this.#faults.push({ offset, text: `${this.file}:${this.#place(offset)}: ${message}` });
  }

  #place(offset: number): string {
    const { line, col } = this.#lines.linePos(offset);
    return `${line}:${col}`;
  }

  /** Of the value at `path`, or of the deepest part of the path that exists. */
  #offsetOf(path: Path): number {
    let at: unknown = this.#document.contents;
    let offset = startOf(at) ?? 0;
    for (const key of path) {
      const next = memberOf(at, key);
      if (next === undefined) break;
      offset = startOf(next.value) ?? startOf(next.key) ?? offset;
      at = next.value;
    }
    return offset;
  }

  #keyOffsetOf(path: Path): number {
    const parent = path.slice(0, -1);
    let at: unknown = this.#document.contents;
    for (const key of parent) at = memberOf(at, key)?.value;
    return startOf(memberOf(at, path.at(-1) ?? '')?.key) ?? this.#offsetOf(path);
  }
}

function memberOf(
  node: unknown,
  key: string | number,
): { key: unknown; value: unknown } | undefined {
  if (isSeq(node) && typeof key === 'number') return { key: undefined, value: node.items[key] };
  if (!isMap(node)) return undefined;
  return node.items.find(
    (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
  );
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}

function keysOf(schema: z.ZodType): readonly string[] {
  return 'shape' in schema ? Object.keys(schema.shape as object) : [];
}

/** A value as it was read, cut short. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
