import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';

/** Whether `error` is the file system's word for "no such file". */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** Whether there is such a file or folder. */
export async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Reads and parses a JSON file; undefined when there is none, a SyntaxError when it is no JSON. */
export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * Writes a JSON file so that a reader, or a kill in between, sees all of it or nothing of it.
 *
 * The temporary name is fixed: the next attempt writes over what a kill left. One writer at a time.
 */
export async function writeJson(file: string, value: unknown): Promise<void> {
  const temporary = `${file}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
