import { operations } from '../src/operations/index.ts';
import { defineAnyTask, defineTasks } from './define.ts';

export type { ResultOf, TaskOf } from './define.ts';

/** Every operation as a task, by the operation's name: `tasks['generate-server']`. */
export const tasks = defineTasks(operations);

/** One task for every operation: `{ operation: 'test', config: { url: 'ws://localhost:8080' } }`. */
export const websocketTask = defineAnyTask(operations);

/** The tasks under the names of their library functions; their ids are `websocket/<operation>`. */
export const {
  'generate-client': generateClient,
  'generate-server': generateServer,
  test: testEndpoint,
  'autobahn-test': autobahnTest,
  benchmark,
  'validate-handshake': validateHandshake,
  report: reportRun,
} = tasks;

export { customHandlers } from './custom-handlers.ts';
export type { CustomHandlersArgs, CustomHandlersResult } from './custom-handlers.ts';
