import { BaseSequencer } from 'vitest/node';
import type { TestSpecification } from 'vitest/node';

/** Files that take half a minute and more, the longest first. */
const SLOW = [
  'conformance/verdict-equality',
  'conformance/real-peers',
  'conformance/extended-real-peers',
  'conformance/awkward-servers',
  'conformance/generated-servers',
  'integration/load-accounting',
  'templates/contract',
  'templates/mutants',
  'contract/websocket-server',
  'conformance/extended',
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
