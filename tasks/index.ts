import { autobahnTestOperation } from '../src/operations/autobahn-test/operation.ts';
import { testOperation } from '../src/operations/test/operation.ts';
import { validateHandshakeOperation } from '../src/operations/validate-handshake/operation.ts';
import { generateServerOperation } from '../src/operations/generate-server/operation.ts';
import { benchmarkOperation } from '../src/operations/benchmark/operation.ts';
import { operations } from '../src/operations/index.ts';
import { defineOperationTask } from './define.ts';

export type { ResultOf, TaskOf } from './define.ts';

/** Every operation as a task, by the operation's name: `tasks['generate-server']`. */
export const tasks = Object.fromEntries(
  operations.map((operation) => [operation.name, defineOperationTask(operation)]),
);

/** `websocket/generate-server`. */
export const generateServer = defineOperationTask(generateServerOperation);

/** `websocket/test`; named as its library function, since `test` says too little in an import. */
export const testEndpoint = defineOperationTask(testOperation);

/** `websocket/autobahn-test`. */
export const autobahnTest = defineOperationTask(autobahnTestOperation);

/** `websocket/benchmark`. */
export const benchmark = defineOperationTask(benchmarkOperation);

/** `websocket/validate-handshake`. */
export const validateHandshake = defineOperationTask(validateHandshakeOperation);

export { customHandlers } from './custom-handlers.ts';
export type { CustomHandlersArgs, CustomHandlersResult } from './custom-handlers.ts';
