import { defineRegistry, type OperationEntry } from '../core/operation.ts';
import { operations } from '../operations/index.ts';

/** Everything that can be typed: the operations, then commands that are no babysitter tasks. */
export const commands: readonly OperationEntry[] = Object.values({
  ...operations,
  ...defineRegistry({
    run: {
      summary: 'Run a babysitter process and execute its websocket tasks',
      load: () => import('../operations/run/operation.ts'),
    },
    resume: {
      summary: 'Resume a waiting, interrupted or killed babysitter run',
      load: () => import('../operations/resume/operation.ts'),
    },
    'run-task': {
      summary: 'Execute one pending websocket task of a babysitter run and post its result',
      load: () => import('../operations/run-task/operation.ts'),
    },
    config: {
      summary: 'Print each setting and where its value comes from',
      load: () => import('../operations/config/operation.ts'),
    },
    'benchmark-worker': {
      summary: 'Send a part of the load of benchmark --distributed from this machine',
      load: () => import('../operations/benchmark-worker/operation.ts'),
    },
    'mcp-bridge': {
      summary: 'Serve an MCP server on stdio over WebSocket, or the other way round',
      load: () => import('../operations/mcp-bridge/operation.ts'),
    },
  }),
});
