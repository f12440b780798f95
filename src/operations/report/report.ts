import { basename, dirname, resolve } from 'node:path';
import { openRun } from '../../babysitter/run-folder.ts';
import { loadRunnerSdk } from '../../babysitter/sdk.ts';
import type { OperationContext } from '../../core/operation.ts';
import { writeReportFiles } from '../../report/files.ts';
import { renderRunPage } from './page.ts';
import { readName, readSteps, verdictOf } from './read-run.ts';
import type { ReportInput, RunPageReport } from './schema.ts';

/**
 * Writes one HTML page about a babysitter run: what was built, every verdict, the figures.
 *
 * @throws UsageError WSK_ERR_NOT_A_RUN, EnvironmentError WSK_ERR_SDK_MISSING, WSK_ERR_RUN_FAILED for a
 * damaged run, WSK_ERR_OUTPUT_NOT_WRITABLE
 */
export async function reportRun(
  input: ReportInput,
  context: OperationContext,
): Promise<RunPageReport> {
  const { cwd, signal } = context;
  const run = await openRun(loadRunnerSdk(cwd), resolve(cwd, input.run), cwd);
  const steps = await readSteps(run);
  const page = resolve(cwd, input.output);
  const name = await readName(run);
  const isInterrupted = signal.aborted;
  if (!isInterrupted) {
    const render = (): string => renderRunPage({ run, name, steps, folder: dirname(page) });
    await writeReportFiles(dirname(page), [{ name: basename(page), render }]);
  }
  return {
    operation: 'report',
    status: isInterrupted ? 'interrupted' : 'passed',
    success: !isInterrupted,
    run: run.dir,
    process: run.processId,
    verdict: verdictOf(steps),
    steps: steps.map(({ taskId: task, title, verdict, detail }) => ({
      ...{ task, title, verdict, detail },
    })),
    page,
  };
}
