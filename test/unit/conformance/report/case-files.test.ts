import { expect, it } from 'vitest';
import { CaseFiles } from '../../../../src/conformance/report/case-files.ts';
import { caseResult, runOf } from '../../../support/conformance-run.ts';

function filesOf(...agents: string[]): CaseFiles {
  return new CaseFiles(runOf(agents.map((agent) => caseResult({ id: '1.1.1', agent }))));
}

it('names files as Autobahn does', () => {
  expect(filesOf('ws-plain').nameOf('ws-plain', '1.1.1')).toBe('ws_plain_case_1_1_1.json');
  expect(filesOf(' Go (x/net)').nameOf(' Go (x/net)', '9.3.1')).toBe('go__x_net_case_9_3_1.json');
});

it('lets no agent choose a folder or the length of a name', () => {
  expect(filesOf('../../etc/passwd').nameOf('../../etc/passwd', '1.1.1')).toBe(
    'etc_passwd_case_1_1_1.json',
  );
  const long = 'a'.repeat(5000);
  expect(filesOf(long).nameOf(long, '1.1.1').length).toBeLessThan(130);
});

it('keeps agents apart whose names come to the same file', () => {
  const files = filesOf('ws 1', 'ws-1', 'WS.1');
  expect(['ws 1', 'ws-1', 'WS.1'].map((agent) => files.nameOf(agent, '2.1'))).toEqual([
    'ws_1_case_2_1.json',
    'ws_1_2_case_2_1.json',
    'ws_1_3_case_2_1.json',
  ]);
});
