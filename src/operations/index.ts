import { defineRegistry } from '../core/operation.ts';

/** Every operation that is also a babysitter task, in the order in which help lists it. */
export const operations = defineRegistry({
  'generate-server': {
    summary: 'Generate a WebSocket server as one file or as a project',
    load: () => import('./generate-server/operation.ts'),
  },
  'generate-client': {
    summary:
      'Generate a client of a chat, pubsub, live-updates, collab or rpc server, as one file or a package',
    load: () => import('./generate-client/operation.ts'),
  },
  test: {
    summary: 'Test a WebSocket server: protocol checks and latency',
    load: () => import('./test/operation.ts'),
  },
  'autobahn-test': {
    summary: 'Run the 517 conformance cases of the Autobahn testsuite against a server or a client',
    load: () => import('./autobahn-test/operation.ts'),
  },
  benchmark: {
    summary: 'Load-test a server; report latency, throughput and errors',
    load: () => import('./benchmark/operation.ts'),
  },
  'validate-handshake': {
    summary:
      'Check the opening handshake of a server, or a saved request and response, rule by rule',
    load: () => import('./validate-handshake/operation.ts'),
  },
  report: {
    summary: 'Write one HTML page about a babysitter run: what was built, verdicts, figures',
    load: () => import('./report/operation.ts'),
  },
});
