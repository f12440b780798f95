import { defineRegistry } from '../core/operation.ts';

/** Every operation that is also a babysitter task, in the order in which help lists it. */
export const operations = defineRegistry({
  'generate-server': {
    summary: 'Generate a WebSocket server as one file or as a project',
    load: () => import('./generate-server/operation.ts'),
  },
  test: {
    summary: 'Check one WebSocket server end to end and measure its latency',
    load: () => import('./test/operation.ts'),
  },
  'autobahn-test': {
    summary: "Run Autobahn's 517 conformance cases against a server or against clients",
    load: () => import('./autobahn-test/operation.ts'),
  },
  benchmark: {
    summary: 'Load-test a server; report latency, throughput and errors',
    load: () => import('./benchmark/operation.ts'),
  },
  'validate-handshake': {
    summary: 'Check a server, or captured heads, against every rule of the opening handshake',
    load: () => import('./validate-handshake/operation.ts'),
  },
});
