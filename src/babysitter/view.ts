import path from 'node:path';
import type { View } from '../core/operation.ts';
import type { ReportedError, RunReport, RunTaskReport } from './schema.ts';

/** Lays a run out: what was executed, what waits for others, and what to do next. */
export function viewRun(report: RunReport): View {
  return {
    title: `${report.operation} ${report.process}`,
    facts: [
      ['run', report.runId],
      ['folder', report.runDir],
      ['run status', report.runStatus],
      ...outputFacts(report),
    ],
    ...(report.effects.length > 0 && { table: effectTable(report) }),
    notes: [...errorNotes(report.error), ...pendingNotes(report), ...nextNotes(report)],
  };
}

/** Lays one executed effect out. */
export function viewRunTask(report: RunTaskReport): View {
  return {
    title: `run-task ${report.taskId}`,
    facts: [
      ['run', report.runDir],
      ['effect', report.effectId],
      ['how', report.how],
      ['result', report.resultFile ?? 'not posted, the effect is still pending'],
    ],
    notes: errorNotes(report.error),
  };
}

/** What a process returned may be anything: its plain values are shown, all of it is in the file. */
function outputFacts({ output, runDir }: RunReport): (readonly [string, string])[] {
  if (typeof output !== 'object' || output === null) return [];
  const plain = Object.entries(output).filter(([, value]) => typeof value !== 'object');
  return [
    ...plain.map(([key, value]) => [key, String(value)] as const),
    ['output', path.join(runDir, 'state', 'output.json')],
  ];
}

function effectTable(report: RunReport): View.Table {
  return {
    columns: ['task', 'result', 'how', 'ms'],
    rows: report.effects.map((effect) => [
      effect.taskId,
      effect.status === 'passed' ? 'pass' : effect.status === 'failed' ? 'fail' : effect.status,
      effect.how,
      effect.durationMs.toFixed(0),
    ]),
  };
}

function errorNotes(error: ReportedError | null): string[] {
  if (error === null) return [];
  const code = error.code === null ? error.name : error.code;
  return [`${code}: ${error.message}`, ...(error.hint === null ? [] : [`hint: ${error.hint}`])];
}

function pendingNotes(report: RunReport): string[] {
  return report.pending.flatMap((effect) => [
    `waits for ${effect.kind} ${effect.effectId}: ${effect.title}`,
    `  post it: ${effect.post}`,
  ]);
}

function nextNotes(report: RunReport): string[] {
  const goesOn = report.status === 'waiting' || report.status === 'interrupted';
  return goesOn ? [`go on with: websocket-skill resume ${report.runDir}`] : [];
}
