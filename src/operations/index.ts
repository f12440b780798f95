import { autobahnTestOperation } from './conformance/operation.ts';
import { testOperation, validateHandshakeOperation } from './endpoint/operation.ts';
import { generateServerOperation } from './generate/operation.ts';
import { benchmarkOperation } from './load/operation.ts';
import type { Operation } from './operation.ts';

/** Everything the tool can do to a WebSocket system, in the order in which help lists it. */
export const operations: readonly Operation[] = [
  generateServerOperation,
  testOperation,
  autobahnTestOperation,
  benchmarkOperation,
  validateHandshakeOperation,
];
