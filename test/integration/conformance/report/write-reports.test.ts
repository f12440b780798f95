import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import {
  compareRuns,
  readOtherIndex,
  writeReports,
} from '../../../../src/conformance/report/index.ts';
import type { ConformanceRun } from '../../../../src/conformance/result.ts';
import { knownVerdicts, resultsOf, runOf } from '../../../support/conformance-run.ts';
import { sampleFailures } from '../../../support/conformance-samples.ts';
import { runWithInjection } from '../../../support/malformed-input.ts';
import { installDebian, program, requirement } from '../../../support/requirement.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

it('writes the page, the summary, JUnit, the index and a file for each case, and nothing else', async () => {
  const folder = path.join(temporaryFolder(), 'deep', 'autobahn-report');
  const written = await writeReports(runOf(sampleFailures()), folder);
  expect(written.map((file) => path.basename(file))).toEqual([
    'index.html',
    'summary.md',
    'junit.xml',
    'index.json',
    'peer_case_1_1_2.json',
    'peer_case_1_2_2.json',
    'peer_case_2_1.json',
    'peer_case_3_1.json',
    'peer_case_6_3_1.json',
    'peer_case_6_4_3.json',
  ]);
  expect(readdirSync(folder).sort()).toEqual(written.map((file) => path.basename(file)).sort());
});

it('refers in the index to files that are there', async () => {
  const folder = temporaryFolder();
  await writeReports(runOf(resultsOf(knownVerdicts().wrong)), folder);
  const index = JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8')) as Record<
    string,
    Record<string, { reportfile: string }>
  >;
  for (const [agent, cases] of Object.entries(index)) {
    for (const [id, { reportfile }] of Object.entries(cases)) {
      const report: unknown = JSON.parse(readFileSync(path.join(folder, reportfile), 'utf8'));
      expect(report).toMatchObject({ agent, id });
    }
  }
});

it('compares with the very index that it replaces', async () => {
  const folder = temporaryFolder();
  const { whole } = knownVerdicts();
  const before = runOf(resultsOf({ ws: whole['ws-plain'] ?? {} }));
  const after = runOf(resultsOf({ ws: whole['ws-pmd'] ?? {} }));
  await writeReports(before, folder);
  const other = await readOtherIndex('index.json', folder);
  await writeReports(after, folder, compareRuns(after, other));
  expect(readFileSync(path.join(folder, 'summary.md'), 'utf8')).toContain(
    '216 better, 0 worse, 301 as before.',
  );
  expect(readFileSync(path.join(folder, 'index.html'), 'utf8')).toContain(
    'Compared with index.json',
  );
});

it('says which folder it cannot write to', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'taken');
  writeFileSync(file, '');
  await expect(writeReports(runOf(sampleFailures()), file)).rejects.toMatchObject({
    name: 'EnvironmentError',
    code: 'WSK_ERR_OUTPUT_NOT_WRITABLE',
    message: `the report cannot be written to ${file}`,
  });
});

const xmllint = requirement('JUnit XML', program('xmllint', ['--version']), () =>
  installDebian('libxml2-utils'),
);

xmllint('JUnit XML', () => {
  const schema = fileURLToPath(
    new URL('../../../fixtures/conformance-report/junit.xsd', import.meta.url),
  );
  it.each<[string, () => ConformanceRun]>([
    ['known peers', () => runOf(resultsOf(knownVerdicts().whole))],
    ['failures', () => runOf(sampleFailures())],
    ['hostile peers', runWithInjection],
  ])('is valid for %s', async (_, run) => {
    const folder = temporaryFolder();
    await writeReports(run(), folder);
    execFileSync('xmllint', ['--noout', '--nonet', '--schema', schema, 'junit.xml'], {
      cwd: folder,
      stdio: 'pipe',
    });
  });
});
