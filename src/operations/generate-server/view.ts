import type { View } from '../../core/operation.ts';
import { viewOfFiles } from '../../generate/output.ts';
import type { GenerateServerReport } from './schema.ts';

/** How people see at work what is no echo. */
const PAGE = ['or', 'npm run demo, which serves a page, too'] as const;

/** Lays a report out for people. */
export function viewGenerateServer(report: GenerateServerReport): View {
  return {
    title: `${report.type} server in ${report.language}`,
    facts: [
      ['output', report.output],
      ['next', report.commands.join(' && ')],
      ...(report.type === 'echo' ? [] : [PAGE]),
    ],
    ...viewOfFiles(report),
  };
}
