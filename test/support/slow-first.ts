import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

/** Files that take half a minute and more, the longest first. */
const SLOW = [
  'templates/contract',
  'templates/own-tests',
  'conformance/verdict-equality',
  'integration/load/accounting',
  'templates/mutants',
  'contract/websocket-server',
  'fuzz/protocol-mutations',
  'contract/kill',
  'integration/operations/benchmark/benchmark',
  'conformance/awkward-servers',
  'integration/bench/servers',
  'integration/load/run/run-load',
  'contract/babysitter-cli',
  'conformance/extended',
  'conformance/real-peers',
  'conformance/extended-real-peers',
  'conformance/generated-servers',
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
