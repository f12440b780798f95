import { defineOperation, type OperationContext } from '../core/operation.ts';
import { ResumeInput, RunInput, RunReport, RunTaskInput, RunTaskReport } from './schema.ts';
import { viewRun, viewRunTask } from './view.ts';

// The functions come by dynamic import: they pull in the operations and the babysitter SDK, and
// `websocket-skill --help` must start fast and without that SDK.

async function run(input: RunInput, context: OperationContext): Promise<RunReport> {
  return (await import('./run.ts')).runProcess(input, context);
}

async function resume(input: ResumeInput, context: OperationContext): Promise<RunReport> {
  return (await import('./run.ts')).resumeRun(input, context);
}

async function runTask(input: RunTaskInput, context: OperationContext): Promise<RunTaskReport> {
  return (await import('./run-task.ts')).runTask(input, context);
}

/** `websocket-skill run <process>`. */
export const runOperation = defineOperation({
  name: 'run',
  summary: 'Run a babysitter process to its end, executing the websocket tasks it asks for',
  examples: ['run websocket-server --inputs inputs.json', 'run ./my-process.mjs#process --json'],
  input: RunInput,
  output: RunReport,
  view: viewRun,
  run,
});

/** `websocket-skill resume <run-dir>`. */
export const resumeOperation = defineOperation({
  name: 'resume',
  summary: 'Go on with a babysitter run that waits, was interrupted or was killed',
  examples: ['resume .a5c/runs/01KB7Q9Y4N3D2M8F6T5R1W0XZC'],
  input: ResumeInput,
  output: RunReport,
  view: viewRun,
  run: resume,
});

/** `websocket-skill run-task <run-dir> <effect-id>`. */
export const runTaskOperation = defineOperation({
  name: 'run-task',
  summary: 'Execute one pending websocket task of a babysitter run and post its result',
  examples: ['run-task .a5c/runs/my-run 01KB7Q9Y4N3D2M8F6T5R1W0XZC'],
  input: RunTaskInput,
  output: RunTaskReport,
  view: viewRunTask,
  run: runTask,
});
