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
  const files = new CaseFiles(run);
  try {
    await mkdir(outputDir, { recursive: true });
    const cases: string[] = [];
    for (const result of run.agents.flatMap((agent) => agent.cases)) {
      const name = files.nameOf(result.agent, result.id);
      cases.push(await replace(outputDir, name, renderAutobahnCase(result, run.options.role)));
    }
    return [
      await replace(outputDir, 'index.html', renderHtml(run, files, comparison)),
      await replace(outputDir, 'summary.md', renderMarkdown(run, comparison)),
      await replace(outputDir, 'junit.xml', renderJunit(run)),
      await replace(outputDir, 'index.json', renderAutobahnIndex(run, files)),
      ...cases,
    ];
  } catch (cause) {
    throw new EnvironmentError(
      'WSK_ERR_OUTPUT_NOT_WRITABLE',
      `the report cannot be written to ${outputDir}`,
      { cause, hint: 'choose another folder with --output' },
    );
  }
}

async function replace(folder: string, name: string, text: string): Promise<string> {
  const file = path.join(folder, name);
  const temporary = path.join(folder, `.${randomUUID()}.tmp`);
  try {
    await writeFile(temporary, text);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return file;
}
