import { constants } from 'node:fs';
import { access, readFile, rename, rm, writeFile } from 'node:fs/promises';

/** Whether `error` says that a file does not exist. */
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

/** A file of a run folder that holds something else than what is written there. */
export class DamagedFile extends Error {}

/** Reads a JSON file; undefined when it does not exist. @throws DamagedFile for what is no JSON */
export async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof SyntaxError) {
      throw new DamagedFile(`${file} is not JSON: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** As the flag `w`, but not through a symbolic link. */
const OVERWRITE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;

/**
 * Writes a JSON file atomically, for one writer at a time.
 *
 * The temporary name is fixed, so that the next attempt overwrites what a kill left.
 */
export async function writeJson(file: string, value: unknown): Promise<void> {
  const temporary = `${file}.tmp`;
  try {
    await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`, { flag: OVERWRITE });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
