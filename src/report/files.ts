import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentError } from '../core/errors.ts';
import { makeFolder } from '../core/make-folder.ts';
import { redact } from '../core/redact.ts';

/** One file of a report, rendered just before it is written, so that only one is in memory. */
export interface ReportFile {
  readonly name: string;
  readonly render: () => string;
}

/**
 * Writes the files of a report into `folder`, which is created if it is missing. The first file comes
 * last, so that all files it refers to exist. Each file is replaced atomically, with secrets masked.
 *
 * Returns their paths in the order of `files`; throws `EnvironmentError` WSK_ERR_OUTPUT_NOT_WRITABLE.
 */
export async function writeReportFiles(
  folder: string,
  files: readonly ReportFile[],
): Promise<string[]> {
  await attempt(folder, () => Promise.resolve().then(() => makeFolder(folder)));
  for (const { name, render } of [...files].reverse()) {
    const text = redact(render());
    await attempt(folder, () => replace(path.join(folder, name), text));
  }
  return files.map(({ name }) => path.join(folder, name));
}

/** Replaces `file` atomically. */
async function replace(file: string, text: string): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, text);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function attempt(folder: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    throw new EnvironmentError(
      'WSK_ERR_OUTPUT_NOT_WRITABLE',
      `the report cannot be written to ${folder}`,
      { cause, hint: 'choose another folder with --output' },
    );
  }
}
