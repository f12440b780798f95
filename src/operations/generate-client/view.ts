import type { View } from '../../core/operation.ts';
import { viewOfFiles } from '../../generate/output.ts';
import type { GenerateClientReport } from './schema.ts';

/** Lays a report out for people. */
export function viewGenerateClient(report: GenerateClientReport): View {
  const next = report.commands.join(' && ');
  return {
    title: `client of a ${report.type} server in ${report.language}`,
    facts: [['output', report.output], ...(next === '' ? [] : [['next', next] as const])],
    ...viewOfFiles(report),
  };
}
