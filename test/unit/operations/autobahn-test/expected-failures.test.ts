import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  readExpectedFailures,
  weighExpectations,
} from '../../../../src/operations/autobahn-test/expected-failures.ts';
import { caseResult } from '../../../support/conformance-run.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

function read(text: string): ReturnType<typeof readExpectedFailures> {
  const folder = temporaryFolder();
  writeFileSync(path.join(folder, 'expected.yaml'), text);
  return readExpectedFailures('expected.yaml', folder);
}

describe('the file', () => {
  it('holds rows of case, agent and reason, and 2.10 is not the number 2.1', async () => {
    await expect(
      read(
        '- case: 2.10\n  reason: answers the last ping alone\n- { case: 6.4.1, agent: ws, reason: late }\n',
      ),
    ).resolves.toEqual([
      { case: '2.10', reason: 'answers the last ping alone' },
      { case: '6.4.1', agent: 'ws', reason: 'late' },
    ]);
  });

  it('may be empty', async () => {
    await expect(read('')).resolves.toEqual([]);
  });

  it.each([
    ['- case: 1.1.1\n  reason: x\n- case: "1.1.2"\n', '3:3: reason is missing'],
    ['case: 1.1.1\n', '1:1: {"case":"1.1.1"}: expected a list of rows, each begun by "- case:"'],
    ['- 1.1.1\n', '1:3: "1.1.1": expected a row such as { case: "6.4.1", reason: why it fails'],
    ['- { case: 1.1.1, reason: x, why: y }\n', '1:29: unknown key "why"'],
    ['- case: 1.1.1\n  reason: [x]\n', '2:11: reason is ["x"]: expected text'],
    ['- case: 1\n  reason: "x\n', '3:1: missing closing "quote'],
    ['- [', '1:4: '],
  ])('is refused if it is %j, with the line and what is expected', async (text, message) => {
    await expect(read(text)).rejects.toMatchObject({
      code: 'WSK_ERR_INVALID_INPUT',
      message: expect.stringContaining(`expected.yaml:${message}`) as string,
    });
  });

  it('has to be there', async () => {
    await expect(readExpectedFailures('nowhere.yaml', temporaryFolder())).rejects.toMatchObject({
      code: 'WSK_ERR_FILE_NOT_READABLE',
    });
  });
});

it('weighs each row: still failing, stale, or not run', () => {
  const agents = [
    {
      agent: 'ws',
      cases: [caseResult({ id: '9.3.1', behavior: 'FAILED' }), caseResult({ id: '1.1.1' })],
    },
  ];
  const rows = [
    { case: '9.3.1', reason: 'limit of fragments' },
    { case: '1.1.1', agent: 'ws', reason: 'fixed long ago' },
    { case: '9.3.1', agent: 'other', reason: 'another agent' },
    { case: '5.1', reason: 'not selected' },
  ];
  expect(weighExpectations(rows, agents, 'failed').map(({ outcome }) => outcome)).toEqual([
    'failed as expected',
    'stale',
    'unused',
    'unused',
  ]);
});
