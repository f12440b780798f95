import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { UsageError } from './errors.ts';

/** The bytes of an input file; throws `UsageError` WSK_ERR_FILE_NOT_READABLE, which names `flag`. */
export async function readInputFile(
  file: string,
  { cwd, flag, hint }: { cwd: string; flag: string; hint?: string },
): Promise<Buffer> {
  try {
    return await readFile(resolve(cwd, file));
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason';
    throw new UsageError(
      'WSK_ERR_FILE_NOT_READABLE',
      `${flag} is ${JSON.stringify(file)}, which cannot be read (${reason})`,
      { cause, ...(hint !== undefined && { hint }) },
    );
  }
}
