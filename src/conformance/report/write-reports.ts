import { writeReportFiles } from '../../report/files.ts';
import type { ReportFile } from '../../report/files.ts';
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
export function writeReports(
  run: ConformanceRun,
  outputDir: string,
  comparison?: Comparison,
): Promise<string[]> {
  return writeReportFiles(outputDir, reportFiles(run, comparison));
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
