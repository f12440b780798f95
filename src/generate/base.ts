import { isDeepStrictEqual } from 'node:util';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import * as z from 'zod';

/**
 * The generated texts, from which an update of an edited project starts, also when the templates have
 * changed since. Compressed and in one hidden file, so that no search finds every line twice.
 */
export const BASE_FILE = '.wsgen.base';

const Texts = z.record(z.string(), z.string());

/** Hundreds of kilobytes that no person edits: where they were edited, an update has no base. */
const MADE_BY_MACHINES = ['test/contract.mjs', 'public/client.js'];

/** Of the decompressed texts, whatever a file says. */
const MAX_BYTES = 64 * 1024 * 1024;

/** The text of `.wsgen.base`. */
export function formatBase(files: ReadonlyMap<string, string>): string {
  const texts = [...files].filter(([path]) => !MADE_BY_MACHINES.includes(path));
  const bytes = brotliCompressSync(JSON.stringify(Object.fromEntries(texts)), {
    // The highest quality would take a second to save a tenth.
    params: { [constants.BROTLI_PARAM_QUALITY]: 6 },
  });
  return `${bytes.toString('base64')}\n`;
}

/** The texts in the text of a `.wsgen.base`, by path; none when it is damaged. */
export function parseBase(text: string): Readonly<Record<string, string>> {
  try {
    const bytes = brotliDecompressSync(Buffer.from(text, 'base64'), { maxOutputLength: MAX_BYTES });
    return Texts.parse(JSON.parse(bytes.toString()));
  } catch {
    return {};
  }
}

/** Whether two `.wsgen.base` hold the same texts: versions of Node may compress them differently. */
export function isSameBase(one: string, other: string): boolean {
  return one === other || isDeepStrictEqual(parseBase(one), parseBase(other));
}
