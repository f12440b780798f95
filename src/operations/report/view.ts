import type { View } from '../../core/operation.ts';
import type { RunPageReport } from './schema.ts';

/** Lays out what the page shows. */
export function viewReport(report: RunPageReport): View {
  return {
    title: `report of ${report.process}`,
    facts: [
      ['run', report.run],
      ['page', report.page],
    ],
    table: {
      columns: ['task', 'result', 'detail'],
      rows: report.steps.map(({ title, verdict, detail }) => [title, verdict, detail]),
    },
  };
}
