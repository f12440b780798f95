import { RunReport } from '../../babysitter/schema.ts';
import { viewRun } from '../../babysitter/view.ts';
import { defineOperation } from '../../core/operation.ts';
import { resumeRun } from './resume.ts';
import { ResumeInput } from './schema.ts';

/** `websocket-skill resume <run-dir>`. */
export const operation = defineOperation({
  examples: ['resume .a5c/runs/01KB7Q9Y4N3D2M8F6T5R1W0XZC'],
  input: ResumeInput,
  output: RunReport,
  view: viewRun,
  run: resumeRun,
});
