import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Histogram } from '../../../../src/load/measure/histogram.ts';
import { BenchmarkReport } from '../../../../src/load/metrics.ts';
import { writeReports } from '../../../../src/load/report/index.ts';
import { INJECTION } from '../../../support/malformed-input.ts';
import {
  comparedRuns,
  hostileReport,
  named,
  reportOf,
  sampleRun,
} from '../../../support/load-reports.ts';
import { installDebian, program, requirement } from '../../../support/requirement.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const run = sampleRun({ seconds: 5 });

function read(folder: string, name: string): string {
  return readFileSync(path.join(folder, name), 'utf8');
}

it('writes the page, the report, JUnit, metrics and the histogram log, and nothing else', async () => {
  const folder = path.join(temporaryFolder(), 'deep', 'report');
  const written = await writeReports(reportOf(run), named(run), folder);
  expect(written.map((file) => path.relative(folder, file))).toEqual([
    'index.html',
    'report.json',
    'junit.xml',
    'metrics.prom',
    'histograms.hlog',
  ]);
  expect(readdirSync(folder).sort()).toEqual(
    written.map((file) => path.relative(folder, file)).sort(),
  );
});

it('writes the report as it is, with a second to a line, and names the files', async () => {
  const folder = temporaryFolder();
  const { report, histograms } = comparedRuns();
  const notes = ['"seconds": []', INJECTION];
  const written = await writeReports({ ...report, notes }, histograms, folder);
  const text = read(folder, 'report.json');
  const parsed = BenchmarkReport.parse(JSON.parse(text));
  expect(parsed).toEqual({ ...report, notes, reports: written });
  const seconds = report.measured.seconds.length + (report.comparison?.other.seconds.length ?? 0);
  expect(text.match(/^ +\{"second":.*\},?$/gm)).toHaveLength(seconds);
});

it('logs each histogram so that it can be read again', async () => {
  const folder = temporaryFolder();
  await writeReports(reportOf(run), named(run), folder);
  const rows = read(folder, 'histograms.hlog')
    .split('\n')
    .filter((line) => line.startsWith('Tag='))
    .map((line) => line.split(','));
  expect(rows.map(([tag]) => tag)).toEqual([
    'Tag=response',
    'Tag=service',
    'Tag=lateness',
    'Tag=connect',
  ]);
  const response = Histogram.fromBase64(rows[0]?.at(-1) ?? '');
  expect(response.count).toBe(run.histograms.response.count);
  expect(response.percentile(99)).toBe(run.histograms.response.percentile(99));
});

it('tells the runs of a comparison apart in the log', async () => {
  const folder = temporaryFolder();
  const { report, histograms } = comparedRuns();
  await writeReports(report, histograms, folder);
  const tags = [...read(folder, 'histograms.hlog').matchAll(/^Tag=([^,]*)/gm)].map(
    ([, tag]) => tag,
  );
  expect(tags).toContain('a-response');
  expect(tags).toContain('b-response');
  expect(new Set(tags).size).toBe(tags.length);
});

it('says which folder it cannot write to', async () => {
  const file = path.join(temporaryFolder(), 'taken');
  writeFileSync(file, '');
  await expect(writeReports(reportOf(run), named(run), file)).rejects.toMatchObject({
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
  it.each([
    ['a run', { report: reportOf(run), histograms: named(run) }],
    ['an interrupted run', { report: reportOf(run, { status: 'interrupted' }), histograms: [] }],
    ['a comparison', comparedRuns()],
    ['hostile names', hostileReport()],
  ])('is valid for %s', async (_, { report, histograms }) => {
    const folder = temporaryFolder();
    await writeReports(report, histograms, folder);
    execFileSync('xmllint', ['--noout', '--nonet', '--schema', schema, 'junit.xml'], {
      cwd: folder,
      stdio: 'pipe',
    });
  });
});
