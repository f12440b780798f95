export { resumeRun, runProcess } from './run.ts';
export { runTask } from './run-task.ts';
export {
  ExecutedEffect,
  PendingEffect,
  ReportedError,
  ResumeInput,
  RunInput,
  RunReport,
  RunTaskInput,
  RunTaskReport,
} from './schema.ts';
