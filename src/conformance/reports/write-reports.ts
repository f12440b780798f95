import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { EnvironmentError } from '../../errors.ts';
import type { ConformanceRun } from '../result.ts';
import { renderAutobahnCase } from './autobahn-case.ts';
import { renderAutobahnIndex } from './autobahn-index.ts';
import { CaseFiles } from './case-files.ts';
import type { Comparison } from './compare.ts';
import { renderHtml } from './html.ts';
import { renderJunit } from './junit.ts';
import { renderMarkdown } from './markdown.ts';

/** A file of the report; rendered when it is written, as there may be hundreds. */
interface ReportFile {
  readonly name: string;
  readonly render: () => string;
}

/**
 * Writes every report of `run` into `outputDir` and returns the paths, the page first.
 *
 * Each file is replaced as a whole, so a reader never sees half of one; the files of cases come
 * before those that refer to them. Throws EnvironmentError WSK_ERR_OUTPUT_NOT_WRITABLE.
 */
export async function writeReports(
  run: ConformanceRun,
  outputDir: string,
  comparison?: Comparison,
): Promise<string[]> {
  const files = reportFiles(run, comparison);
  await attempt(outputDir, () => mkdir(outputDir, { recursive: true }));
  for (const { name, render } of [...files].reverse()) {
    const text = render();
    await attempt(outputDir, () => replace(path.join(outputDir, name), text));
  }
  return files.map(({ name }) => path.join(outputDir, name));
}

function reportFiles(run: ConformanceRun, comparison: Comparison | undefined): ReportFile[] {
  const files = new CaseFiles(run);
  return [
    { name: 'index.html', render: () => renderHtml(run, files, comparison) },
    { name: 'summary.md', render: () => renderMarkdown(run, comparison) },
    { name: 'junit.xml', render: () => renderJunit(run) },
    { name: 'index.json', render: () => renderAutobahnIndex(run, files) },
    ...run.agents.flatMap(({ cases }) =>
      cases.map((result) => ({
        name: files.nameOf(result.agent, result.id),
        render: () => renderAutobahnCase(result, run.options.role),
      })),
    ),
  ];
}

/** Replaces `file` by a new one in one step. */
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

async function attempt(outputDir: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    throw new EnvironmentError(
      'WSK_ERR_OUTPUT_NOT_WRITABLE',
      `the report cannot be written to ${outputDir}`,
      { cause, hint: 'choose another folder with --output' },
    );
  }
}
