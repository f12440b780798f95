import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

/** Files that take half a minute and more, the longest first. */
const SLOW = [
  'templates/own-tests',
  'templates/contract',
  'templates/python',
  'templates/go-realtime',
  'templates/mutants',
  'templates/go-chat',
  'templates/combinations',
  'templates/go',
  'templates/go-client',
  'templates/python-client',
  'integration/operations/benchmark/benchmark',
  'contract/kill',
  'contract/websocket-server',
  'integration/operations/validate-handshake/probes',
  'templates/update',
  'contract/babysitter-cli',
  'conformance/real-peers',
  'conformance/verdict-equality',
  'integration/load/accounting',
  'templates/redis',
  'templates/page',
  'contract/demo',
  'fuzz/protocol-mutations',
  'templates/client',
  'integration/bench/servers',
  'templates/end-to-end',
  'templates/contract-rows',
  'integration/bench/chaos',
  'conformance/awkward-servers',
  'integration/contract/client/generated-clients',
  'integration/load/report/page',
  'integration/operations/benchmark/exit-codes',
  'templates/go-redis',
  'integration/load/run/run-load',
  'conformance/extended',
  'integration/load/distributed/ends',
  'templates/graphql',
  'templates/python-mutants',
  'integration/load/scenario/json-rpc',
  'conformance/generated-servers',
  'integration/operations/test/client',
].map((name) => `/test/${name}.test.ts`);

/** Starts the slow files first, so that all workers end at about the same time. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = SLOW.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? SLOW.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
