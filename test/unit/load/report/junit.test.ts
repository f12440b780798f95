import { expect, it } from 'vitest';
import { renderJunit } from '../../../../src/load/report/junit.ts';
import { reportOf, sampleRun } from '../../../support/load-reports.ts';

const run = sampleRun({ seconds: 5 });

/** `run` with a generator that could not keep up. */
const saturated = {
  ...run,
  measured: {
    ...run.measured,
    generator: { ...run.measured.generator, saturated: true, reasons: ['lateness p99 45 ms'] },
  },
};

it('has a test case for each threshold, for the run and for the generator', () => {
  const xml = renderJunit(reportOf(run));
  expect([...xml.matchAll(/<testcase name="([^"]*)"/g)].map(([, name]) => name)).toEqual([
    'p99&lt;20ms',
    'errors&lt;0.1%',
    'rate&gt;=0.99',
    'the run is complete',
    'the generator kept up',
  ]);
  expect(xml).toContain(
    '<testsuites name="benchmark" tests="5" failures="0" errors="0" skipped="0"',
  );
});

it('fails a threshold with the figure and the bound', () => {
  const xml = renderJunit(
    reportOf(run, {
      status: 'failed',
      thresholds: [
        {
          threshold: 'rate>=0.99',
          metric: 'rate',
          value: 0.98997,
          bound: 0.99,
          unit: 'ratio',
          verdict: 'fail',
        },
        {
          threshold: 'p99<20ms',
          metric: 'p99',
          value: null,
          bound: 20,
          unit: 'ms',
          verdict: 'fail',
        },
      ],
    }),
  );
  expect(xml).toContain('message="rate is 0.98997 ratio, the bound is 0.99 ratio"');
  expect(xml).toContain('message="p99 was not measured, the bound is 20 ms"');
  expect(xml).toContain('failures="2"');
});

it('fails a run that failed for something else than a threshold', () => {
  const errors = [{ kind: 'reset', detail: '', count: 4, first: 'read ECONNRESET' }];
  const measured = { ...run.measured, errors };
  const xml = renderJunit(reportOf({ ...run, measured }, { status: 'failed' }));
  expect(xml).toContain('<failure message="read ECONNRESET" type="failed">');
  expect(renderJunit(reportOf(run, { status: 'interrupted' }))).toContain(
    'message="the run was interrupted"',
  );
});

it('fails a saturated generator where the report is invalid, and skips it otherwise', () => {
  expect(renderJunit(reportOf(saturated, { status: 'invalid' }))).toContain(
    '<failure message="GENERATOR SATURATED: lateness p99 45 ms" type="saturated">',
  );
  expect(renderJunit(reportOf(saturated))).toContain(
    '<skipped message="GENERATOR SATURATED: lateness p99 45 ms"/>',
  );
  const generator = { ...saturated.measured.generator, saturated: false, disturbed: true };
  const disturbed = { ...run, measured: { ...run.measured, generator } };
  expect(renderJunit(reportOf(disturbed))).toContain(
    '<skipped message="GENERATOR DISTURBED: lateness p99 45 ms"/>',
  );
});
