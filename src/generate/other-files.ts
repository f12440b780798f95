import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './merge.ts';
import type { Text } from './merge.ts';
import { readIfPresent } from './plan.ts';

/** A text of the user's. */
export interface OtherFile {
  /** Relative to the root, with `/`. */
  readonly path: string;
  readonly content: Buffer;
  readonly text: Text;
}

/** Files larger than this were not moved by anybody. */
const MAX_MOVED_BYTES = 1 << 20;
/** Of two files with so many lines in common one may come from the other; git takes as many. */
const MIN_LIKENESS = 0.5;

/** The files of a project that the generator does not know; read when they are first asked for. */
export class OtherFiles {
  readonly #root: string;
  readonly #known: ReadonlySet<string>;
  #files: OtherFile[] | undefined;

  constructor(root: string, known: ReadonlySet<string>) {
    this.#root = root;
    this.#known = known;
  }

  /** The one that has most in common with `text`. */
  likest(text: string): OtherFile | undefined {
    this.#files ??= [...this.#read('')];
    const rated = this.#files.map((file) => ({ file, rate: likeness(text, file.text.text) }));
    const [best] = rated.sort((a, b) => b.rate - a.rate);
    if (best === undefined || best.rate < MIN_LIKENESS) return undefined;
    // It comes from one file only.
    this.#files = this.#files.filter((file) => file !== best.file);
    return best.file;
  }

  *#read(folder: string): Iterable<OtherFile> {
    for (const entry of readdirSync(join(this.#root, folder), { withFileTypes: true })) {
      const path = `${folder}${entry.name}`;
      const isHidden = entry.name.startsWith('.') || ['node_modules', 'dist'].includes(entry.name);
      if (isHidden || this.#known.has(path)) continue;
      if (entry.isDirectory()) yield* this.#read(`${path}/`);
      if (!entry.isFile()) continue;
      const content = readIfPresent(join(this.#root, path));
      if (!content || content.length > MAX_MOVED_BYTES) continue;
      const text = readText(content);
      if (text !== undefined) yield { path, content, text };
    }
  }
}

/** How much of the longer of two texts both have, line by line; lines with nothing but a bracket do not count. */
function likeness(one: string, other: string): number {
  const linesOf = (text: string): string[] => text.split('\n').filter((line) => /\w/.test(line));
  const [lines, others] = [linesOf(one), linesOf(other)];
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  const common = others.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count > 0;
  });
  return common.length / Math.max(1, lines.length, others.length);
}
