import { comparisonLines } from '../../conformance/report/index.ts';
import type { Comparison } from '../../conformance/report/index.ts';
import { verdictSentence } from '../../conformance/report/expectations.ts';
import { reasonOf } from '../../conformance/report/reason.ts';
import type { CaseResult, ConformanceRun } from '../../conformance/result.ts';
import type { AutobahnTestReport, CaseRow } from './schema.ts';
import { countVerdicts, isFailure, verdictOf } from '../../conformance/verdict.ts';

export interface SummarizeOptions {
  readonly files: readonly string[];
  readonly comparison: Comparison | undefined;
}

/** Reports that stand for all of them: the page, the summary, JUnit, the index. */
const MAIN_REPORTS = 4;

/** The report of the operation: what decides the exit code, and what a person wants to read. */
export function summarize(
  run: ConformanceRun,
  { files, comparison }: SummarizeOptions,
): AutobahnTestReport {
  const results = run.agents.flatMap(({ cases }) => cases);
  const rows = results
    .filter((result) => verdictOf(result) !== 'pass' && verdictOf(result) !== 'informational')
    .map((result) => toRow(run, result));
  const failing = rows.filter(({ verdict }) => isFailure(verdict, run.options.failOn));
  const unexpected = failing.filter(({ expected }) => expected === null);
  const stale = run.expectedFailures.filter(({ outcome }) => outcome === 'stale');
  const rfc6455 = unexpected.length === 0 && results.length > 0 && !run.interrupted;
  const success = rfc6455 && stale.length === 0;
  return {
    operation: 'autobahn-test',
    target: run.options.target,
    status: run.interrupted ? 'interrupted' : success ? 'passed' : 'failed',
    success,
    summary: verdictSentence(run),
    agents: run.agents.map(({ agent }) => agent),
    selected: run.selected,
    verdicts: countVerdicts(results),
    compliance: {
      rfc6455,
      autobahnPassed: results.length - failing.length,
      autobahnFailed: failing.length,
    },
    cases: rows,
    staleExpectations: stale.map((row) => `${row.agent ?? ''} ${row.case} (${row.reason})`.trim()),
    comparison: comparison === undefined ? [] : comparisonLines(comparison),
    notes: [
      ...(results.length === 0 ? ['no client connected'] : []),
      ...run.notes,
      ...(run.machineTooBusy === null ? [] : [run.machineTooBusy]),
    ],
    reports: files.slice(0, MAIN_REPORTS),
    durationMs: run.durationMs,
  };
}

function toRow(run: ConformanceRun, result: CaseResult): CaseRow {
  const known = run.expectedFailures.find(
    (row) => row.case === result.id && (row.agent === undefined || row.agent === result.agent),
  );
  return {
    agent: result.agent,
    id: result.id,
    title: result.title,
    rfc: result.rfc,
    verdict: verdictOf(result),
    behavior: result.behavior,
    behaviorClose: result.behaviorClose,
    reason: reasonOf(result),
    expected: known?.reason ?? null,
  };
}
