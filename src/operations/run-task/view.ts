import { errorNotes } from '../../babysitter/view.ts';
import type { View } from '../../core/operation.ts';
import type { RunTaskReport } from './schema.ts';

/** Lays one executed effect out. */
export function viewRunTask(report: RunTaskReport): View {
  return {
    title: `run-task ${report.taskId}`,
    facts: [
      ['run', report.runDir],
      ['effect', report.effectId],
      ['how', report.how],
      ['result', report.resultFile ?? 'not posted, the effect is still pending'],
    ],
    notes: errorNotes(report.error),
  };
}
