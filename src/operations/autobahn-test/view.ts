import type { View } from '../../core/operation.ts';
import type { AutobahnTestReport } from './schema.ts';

/** Rows of the table a terminal gets; the page has all of them. */
const MAX_ROWS = 40;

/** Lays out the report of `autobahn-test`. */
export function viewAutobahnTest(report: AutobahnTestReport): View {
  const { cases, verdicts, notes, comparison, reports, staleExpectations } = report;
  const shown = cases.slice(0, MAX_ROWS);
  const several = report.agents.length > 1;
  const ran = Object.values(verdicts).reduce((sum, count) => sum + count, 0);
  return {
    title: `autobahn-test of ${report.agents.length === 1 ? (report.agents[0] ?? '') : report.target}`,
    facts: [
      ['target', report.target],
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
            columns: ['case', 'verdict', 'RFC', 'why'],
            rows: shown.map(({ agent, id, verdict, rfc, reason, expected }) => [
              several ? `${agent} ${id}` : id,
              verdict,
              rfc,
              expected === null ? reason : `${reason} (expected: ${expected})`,
            ]),
          },
        }),
    notes: [
      ...(cases.length > shown.length ? [`and ${cases.length - shown.length} more`] : []),
      ...staleExpectations.map((row) => `expected to fail, but does not (any more): ${row}`),
      ...comparison,
      ...notes,
    ],
  };
}
