import path from 'node:path';
import * as z from 'zod';
import { readCommitted } from '../../babysitter/execute-effect.ts';
import { DamagedFile, readJson } from '../../babysitter/json-file.ts';
import { onRun, readState, type Effect, type Run } from '../../babysitter/run-folder.ts';
import { describeCounts } from '../../core/grade.ts';
import { count, duration, short } from '../../report/format.ts';
import type { StepVerdict } from './schema.ts';

/*
 * What the tasks of a run came to. A host may have posted anything as a result, and an older version of
 * this package has other fields: what is missing or of another type is left out.
 */

const text = z.string().catch('');
const texts = z.array(z.string()).catch([]);
const figure = z.number().nullable().catch(null);

/** A list without the rows that are none. */
function listOf<Row extends z.ZodType>(row: Row) {
  return z
    .array(row.nullable().catch(null))
    .catch([])
    .transform((rows) => rows.filter((one) => one !== null));
}

/** Fields of the results that the page shows. */
const Result = z.object({
  success: z.boolean().optional().catch(undefined),
  type: text,
  language: text,
  output: text,
  summary: z.unknown().optional(),
  files: listOf(z.object({ path: text, bytes: z.number().catch(0) })),
  commands: texts,
  notes: texts,
  reports: texts,
  filesChanged: texts,
  rules: listOf(z.object({ id: text, rfc: text, rule: text, verdict: text, seen: text })),
  checks: listOf(
    z.object({
      id: text,
      rfc: text,
      title: text,
      section: text,
      verdict: text,
      detail: text,
    }),
  ),
  compliance: z
    .object({ autobahnPassed: figure, autobahnFailed: figure })
    .catch({ autobahnPassed: null, autobahnFailed: null }),
  cases: listOf(z.object({ id: text, title: text, verdict: text, reason: text })),
  thresholds: listOf(z.object({ threshold: text, value: figure, unit: text, verdict: text })),
  measured: z
    .object({
      rate: z.object({ received: figure }).catch({ received: null }),
      messages: z
        .object({ sent: figure, received: figure, lost: figure })
        .catch({ sent: null, received: null, lost: null }),
      connections: z.object({ opened: figure }).catch({ opened: null }),
      latency: z
        .object({ response: z.record(z.string(), z.unknown()).nullable().catch(null) })
        .catch({ response: null }),
      generator: z.object({ reasons: texts }).catch({ reasons: [] }),
    })
    .optional()
    .catch(undefined),
  load: text,
  mode: text,
  approved: z.unknown().optional(),
  response: text,
  feedback: text,
});
type Result = z.output<typeof Result>;

const TaskFile = z.object({ title: text }).catch({ title: '' });
const InputFile = z
  .object({ operation: text, input: z.record(z.string(), z.unknown()).catch({}) })
  .catch({ operation: '', input: {} });
const Times = z.object({ startedAt: text, finishedAt: text }).catch({
  startedAt: '',
  finishedAt: '',
});

/** One row of a judgement: a rule, a check or a case. */
export interface Row {
  readonly id: string;
  readonly title: string;
  readonly section: string;
  readonly verdict: string;
  readonly detail: string;
}

/** A task of the run and what it came to. */
export interface Step {
  readonly taskId: string;
  /** Of the package: its operation; else the kind of the task. */
  readonly operation: string;
  readonly title: string;
  readonly verdict: StepVerdict;
  /** The result in one line. */
  readonly detail: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly result: Result;
  readonly rows: readonly Row[];
  /** Null where it is not known. */
  readonly durationMs: number | null;
}

/** The name of the project that the run is about, as its inputs have it, else that of the process. */
export async function readName(run: Run): Promise<string> {
  const inputs = await readJson(path.join(run.dir, 'inputs.json')).catch(() => undefined);
  const name = isObject(inputs) && 'projectName' in inputs ? inputs.projectName : undefined;
  return typeof name === 'string' && name !== '' ? name : path.basename(run.processId);
}

/** Reads the tasks of a run in the order in which they were requested, but for those that make a page. */
export async function readSteps(run: Run): Promise<Step[]> {
  return await onRun(run, async () => {
    const { effects } = await readState(run);
    const steps: Step[] = [];
    for (const effect of effects.values()) {
      const step = await readStep(run, effect);
      if (step.operation !== 'report') steps.push(step);
    }
    return steps;
  });
}

/** Failed as soon as one task has, passed when all have. */
export function verdictOf(steps: readonly Step[]): StepVerdict {
  if (steps.some(({ verdict }) => verdict === 'fail')) return 'fail';
  return steps.length > 0 && steps.every(({ verdict }) => verdict === 'pass') ? 'pass' : 'wait';
}

async function readStep(run: Run, effect: Effect): Promise<Step> {
  const { effectId, taskId } = effect;
  const read = (name: string): Promise<unknown> =>
    readJson(path.join(run.dir, 'tasks', effectId, name)).catch((error: unknown) => {
      if (error instanceof DamagedFile) return undefined;
      throw error;
    });
  const task = TaskFile.parse(await read('task.json'));
  const { operation: named, input } = InputFile.parse(await read('input.json'));
  const operation = named === '' ? effect.kind : named;
  const outcome = await readCommitted(run, effect);
  const given = isObject(outcome?.report) ? outcome.report : {};
  const result = Result.parse(given);
  const rows = rowsOf(result);
  const verdict = outcome === undefined ? 'wait' : verdictOfResult(effect.kind, result, outcome);
  const { startedAt, finishedAt } = Times.parse(await read('result.json'));
  const durationMs = Date.parse(finishedAt) - Date.parse(startedAt);
  return {
    taskId,
    operation,
    title: titleOf(operation, input, task.title === '' ? taskId : task.title),
    verdict,
    detail:
      outcome === undefined
        ? 'has no result yet'
        : (outcome.error?.message ?? detailOf(operation, result, rows)),
    input,
    result,
    rows,
    durationMs: durationMs >= 0 ? durationMs : null,
  };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function verdictOfResult(
  kind: string,
  { success, approved }: Result,
  { error }: { readonly error: unknown },
): StepVerdict {
  if (error !== null) return 'fail';
  if (kind === 'breakpoint') return approved === true ? 'pass' : 'fail';
  return success === true ? 'pass' : 'fail';
}

function rowsOf({ rules, checks, cases }: Result): Row[] {
  const rfcOf = (rfc: string): string => (rfc === '' ? '' : `RFC ${rfc}`);
  return [
    ...rules.map(({ id, rfc, rule, verdict, seen }) => ({
      ...{ id, title: rule, section: rfcOf(rfc), verdict, detail: seen },
    })),
    ...checks.map(({ id, rfc, title, section, verdict, detail }) => ({
      ...{ id, title, section: section === '' ? rfcOf(rfc) : section, verdict, detail },
    })),
    ...cases.map(({ id, title, verdict, reason }) => ({
      ...{ id, title, section: '', verdict, detail: reason },
    })),
  ];
}

const TITLES: Readonly<Record<string, string>> = {
  'generate-server': 'Generate the server',
  'generate-client': 'Generate the client',
  'validate-handshake': 'Opening handshake',
  test: 'Server',
  'autobahn-test': "Autobahn's cases",
  benchmark: 'Load',
};

function titleOf(
  operation: string,
  input: Readonly<Record<string, unknown>>,
  otherwise: string,
): string {
  if (operation === 'test' && input['role'] === 'client') return 'Client';
  if (operation === 'agent') return 'Custom handlers';
  if (operation === 'breakpoint') return 'Review';
  return Object.hasOwn(TITLES, operation) ? (TITLES[operation] ?? '') : otherwise;
}

function detailOf(operation: string, result: Result, rows: readonly Row[]): string {
  switch (operation) {
    case 'generate-server':
    case 'generate-client':
      return `${count(result.files.length)} files in ${result.output}`;
    case 'validate-handshake':
    case 'test':
      return countsOf(rows);
    case 'benchmark':
      return loadLine(result);
    case 'breakpoint':
      return result.approved === true ? `approved${said(result)}` : `not approved${said(result)}`;
    default:
      return typeof result.summary === 'string' ? result.summary : '';
  }
}

function said({ response, feedback }: Result): string {
  const words = response === '' ? feedback : response;
  return words === '' ? '' : `: ${words}`;
}

function countsOf(rows: readonly Row[]): string {
  const of = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length;
  return describeCounts({
    passed: of('pass'),
    failed: of('fail'),
    warnings: of('warn'),
    infos: of('info'),
    skipped: of('skip'),
  });
}

function loadLine({ measured, thresholds }: Result): string {
  const rate = measured?.rate.received ?? null;
  const failed = thresholds.filter(({ verdict }) => verdict !== 'pass').length;
  const held = thresholds.length - failed;
  return [
    ...(rate === null ? [] : [`${short(rate)}/s received`]),
    ...(thresholds.length === 0 ? [] : [`${held} of ${thresholds.length} thresholds held`]),
  ].join(', ');
}

/** `1.2 s`, or nothing where it is not known. */
export function took({ durationMs }: Step): string {
  return durationMs === null ? '' : duration(durationMs);
}
