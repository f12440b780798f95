import type { AgentResults, CaseResult, ConformanceRun } from '../result.ts';
import { isFailure, verdictOf } from '../verdict.ts';
import { expectedReason, staleRows } from './expectations.ts';
import { junitXml, type JunitCase, type JunitSuite } from '../../report/junit.ts';
import { reasonOf } from './reason.ts';
import { rfcReference } from './rfc-reference.ts';
import { sectionOf, sectionTitle } from '../sections.ts';

/**
 * Renders JUnit XML: one test suite for each agent and section.
 *
 * A case that fails at the run's strictness is a failure. An expected failure and an unimplemented
 * case are skipped, with the reason.
 */
export function renderJunit(run: ConformanceRun): string {
  const suites = [...run.agents.flatMap((agent) => sectionSuites(run, agent)), ...staleSuite(run)];
  return junitXml('autobahn-test', run.durationMs, suites);
}

function sectionSuites(run: ConformanceRun, { agent, cases }: AgentResults): JunitSuite[] {
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

function testCase(run: ConformanceRun, result: CaseResult): JunitCase {
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

function staleSuite(run: ConformanceRun): JunitSuite[] {
  const cases = staleRows(run).map((row) => ({
    name: `${row.case} fails`,
    classname: `autobahn.${row.agent ?? 'any agent'}.expected-failures`,
    milliseconds: 0,
    failure: {
      type: 'stale',
      message: 'the case no longer fails: remove its row from the file of expected failures',
      text: `reason given: ${row.reason}`,
    },
  }));
  return cases.length === 0 ? [] : [{ name: 'expected failures', startedAt: run.startedAt, cases }];
}
