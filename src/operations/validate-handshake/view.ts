import { describeCounts } from '../../core/grade.ts';
import type { View } from '../../core/operation.ts';
import type { ValidateHandshakeReport } from './schema.ts';

/** Lays out the report of `validate-handshake`. */
export function viewValidateHandshake(report: ValidateHandshakeReport): View {
  return {
    title: `opening handshake of ${report.target}`,
    facts: [['rules', describeCounts(report.summary)]],
    table: {
      columns: ['rule', 'verdict', 'RFC', 'seen', 'expected'],
      rows: report.rules.map(({ id, rfc, verdict, seen, expected }) => [
        id,
        verdict,
        rfc,
        seen,
        expected,
      ]),
    },
  };
}
