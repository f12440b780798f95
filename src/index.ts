export { resumeRun, runProcess } from './babysitter/run.ts';
export { runTask } from './babysitter/run-task.ts';
export { autobahnTest } from './operations/autobahn-test/index.ts';
export { loadSettings, Settings, type LoadedSettings } from './config/index.ts';
export { testEndpoint, validateHandshake } from './operations/test/index.ts';
export { EnvironmentError, ERRORS, UsageError, type ErrorCode } from './core/errors.ts';
export { generateServer } from './operations/generate-server/index.ts';
export { benchmark } from './operations/benchmark/index.ts';
export type {
  Operation,
  OperationContext,
  Progress,
  ProgressPart,
  Report,
  Status,
  View,
} from './core/operation.ts';
export { VERSION } from './core/version.ts';
