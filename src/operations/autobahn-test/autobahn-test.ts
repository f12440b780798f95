import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { OperationContext } from '../../core/operation.ts';
import { VERSION } from '../../core/version.ts';
import { allCases } from '../../conformance/autobahn/cases/index.ts';
import { extendedCases } from '../../conformance/extended/index.ts';
import { readExpectedFailures, weighExpectations } from './expected-failures.ts';
import type { ExpectedRow } from './expected-failures.ts';
import { compareRuns, readOtherIndex, writeReports } from '../../conformance/report/index.ts';
import type { OtherIndex } from '../../conformance/report/index.ts';
import type { AgentResults, CaseResult, ConformanceRun } from '../../conformance/result.ts';
import type { CaseTask } from '../../conformance/case.ts';
import type { AutobahnTestInput, AutobahnTestReport } from './schema.ts';
import { quicken, selectCases } from './select.ts';
import { summarize } from './summarize.ts';
import { testClients } from './test-clients.ts';
import { testServer } from './test-server.ts';
import type { CasesOutcome } from './test-server.ts';

/**
 * Runs Autobahn's cases against a server, or against the clients that come, and writes the reports.
 *
 * Throws `EnvironmentError` when there is nothing to test or nowhere to listen or to write to, and
 * `UsageError` for an unreadable file; whatever a peer does once there is one is in the report.
 */
export async function autobahnTest(
  input: AutobahnTestInput,
  context: OperationContext,
): Promise<AutobahnTestReport> {
  const tasks = selectTasks(input);
  const suite = new Suite(input, context, {
    tasks,
    expected:
      input.expectedFailures === undefined
        ? []
        : await readExpectedFailures(input.expectedFailures, context.cwd),
    other:
      input.compare === undefined ? undefined : await readOtherIndex(input.compare, context.cwd),
  });
  const outcome =
    input.role === 'client'
      ? await testClients(input, tasks, context, async (soFar) => {
          await suite.report(soFar);
        })
      : await testServer(input, tasks, context);
  return suite.report(outcome);
}

/** A client asks for a case by its place in the selection, a server gets Autobahn's own numbers. */
function selectTasks(input: AutobahnTestInput): CaseTask[] {
  const all = [...allCases(), ...(input.extended ? extendedCases(input.role) : [])];
  return selectCases(all, input).map((definition, index) => ({
    definition: input.quick ? quicken(definition) : definition,
    number: input.role === 'client' ? index + 1 : all.indexOf(definition) + 1,
    quick: input.quick && definition.script.kind === 'compression',
  }));
}

interface SuiteOptions {
  readonly tasks: readonly CaseTask[];
  readonly expected: readonly ExpectedRow[];
  readonly other: OtherIndex | undefined;
}

/** What is the same for every report of one invocation. */
class Suite {
  readonly #input: AutobahnTestInput;
  readonly #context: OperationContext;
  readonly #options: SuiteOptions;
  readonly #startedAt = new Date();
  readonly #began = performance.now();

  constructor(input: AutobahnTestInput, context: OperationContext, options: SuiteOptions) {
    this.#input = input;
    this.#context = context;
    this.#options = options;
  }

  /** Writes the reports about `outcome` and sums them up. */
  async report(outcome: CasesOutcome): Promise<AutobahnTestReport> {
    const run = this.#toRun(outcome);
    const comparison =
      this.#options.other === undefined ? undefined : compareRuns(run, this.#options.other);
    const folder = resolve(this.#context.cwd, this.#input.output);
    const files = await writeReports(run, folder, comparison);
    return summarize(run, { files, comparison });
  }

  #isComplete(agents: readonly AgentResults[]): boolean {
    const { length } = this.#options.tasks;
    return agents.length > 0 && agents.every(({ cases }) => cases.length === length);
  }

  #toRun(outcome: CasesOutcome): ConformanceRun {
    const { cases, exclude, quick, extended, concurrency, failOn, role } = this.#input;
    const agents = groupByAgent(outcome.results, this.#options.tasks);
    return {
      options: {
        role,
        target: outcome.target,
        cases,
        exclude,
        quick,
        extended,
        concurrency,
        failOn,
      },
      environment: {
        version: VERSION,
        node: process.version,
        platform: `${process.platform} ${process.arch}`,
        cpus: availableParallelism(),
      },
      agents,
      startedAt: this.#startedAt.toISOString(),
      durationMs: performance.now() - this.#began,
      // Ctrl-C after the last case is how a person ends a tester that waits for clients.
      interrupted: this.#context.signal.aborted && !this.#isComplete(agents),
      selected: this.#options.tasks.length,
      machineTooBusy: outcome.machineTooBusy,
      notes: outcome.notes,
      expectedFailures: weighExpectations(this.#options.expected, agents, failOn),
    };
  }
}

/** Results by agent, in the order of the tasks. */
function groupByAgent(results: readonly CaseResult[], tasks: readonly CaseTask[]): AgentResults[] {
  const order = new Map(tasks.map(({ definition }, index) => [definition.id, index]));
  const place = ({ id }: CaseResult): number => order.get(id) ?? 0;
  const agents = [...new Set(results.map(({ agent }) => agent))].sort();
  return agents.map((agent) => ({
    agent,
    cases: results.filter((result) => result.agent === agent).sort((a, b) => place(a) - place(b)),
  }));
}
