import type { BenchmarkReport } from '../metrics.ts';
import { exact } from '../../report/format.ts';
import { junitXml, type JunitCase } from '../../report/junit.ts';

/**
 * Renders JUnit XML: a test case for each threshold, one for the run and one for the generator's
 * health. A report that is not `passed` has a failure. A saturated generator is a failure if it
 * makes the report invalid (`--strict`), else a skipped case with the reasons.
 */
export function renderJunit(report: BenchmarkReport): string {
  const cases = [...thresholdCases(report), runCase(report), healthCase(report)];
  const { target, startedAt, durationMs } = report;
  const suite = { name: `benchmark ${target}`, startedAt, milliseconds: durationMs, cases };
  return junitXml('benchmark', durationMs, [suite]);
}

function thresholdCases({ thresholds, load }: BenchmarkReport): JunitCase[] {
  return thresholds.map(({ threshold, metric, value, bound, unit, verdict }) => {
    const named = { name: threshold, classname: 'benchmark.thresholds', milliseconds: 0 };
    if (verdict === 'pass') return named;
    const seen = value === null ? 'was not measured' : `is ${exact(value)} ${unit}`;
    const message = `${metric} ${seen}, the bound is ${exact(bound)} ${unit}`;
    return { ...named, failure: { type: 'threshold', message, text: `${message}\nload: ${load}` } };
  });
}

function runCase({ status, thresholds, measured, notes }: BenchmarkReport): JunitCase {
  const named = { name: 'the run is complete', classname: 'benchmark.run', milliseconds: 0 };
  const told = thresholds.some(({ verdict }) => verdict === 'fail');
  const broken = status === 'interrupted' || (status === 'failed' && !told);
  if (!broken) return named;
  const [first] = measured.errors;
  const message =
    status === 'interrupted' ? 'the run was interrupted' : (first?.first ?? 'the run failed');
  const rows = measured.errors.map(
    ({ kind, detail, count, first: example }) => `${kind} ${detail}: ${count}, first: ${example}`,
  );
  return { ...named, failure: { type: status, message, text: [...rows, ...notes].join('\n') } };
}

function healthCase({ status, measured, comparison }: BenchmarkReport): JunitCase {
  const named = {
    name: 'the generator is not the limit',
    classname: 'benchmark.generator',
    milliseconds: 0,
  };
  const saturated = [measured, comparison?.other].filter((one) => one?.generator.saturated);
  if (saturated.length === 0) return named;
  const reasons = saturated.flatMap((one) => one?.generator.reasons ?? []);
  const message = `GENERATOR SATURATED: ${reasons.join('; ')}`;
  if (status !== 'invalid') return { ...named, skipped: message };
  return { ...named, failure: { type: 'saturated', message, text: reasons.join('\n') } };
}
