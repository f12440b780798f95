export { loadSettings, type LoadedSettings } from './config/index.ts';
export { EnvironmentError, ERRORS, UsageError, type ErrorCode } from './core/errors.ts';
export type {
  Operation,
  OperationContext,
  OperationEntry,
  Progress,
  ProgressPart,
  Report,
  Status,
  View,
} from './core/operation.ts';
export { Settings } from './core/settings.ts';
export { VERSION } from './core/version.ts';
export { autobahnTest } from './operations/autobahn-test/autobahn-test.ts';
export { benchmark } from './operations/benchmark/benchmark.ts';
export { generateServer } from './operations/generate-server/generate-server.ts';
export { resumeRun } from './operations/resume/resume.ts';
export { runProcess } from './operations/run/run.ts';
export { runTask } from './operations/run-task/run-task.ts';
export { testEndpoint } from './operations/test/test.ts';
export { validateHandshake } from './operations/validate-handshake/validate-handshake.ts';
