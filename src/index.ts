export { resumeRun, runProcess } from './babysitter/run.ts';
export { runTask } from './babysitter/run-task.ts';
export { autobahnTest } from './conformance/index.ts';
export { loadSettings, Settings, type LoadedSettings } from './config/index.ts';
export { testEndpoint, validateHandshake } from './endpoint/index.ts';
export { EnvironmentError, ERRORS, UsageError, type ErrorCode } from './errors.ts';
export { generateServer } from './generate/index.ts';
export { benchmark } from './load/index.ts';
export type {
  Operation,
  OperationContext,
  Progress,
  ProgressPart,
  Report,
  Status,
  View,
} from './operation.ts';
export { VERSION } from './version.ts';
