import type { BenchmarkReport } from '../metrics.ts';
import { exact } from '../../report/format.ts';
import { printable } from '../../report/printable.ts';

interface TestCase {
  readonly name: string;
  readonly classname: string;
  /** At most one of both. */
  readonly failure?: { readonly type: string; readonly message: string; readonly text: string };
  readonly skipped?: string;
}

/**
 * Renders JUnit XML: a test case for each threshold, one for the run and one for the generator's
 * health. A report that is not `passed` never comes out green; a saturated generator is a failure
 * where that makes the report invalid (`--strict`), and skipped with its reasons where not.
 */
export function renderJunit(report: BenchmarkReport): string {
  const cases = [...thresholdCases(report), runCase(report), healthCase(report)];
  const counts = {
    tests: cases.length,
    failures: cases.filter(({ failure }) => failure !== undefined).length,
    errors: 0,
    skipped: cases.filter(({ skipped }) => skipped !== undefined).length,
  };
  const time = (report.durationMs / 1000).toFixed(3);
  // xs:dateTime without a zone is what the schemas in use agree on.
  const timestamp = report.startedAt.slice(0, 19);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'benchmark', ...counts, time })}>`,
    `  <testsuite${attributes({ name: `benchmark ${report.target}`, ...counts, time, timestamp })}>`,
    ...cases.map(renderCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function thresholdCases({ thresholds, load }: BenchmarkReport): TestCase[] {
  return thresholds.map(({ threshold, metric, value, bound, unit, verdict }) => {
    const named = { name: threshold, classname: 'benchmark.thresholds' };
    if (verdict === 'pass') return named;
    const seen = value === null ? 'was not measured' : `is ${exact(value)} ${unit}`;
    const message = `${metric} ${seen}, the bound is ${exact(bound)} ${unit}`;
    return { ...named, failure: { type: 'threshold', message, text: `${message}\nload: ${load}` } };
  });
}

function runCase({ status, thresholds, measured, notes }: BenchmarkReport): TestCase {
  const named = { name: 'the run is complete', classname: 'benchmark.run' };
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

function healthCase({ status, measured, comparison }: BenchmarkReport): TestCase {
  const named = { name: 'the generator is not the limit', classname: 'benchmark.generator' };
  const saturated = [measured, comparison?.other].filter((one) => one?.generator.saturated);
  if (saturated.length === 0) return named;
  const reasons = saturated.flatMap((one) => one?.generator.reasons ?? []);
  const message = `GENERATOR SATURATED: ${reasons.join('; ')}`;
  if (status !== 'invalid') return { ...named, skipped: message };
  return { ...named, failure: { type: 'saturated', message, text: reasons.join('\n') } };
}

function renderCase({ name, classname, failure, skipped }: TestCase): string {
  // A threshold takes no time of its own.
  const open = `    <testcase${attributes({ name, classname, time: '0.000' })}`;
  if (skipped !== undefined) {
    return `${open}>\n      <skipped${attributes({ message: skipped })}/>\n    </testcase>`;
  }
  if (failure === undefined) return `${open}/>`;
  const { type, message, text } = failure;
  return `${open}>\n      <failure${attributes({ message, type })}>${escapeXml(text)}</failure>\n    </testcase>`;
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeXml(String(value))}"`)
    .join('');
}

/** XML has no form at all for most control characters, so `printable` goes first. */
function escapeXml(text: string): string {
  return text
    .split('\n')
    .map(printable)
    .join('\n')
    .replace(
      /[<>&"']/g,
      (character) =>
        ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;', "'": '&apos;' })[character] ?? '',
    );
}
