import { printable } from './printable.ts';

/** A test case; one without `failure` and `skipped` passed, and none has both. */
export interface JunitCase {
  readonly name: string;
  readonly classname: string;
  readonly milliseconds: number;
  readonly failure?: { readonly type: string; readonly message: string; readonly text: string };
  readonly skipped?: string;
}

/** A test suite; its time is the sum of its cases' where `milliseconds` is not given. */
export interface JunitSuite {
  readonly name: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly milliseconds?: number;
  readonly cases: readonly JunitCase[];
}

/** Renders JUnit XML in the form of the Jenkins xUnit schema. */
export function junitXml(
  name: string,
  milliseconds: number,
  suites: readonly JunitSuite[],
): string {
  const all = suites.flatMap(({ cases }) => cases);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name, ...totals(all), time: seconds(milliseconds) })}>`,
    ...suites.map(renderSuite),
    '</testsuites>',
    '',
  ].join('\n');
}

function renderSuite({ name, startedAt, milliseconds, cases }: JunitSuite): string {
  const time = seconds(milliseconds ?? cases.reduce((sum, one) => sum + one.milliseconds, 0));
  // xs:dateTime without a zone is what the schemas in use agree on.
  const timestamp = startedAt.slice(0, 19);
  return [
    `  <testsuite${attributes({ name, ...totals(cases), time, timestamp })}>`,
    ...cases.map(renderCase),
    '  </testsuite>',
  ].join('\n');
}

function renderCase({ name, classname, milliseconds, failure, skipped }: JunitCase): string {
  const open = `    <testcase${attributes({ name, classname, time: seconds(milliseconds) })}`;
  if (skipped !== undefined) {
    return `${open}>\n      <skipped${attributes({ message: skipped })}/>\n    </testcase>`;
  }
  if (failure === undefined) return `${open}/>`;
  const { type, message, text } = failure;
  return `${open}>\n      <failure${attributes({ message, type })}>${escapeXml(text)}</failure>\n    </testcase>`;
}

function totals(cases: readonly JunitCase[]): Record<string, number> {
  return {
    tests: cases.length,
    failures: cases.filter(({ failure }) => failure !== undefined).length,
    errors: 0,
    skipped: cases.filter(({ skipped }) => skipped !== undefined).length,
  };
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3);
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
