import path from 'node:path';
import { expect, it } from 'vitest';
import { generateServer } from '../../src/generate/index.ts';
import { GenerateServerInput } from '../../src/generate/schema.ts';
import { runSuite } from '../support/conformance-peers.ts';
import { operationContext } from '../support/operation-context.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

it('finds no fault with a generated echo server in any of the 517 cases', async () => {
  const output = path.join(temporaryFolder(), 'echo-server.js');
  await generateServer(GenerateServerInput.parse({ type: 'echo', output }), operationContext());
  const { report, verdicts } = await runSuite({ project: output, quick: true });
  expect(Object.keys(verdicts)).toHaveLength(517);
  expect(report.cases.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
  expect(report.success).toBe(true);
  const lax = report.cases.filter(({ verdict }) => verdict === 'non-strict').map(({ id }) => id);
  // The library sees UTF-8 when a message is complete.
  expect(lax.filter((id) => !id.startsWith('6.4.'))).toEqual([]);
});
