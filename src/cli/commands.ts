import { resumeOperation, runOperation, runTaskOperation } from '../babysitter/operation.ts';
import { configOperation } from '../config/operation.ts';
import { benchmarkWorkerOperation } from '../load/distributed/operation.ts';
import type { Operation } from '../operation.ts';
import { operations } from '../operations.ts';

/** Everything that can be typed: the operations, then the tools around them that are no tasks. */
export const commands: readonly Operation[] = [
  ...operations,
  runOperation,
  resumeOperation,
  runTaskOperation,
  configOperation,
  benchmarkWorkerOperation,
];
