import path from 'node:path';
import type { View } from '../core/operation.ts';
import { ownCommand } from '../core/own-command.ts';
import type { ReportedError, RunReport } from './schema.ts';

/** Lays a run out: executed effects, pending effects of others, and the next command. */
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

/** Shows the plain values that a process returned; the file has all of it. */
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

/** An error as lines for people: code and message, then the hint. */
export function errorNotes(error: ReportedError | null): string[] {
  if (error === null) return [];
  const code = error.code === null ? error.name : error.code;
  return [`${code}: ${error.message}`, ...(error.hint === null ? [] : [`hint: ${error.hint}`])];
}

function pendingNotes(report: RunReport): string[] {
  return report.pending.flatMap(({ kind, effectId, title, reason, post, fail }) => [
    `waits for ${kind} ${effectId}: ${title}`,
    ...(reason === null ? [] : [`  cannot be executed here: ${reason}`]),
    `  post it: ${post}`,
    ...(reason === null ? [] : [`  if nobody can do it, post an error: ${fail}`]),
  ]);
}

function nextNotes(report: RunReport): string[] {
  const unfinished = report.status === 'waiting' || report.status === 'interrupted';
  return unfinished ? [`resume it with: ${ownCommand('resume', report.runDir)}`] : [];
}
