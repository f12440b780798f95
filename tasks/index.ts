import { operations } from '../src/operations/index.ts';
import { defineTasks } from './define.ts';

export type { ResultOf, TaskOf } from './define.ts';

/** Every operation as a task, by the operation's name: `tasks['generate-server']`. */
export const tasks = defineTasks(operations);

/** The tasks under the names of their library functions; their ids are `websocket/<operation>`. */
export const {
  'generate-server': generateServer,
  test: testEndpoint,
  'autobahn-test': autobahnTest,
  benchmark,
  'validate-handshake': validateHandshake,
} = tasks;

export { customHandlers } from './custom-handlers.ts';
export type { CustomHandlersArgs, CustomHandlersResult } from './custom-handlers.ts';
