import { resolve } from 'node:path';
import type { OperationContext } from '../../core/operation.ts';
import { runAll } from './runs.ts';
import { EnvironmentWatch, environmentNotes } from '../../load/host/index.ts';
import { generatorNotes } from '../../load/stats/index.ts';
import { histogramsOf, judge } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import type { BenchmarkReport } from '../../load/metrics.ts';
import type { BenchmarkInput } from './schema.ts';
import { prepare } from './plan/prepare.ts';
import type { Prepared } from './plan/prepare.ts';
import { projectLoad, projectSettings, whileChanging } from './plan/project.ts';
import { driftNotes } from './soak.ts';
import { commandOf, describeLoad } from './describe-load.ts';
import { openTarget } from '../../target/target.ts';
import type { Target } from '../../target/target.ts';

/**
 * Load-tests a server: measures latency, throughput and errors, and writes the reports.
 *
 * Throws `UsageError` before it connects, `EnvironmentError` when no connection can be opened or
 * the reports cannot be written; everything else that goes wrong is in the report.
 */
export async function benchmark(
  given: BenchmarkInput,
  context: OperationContext,
): Promise<BenchmarkReport> {
  const startedAt = new Date().toISOString();
  const began = context.now();
  const { input, tokens, secrets } = await projectLoad(given, context.cwd, process.env);
  const prepared = await prepare(input, context.cwd, { tokens });
  const environment = new EnvironmentWatch(prepared.machine);
  const env = input.project === undefined ? {} : projectSettings(input, process.env);
  await using server = await openTarget(input, context, { env: { ...env, ...secrets } });
  const { scenario } = prepared;
  const publisher = { url: server.url, token: secrets['PUBLISH_TOKEN'] };
  const outcome = await whileChanging(publisher, () =>
    runAll({ ...{ input, context, scenario, prepared }, reached: server }),
  );
  const report = reportOf({ input, prepared, server, env, outcome, environment });
  return await writeOut(
    { ...report, startedAt, durationMs: context.now() - began },
    { input, context, outcome },
  );
}

interface Parts {
  readonly input: BenchmarkInput;
  readonly prepared: Prepared;
  readonly server: Target;
  /** Settings of the project; empty for a `--url`. */
  readonly env: Readonly<Record<string, string>>;
  readonly outcome: Outcome;
  readonly environment: EnvironmentWatch;
}

function reportOf({ input, prepared, server, env, outcome, environment }: Parts) {
  const { measured, repeats, comparison, search, runs, otherRuns } = outcome;
  const verdict = judge(outcome, prepared, input.strict);
  const serverCpuMs = [...runs, ...otherRuns].reduce(
    (sum, run) => sum + (run.server?.totalCpuMs ?? 0),
    0,
  );
  const surroundings = environment.read(serverCpuMs);
  const mode = prepared.mode(server);
  const loads = prepared.planFor(server);
  return {
    operation: 'benchmark' as const,
    target: server.url,
    mode,
    ...verdict,
    command: commandOf(input),
    load: describeLoad(loads, prepared.scenario?.name),
    measured,
    repeats,
    comparison,
    search,
    environment: surroundings,
    // Several runs may have the same note.
    notes: [
      ...new Set([
        ...generatorNotes(measured.generator),
        ...(comparison === null ? [] : generatorNotes(comparison.other.generator, 'B: ')),
        ...verdict.notes,
        ...measured.notes,
        ...startNotes(env),
        ...environmentNotes(surroundings),
        ...(mode === 'soak' ? driftNotes(measured) : []),
      ]),
    ],
    reports: [],
  };
}

function startNotes(env: Readonly<Record<string, string>>): string[] {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return settings.length === 0 ? [] : [`the project was started with ${settings.join(' ')}`];
}

async function writeOut(
  report: BenchmarkReport,
  {
    input,
    context,
    outcome,
  }: { input: BenchmarkInput; context: OperationContext; outcome: Outcome },
): Promise<BenchmarkReport> {
  const { writeReports } = await import('../../load/report/index.ts');
  const folder = resolve(context.cwd, input.output);
  const reports = await writeReports(report, histogramsOf(outcome), folder);
  return { ...report, reports };
}
