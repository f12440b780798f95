import type { View } from '../../core/operation.ts';
import { groupByReason, listCases } from '../../conformance/report/reason.ts';
import type { AutobahnTestReport } from './schema.ts';

/** Rows of the table a terminal gets; the page has all cases. */
const MAX_ROWS = 30;

/** Lays out the report of `autobahn-test`. */
export function viewAutobahnTest(report: AutobahnTestReport): View {
  const { cases, verdicts, notes, comparison, reports, staleExpectations } = report;
  const several = report.agents.length > 1;
  const groups = groupByReason(
    cases.map(({ agent, id, verdict, reason, expected }) => ({
      name: several ? `${agent} ${id}` : id,
      verdict,
      reason: expected === null ? reason : `${reason} (expected: ${expected})`,
    })),
  );
  const shown = groups.slice(0, MAX_ROWS);
  const ran = Object.values(verdicts).reduce((sum, count) => sum + count, 0);
  return {
    title: `autobahn-test of ${report.target}`,
    facts: [
      ['verdict', report.summary],
      ...(report.agents.length === 0
        ? []
        : [[report.agents.length === 1 ? 'agent' : 'agents', report.agents.join(', ')] as const]),
      ['cases', `${ran} of ${report.selected * Math.max(1, report.agents.length)}`],
      [
        'verdicts',
        Object.entries(verdicts)
          .filter(([, count]) => count > 0)
          .map(([name, count]) => `${count} ${name}`)
          .join(', '),
      ],
      ['duration', `${(report.durationMs / 1000).toFixed(1)} s`],
      ...(reports[0] === undefined ? [] : [['report', reports[0]] as const]),
    ],
    ...(shown.length === 0
      ? {}
      : {
          table: {
            columns: ['count', 'verdict', 'cases', 'why'],
            rows: shown.map(({ verdict, reason, cases: ids }) => [
              String(ids.length),
              verdict,
              listCases(ids),
              reason,
            ]),
          },
        }),
    notes: [
      ...(groups.length > shown.length ? [`and ${groups.length - shown.length} more reasons`] : []),
      ...staleExpectations.map((row) => `expected to fail, but does not (any more): ${row}`),
      ...comparison,
      ...notes,
    ],
  };
}
