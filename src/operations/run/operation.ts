import { RunReport } from '../../babysitter/schema.ts';
import { viewRun } from '../../babysitter/view.ts';
import { defineOperation } from '../../core/operation.ts';
import { runProcess } from './run.ts';
import { RunInput } from './schema.ts';

/** `websocket-skill run <process>`. */
export const operation = defineOperation({
  examples: ['run websocket-server --inputs inputs.json', 'run ./my-process.mjs#process --json'],
  input: RunInput,
  output: RunReport,
  view: viewRun,
  run: runProcess,
});
