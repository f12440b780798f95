import type { AgentResults, CaseResult, ConformanceRun } from '../result.ts';
import { isFailure, verdictOf } from '../verdict.ts';
import { expectedReason, staleRows } from './expectations.ts';
import { printable } from '../../report/printable.ts';
import { reasonOf } from './reason.ts';
import { rfcReference } from './rfc-reference.ts';
import { sectionOf, sectionTitle } from '../sections.ts';

interface Suite {
  readonly name: string;
  readonly cases: readonly TestCase[];
  readonly startedAt: string;
}

interface TestCase {
  readonly name: string;
  readonly classname: string;
  readonly milliseconds: number;
  /** Exactly one of both for a case that is no pass. */
  readonly failure?: { readonly type: string; readonly message: string; readonly text: string };
  readonly skipped?: string;
}

/**
 * Renders JUnit XML: one test suite for each agent and section.
 *
 * What fails at the run's strictness is a failure; an expected failure, and a case that needs
 * what the peer does not implement, is skipped with its reason.
 */
export function renderJunit(run: ConformanceRun): string {
  const suites = [...run.agents.flatMap((agent) => sectionSuites(run, agent)), ...staleSuite(run)];
  const all = suites.flatMap(({ cases }) => cases);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'autobahn-test', ...totals(all), time: seconds(run.durationMs) })}>`,
    ...suites.map(renderSuite),
    '</testsuites>',
    '',
  ].join('\n');
}

function sectionSuites(run: ConformanceRun, { agent, cases }: AgentResults): Suite[] {
  const sections = [...new Set(cases.map(({ id }) => sectionOf(id)))];
  return sections.map((section) => {
    const own = cases.filter(({ id }) => sectionOf(id) === section);
    return {
      name: `${agent}: ${sectionTitle(section)}`,
      startedAt: own[0]?.startedAt ?? run.startedAt,
      cases: own.map((result) => testCase(run, result)),
    };
  });
}

function testCase(run: ConformanceRun, result: CaseResult): TestCase {
  const verdict = verdictOf(result);
  const named = {
    name: `${result.id} ${result.title}`,
    classname: `autobahn.${result.agent}.${sectionOf(result.id)}`,
    milliseconds: result.durationMs,
  };
  const expected = expectedReason(run, result);
  if (expected !== undefined) return { ...named, skipped: `expected to fail: ${expected}` };
  if (isFailure(verdict, run.options.failOn)) {
    const { label, title, url } = rfcReference(result.rfc);
    const text = [
      `behavior ${result.behavior}: ${result.result}`,
      `close ${result.behaviorClose}: ${result.resultClose}`,
      `expected: ${result.expectation}`,
      `${label} ${title}: ${url}`,
    ].join('\n');
    return { ...named, failure: { type: verdict, message: reasonOf(result), text } };
  }
  return verdict === 'unimplemented' ? { ...named, skipped: reasonOf(result) } : named;
}

function staleSuite(run: ConformanceRun): Suite[] {
  const cases = staleRows(run).map((row) => ({
    name: `${row.case} fails`,
    classname: `autobahn.${row.agent ?? 'any agent'}.expected-failures`,
    milliseconds: 0,
    failure: {
      type: 'stale',
      message: 'the case does not fail any more: remove its row from the file of expected failures',
      text: `reason given: ${row.reason}`,
    },
  }));
  return cases.length === 0 ? [] : [{ name: 'expected failures', startedAt: run.startedAt, cases }];
}

function renderSuite({ name, startedAt, cases }: Suite): string {
  const time = seconds(cases.reduce((sum, { milliseconds }) => sum + milliseconds, 0));
  // xs:dateTime without a zone is what the schemas in use agree on.
  const timestamp = startedAt.slice(0, 19);
  return [
    `  <testsuite${attributes({ name, ...totals(cases), time, timestamp })}>`,
    ...cases.map(renderCase),
    '  </testsuite>',
  ].join('\n');
}

function renderCase({ name, classname, milliseconds, failure, skipped }: TestCase): string {
  const open = `    <testcase${attributes({ name, classname, time: seconds(milliseconds) })}`;
  if (skipped !== undefined) {
    return `${open}>\n      <skipped${attributes({ message: skipped })}/>\n    </testcase>`;
  }
  if (failure === undefined) return `${open}/>`;
  const { type, message, text } = failure;
  return `${open}>\n      <failure${attributes({ message, type })}>${escapeXml(text)}</failure>\n    </testcase>`;
}

function totals(cases: readonly TestCase[]): Record<string, number> {
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
