import type { BenchmarkReport } from '../metrics.ts';
import { exact } from '../../report/format.ts';
import { junitXml, type JunitCase } from '../../report/junit.ts';
import { generatorState } from '../stats/index.ts';

/**
 * Renders JUnit XML: a test case for each threshold, one for the run and one for the generator's
 * health. A report that is not `passed` has a failure. A saturated or disturbed generator is a failure
 * if it makes the report invalid (`--strict`), else a skipped case with the reasons.
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
    name: 'the generator kept up',
    classname: 'benchmark.generator',
    milliseconds: 0,
  };
  const generators = [measured, ...(comparison === null ? [] : [comparison.other])].map(
    ({ generator }) => generator,
  );
  const faulty = generators.filter(({ saturated, disturbed }) => saturated || disturbed);
  if (faulty.length === 0) return named;
  const saturated = faulty.some((generator) => generator.saturated);
  const reasons = faulty.flatMap((generator) => generator.reasons);
  const message = `${generatorState({ saturated, disturbed: true })}: ${reasons.join('; ')}`;
  if (status !== 'invalid') return { ...named, skipped: message };
  return {
    ...named,
    failure: { type: saturated ? 'saturated' : 'disturbed', message, text: reasons.join('\n') },
  };
}
