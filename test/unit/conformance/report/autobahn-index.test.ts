import { expect, it } from 'vitest';
import { renderAutobahnIndex } from '../../../../src/conformance/report/autobahn-index.ts';
import { CaseFiles } from '../../../../src/conformance/report/case-files.ts';
import { caseResult, knownVerdicts, resultsOf, runOf } from '../../../support/conformance-run.ts';

it('is the index.json that Autobahn writes, byte by byte', () => {
  const results = [
    caseResult({ id: '1.1.1', agent: 'ws-plain', durationMs: 6.4 }),
    caseResult({
      id: '10.1.1',
      agent: 'ws-plain',
      behavior: 'FAILED',
      behaviorClose: 'FAILED',
      durationMs: 0,
      close: { ...caseResult({ id: '1.1.1' }).close, remoteCloseCode: null },
    }),
  ];
  const run = runOf(results);
  expect(renderAutobahnIndex(run, new CaseFiles(run))).toBe(`{
   "ws-plain": {
      "1.1.1": {
         "behavior": "OK",
         "behaviorClose": "OK",
         "duration": 6,
         "remoteCloseCode": 1000,
         "reportfile": "ws_plain_case_1_1_1.json"
      },
      "10.1.1": {
         "behavior": "FAILED",
         "behaviorClose": "FAILED",
         "duration": 0,
         "remoteCloseCode": null,
         "reportfile": "ws_plain_case_10_1_1.json"
      }
   }
}`);
});

it('holds all cases of all agents under their names, whatever these are', () => {
  const { whole } = knownVerdicts();
  const hostile = JSON.parse('{"__proto__":{"1.1.1":["OK","OK",1000,1]}}') as typeof whole;
  const run = runOf(resultsOf({ ...whole, ...Object.fromEntries(Object.entries(hostile)) }));
  const index = JSON.parse(renderAutobahnIndex(run, new CaseFiles(run))) as Record<string, object>;
  expect(Object.entries(index).map(([agent, cases]) => [agent, Object.keys(cases).length])).toEqual(
    [
      ['__proto__', 1],
      ['ws-plain', 517],
      ['ws-pmd', 517],
    ],
  );
});
