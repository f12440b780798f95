import type { View } from '../../core/operation.ts';
import type { GenerateServerReport } from './schema.ts';

/** Lays a report out for people. */
export function viewGenerateServer(report: GenerateServerReport): View {
  return {
    title: `${report.type} server in ${report.language}`,
    facts: [
      ['output', report.output],
      ['next', report.commands.join(' && ')],
    ],
    table: {
      columns: ['file', 'bytes', 'action'],
      rows: report.files.map((file) => [file.path, String(file.bytes), file.action]),
    },
    notes: report.notes,
  };
}
