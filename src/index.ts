import { toFunction } from './core/derive/function.ts';

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
export type { LibraryFunction } from './core/derive/function.ts';
export { Settings } from './core/settings.ts';
export { VERSION } from './core/version.ts';

/* The operations as functions: `await testEndpoint({ url })`. */
export const autobahnTest = toFunction(() => import('./operations/autobahn-test/operation.ts'));
export const benchmark = toFunction(() => import('./operations/benchmark/operation.ts'));
export const generateClient = toFunction(() => import('./operations/generate-client/operation.ts'));
export const generateServer = toFunction(() => import('./operations/generate-server/operation.ts'));
export const reportRun = toFunction(() => import('./operations/report/operation.ts'));
export const resumeRun = toFunction(() => import('./operations/resume/operation.ts'));
export const runProcess = toFunction(() => import('./operations/run/operation.ts'));
export const runTask = toFunction(() => import('./operations/run-task/operation.ts'));
export const testEndpoint = toFunction(() => import('./operations/test/operation.ts'));
export const validateHandshake = toFunction(
  () => import('./operations/validate-handshake/operation.ts'),
);
