import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import {
  compareRuns,
  comparisonLines,
  readOtherIndex,
  summarizeComparison,
  type Behaviors,
  type OtherIndex,
} from '../../../../src/conformance/report/compare.ts';
import type { CaseResult } from '../../../../src/conformance/result.ts';
import { caseResult, runOf } from '../../../support/conformance-run.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const OK: Behaviors = { behavior: 'OK', behaviorClose: 'OK' };
const FAILED: Behaviors = { behavior: 'FAILED', behaviorClose: 'FAILED' };
const UNCLEAN: Behaviors = { behavior: 'OK', behaviorClose: 'UNCLEAN' };

function other(agents: Record<string, Record<string, Behaviors>>): OtherIndex {
  return {
    file: 'before/index.json',
    agents: new Map(
      Object.entries(agents).map(([agent, cases]) => [agent, new Map(Object.entries(cases))]),
    ),
  };
}

function runWith(agent: string, cases: Record<string, Behaviors>): CaseResult[] {
  return Object.entries(cases).map(([id, judged]) => caseResult({ id, agent, ...judged }));
}

it('tells better from worse, case by case and in their order', () => {
  const now = runOf(
    runWith('ws', { '2.10': OK, '2.9': FAILED, '3.1': OK, '4.1.1': FAILED, '5.1': OK }),
  );
  const comparison = compareRuns(
    now,
    other({ ws: { '2.9': OK, '2.10': FAILED, '3.1': OK, '4.1.1': UNCLEAN, '7.1.1': OK } }),
  );
  expect(comparison.changes.map(({ id, direction }) => `${id} ${direction}`)).toEqual([
    '2.9 worse',
    '2.10 better',
    '4.1.1 worse',
  ]);
  expect(summarizeComparison(comparison)).toBe(
    '1 better, 2 worse, 1 as before, 1 only in this run, 1 only in the other',
  );
});

it('calls a fault of the same weight another one, and not better or worse', () => {
  const failedClose = { behavior: 'OK', behaviorClose: 'FAILED' } as const;
  const { changes } = compareRuns(
    runOf(runWith('ws', { '1.1.1': UNCLEAN })),
    other({ ws: { '1.1.1': failedClose } }),
  );
  expect(changes[0]?.direction).toBe('changed');
});

it('holds single agents against each other whatever their names', () => {
  const comparison = compareRuns(
    runOf(runWith('ws/8.1', { '1.1.1': FAILED })),
    other({ 'ws/8.0': { '1.1.1': OK } }),
  );
  expect(comparison.pairs).toEqual([{ agent: 'ws/8.1', other: 'ws/8.0' }]);
  expect(comparisonLines(comparison)).toEqual([
    'compared with before/index.json: 0 better, 1 worse, 0 as before',
    'worse: 1.1.1 OK -> FAILED',
  ]);
});

it('pairs several agents by name and counts the rest', () => {
  const now = runOf([...runWith('a', { '1.1.1': OK }), ...runWith('b', { '1.1.1': OK })]);
  const comparison = compareRuns(now, other({ b: { '1.1.1': OK }, c: { '1.1.1': OK } }));
  expect(comparison.pairs).toEqual([{ agent: 'b', other: 'b' }]);
  expect(comparison.unpaired).toEqual(['a', 'c']);
});

it('lists what is worse first, and counts what does not fit', () => {
  const ids = Array.from({ length: 12 }, (_, index) => `1.1.${index}`);
  const all = (judged: Behaviors) => Object.fromEntries(ids.map((id) => [id, judged]));
  const comparison = compareRuns(
    runOf(runWith('ws', { ...all(OK), '9.9': FAILED })),
    other({ ws: { ...all(FAILED), '9.9': OK } }),
  );
  const lines = comparisonLines(comparison, 3);
  expect(lines[1]).toBe('worse: 9.9 OK -> FAILED');
  expect(lines.at(-1)).toBe('and 10 more changes');
});

it('reads the file that Autobahn writes, also with keys of its own', async () => {
  const folder = temporaryFolder();
  const entry = { ...OK, duration: 2, remoteCloseCode: 1000, reportfile: 'x.json' };
  writeFileSync(path.join(folder, 'index.json'), JSON.stringify({ ws: { '1.1.1': entry } }));
  const { file, agents } = await readOtherIndex('index.json', folder);
  expect(file).toBe('index.json');
  expect(agents.get('ws')?.get('1.1.1')).toEqual(OK);
});

it.each([
  ['no file', undefined, 'WSK_ERR_FILE_NOT_READABLE'],
  ['no JSON', 'nothing', 'WSK_ERR_INVALID_INPUT'],
  ['a list', '[]', 'WSK_ERR_INVALID_INPUT'],
  ['other JSON', '{"name":"x"}', 'WSK_ERR_INVALID_INPUT'],
  ['unknown verdicts', '{"a":{"1.1.1":{"behavior":"GOOD"}}}', 'WSK_ERR_INVALID_INPUT'],
])('refuses %s', async (_, text, code) => {
  const folder = temporaryFolder();
  if (text !== undefined) writeFileSync(path.join(folder, 'index.json'), text);
  await expect(readOtherIndex('index.json', folder)).rejects.toMatchObject({
    name: 'UsageError',
    code,
  });
});
