import { defineOperation } from '../../core/operation.ts';
import { runTask } from './run-task.ts';
import { RunTaskInput, RunTaskReport } from './schema.ts';
import { viewRunTask } from './view.ts';

/** `websocket-skill run-task <run-dir> <effect-id>`. */
export const operation = defineOperation({
  examples: ['run-task .a5c/runs/my-run 01KB7Q9Y4N3D2M8F6T5R1W0XZC'],
  input: RunTaskInput,
  output: RunTaskReport,
  view: viewRunTask,
  run: runTask,
});
