import type { View } from '../../core/operation.ts';
import { LANGUAGES } from '../../generate/languages/index.ts';
import { viewOfFiles } from '../../generate/output.ts';
import type { GenerateServerReport } from './schema.ts';

/** Lays a report out for people. */
export function viewGenerateServer(report: GenerateServerReport): View {
  const { demo } = LANGUAGES[report.language];
  return {
    title: `${report.type} server in ${report.language}`,
    facts: [
      ['output', report.output],
      ['next', report.commands.join(' && ')],
      // People see at work what is no echo.
      ...(report.type === 'echo' ? [] : [['or', `${demo}, which serves a page, too`] as const]),
    ],
    ...viewOfFiles(report),
  };
}
