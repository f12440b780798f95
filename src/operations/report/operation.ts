import { defineOperation } from '../../core/operation.ts';
import { reportRun } from './report.ts';
import { ReportInput, RunPageReport } from './schema.ts';
import { viewReport } from './view.ts';

/** `websocket-skill report --run <folder>`. */
export const operation = defineOperation({
  examples: ['report --run .a5c/runs/my-run --output run-report.html'],
  input: ReportInput,
  output: RunPageReport,
  view: viewReport,
  run: reportRun,
});
