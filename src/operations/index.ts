import { autobahnTestOperation } from './autobahn-test/operation.ts';
import { testOperation } from './test/operation.ts';
import { validateHandshakeOperation } from './validate-handshake/operation.ts';
import { generateServerOperation } from './generate-server/operation.ts';
import { benchmarkOperation } from './benchmark/operation.ts';
import type { Operation } from '../core/operation.ts';

/** Everything the tool can do to a WebSocket system, in the order in which help lists it. */
export const operations: readonly Operation[] = [
  generateServerOperation,
  testOperation,
  autobahnTestOperation,
  benchmarkOperation,
  validateHandshakeOperation,
];
