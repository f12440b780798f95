import { resumeOperation, runOperation, runTaskOperation } from '../babysitter/operation.ts';
import { configOperation } from '../operations/config/operation.ts';
import { benchmarkWorkerOperation } from '../operations/benchmark-worker/operation.ts';
import type { Operation } from '../core/operation.ts';
import { operations } from '../operations/index.ts';

/** Everything that can be typed: the operations, then the tools around them that are no tasks. */
export const commands: readonly Operation[] = [
  ...operations,
  runOperation,
  resumeOperation,
  runTaskOperation,
  configOperation,
  benchmarkWorkerOperation,
];
