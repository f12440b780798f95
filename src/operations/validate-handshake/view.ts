import { describeCounts, groupRows } from '../../core/grade.ts';
import { listCases } from '../../conformance/report/reason.ts';
import type { View } from '../../core/operation.ts';
import type { ValidateHandshakeReport } from './schema.ts';

/** Lays out the report of `validate-handshake`. */
export function viewValidateHandshake(report: ValidateHandshakeReport): View {
  return {
    title: `opening handshake of ${report.target}`,
    facts: [['rules', describeCounts(report.summary)]],
    table: {
      columns: ['rule', 'verdict', 'RFC', 'seen', 'expected'],
      rows: groupRows(report.rules, ({ seen, expected, verdict }) =>
        // Why rows were skipped has nothing to do with what each of them expects.
        verdict === 'skip' ? seen : `${seen} ${expected}`,
      ).map(({ verdict, rows }) => {
        const [{ rfc, seen, expected }] = rows;
        const ids = listCases(rows.map(({ id }) => id));
        return rows.length === 1
          ? [ids, verdict, rfc, seen, expected]
          : [ids, verdict, '', seen, verdict === 'skip' ? '' : expected];
      }),
    },
  };
}
