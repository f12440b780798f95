export { resumeRun, runProcess } from './babysitter/run.ts';
export { runTask } from './babysitter/run-task.ts';
export { autobahnTest } from './operations/autobahn-test/autobahn-test.ts';
export { loadSettings, Settings, type LoadedSettings } from './config/index.ts';
export { testEndpoint } from './operations/test/test-endpoint.ts';
export { validateHandshake } from './operations/validate-handshake/validate-handshake.ts';
export { EnvironmentError, ERRORS, UsageError, type ErrorCode } from './core/errors.ts';
export { generateServer } from './operations/generate-server/generate-server.ts';
export { benchmark } from './operations/benchmark/benchmark.ts';
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
