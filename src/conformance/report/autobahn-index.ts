import type { ConformanceRun } from '../result.ts';
import { formatAutobahnJson } from './autobahn-json.ts';
import type { CaseFiles } from './case-files.ts';

/** Renders `index.json` as Autobahn|Testsuite does: agent to case to verdicts. */
export function renderAutobahnIndex(run: ConformanceRun, files: CaseFiles): string {
  const agents = run.agents.map(({ agent, cases }) => [
    agent,
    Object.fromEntries(
      cases.map(({ id, behavior, behaviorClose, durationMs, close }) => [
        id,
        {
          behavior,
          behaviorClose,
          duration: Math.round(durationMs),
          remoteCloseCode: close.remoteCloseCode,
          reportfile: files.nameOf(agent, id),
        },
      ]),
    ),
  ]);
  return formatAutobahnJson(Object.fromEntries(agents));
}
