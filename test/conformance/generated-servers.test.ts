import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateServer } from '../../src/operations/generate-server/generate-server.ts';
import { GenerateServerInput } from '../../src/operations/generate-server/schema.ts';
import { runSuite } from '../support/autobahn-suite.ts';
import { operationContext } from '../support/operation-context.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** Generates a server; the name of a single file makes a single file. */
async function generate(type: 'echo' | 'chat', name: string): Promise<string> {
  const output = path.join(temporaryFolder(), name);
  await generateServer(GenerateServerInput.parse({ type, output }), operationContext());
  return output;
}

const ids = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);

describe('a generated echo server', () => {
  it('has no fault in any of the 517 cases', async () => {
    const project = await generate('echo', 'echo-server.js');
    const { report, verdicts } = await runSuite({ project, quick: true });
    expect(Object.keys(verdicts)).toHaveLength(517);
    expect(ids(report.cases.filter(({ verdict }) => verdict === 'fail'))).toEqual([]);
    expect(report.success).toBe(true);
    expect(ids(report.cases.filter(({ verdict }) => verdict === 'unimplemented'))).toEqual([]);
    expect(ids(report.cases.filter(({ verdict }) => verdict === 'non-strict'))).toEqual([]);
  });

  it('has none as a project either, and gives its name to the reports', async () => {
    const project = await generate('echo', 'my-echo');
    const { report } = await runSuite({ project, agent: undefined, exclude: ['12.*', '13.*'] });
    expect(ids(report.cases.filter(({ verdict }) => verdict === 'fail'))).toEqual([]);
    expect(report).toMatchObject({ success: true, selected: 301, agents: ['my-echo'] });
  });

  it('has no fault in the extended cases but those of its library', async () => {
    const project = await generate('echo', 'echo-server.js');
    const { report } = await runSuite({ project, extended: true, cases: ['x.*'] });
    expect(ids(report.cases.filter(({ verdict }) => verdict === 'fail'))).toEqual([]);
  });
});

it('refuses a project that does not echo before it is started', async () => {
  const project = await generate('chat', 'chat-server');
  await expect(runSuite({ project })).rejects.toThrow(/its server does not echo/);
});
