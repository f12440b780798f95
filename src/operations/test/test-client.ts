import { resolve } from 'node:path';
import { runClientContract } from '../../contract/client/index.ts';
import type { ClientResult } from '../../contract/client/index.ts';
import { REALTIME_TYPES, isForeign } from '../../contract/terms.ts';
import type { RealtimeType } from '../../contract/terms.ts';
import { invalidInput } from '../../core/errors.ts';
import { requireProgram } from '../../core/find-program.ts';
import { countGrades, graded } from '../../core/grade.ts';
import type { OperationContext } from '../../core/operation.ts';
import { shellQuote } from '../../core/shell-quote.ts';
import { prepare, readClient, runTests } from '../../target/project/index.ts';
import type { ClientProject } from '../../target/project/index.ts';
import { reasonsOf } from './check.ts';
import { judgeOwnTests, ownTests } from './checks/own-tests.ts';
import { Measurements } from './measurements.ts';
import type { CheckRow, TestInput, TestReport } from './schema.ts';

/** Limit of a case, in time-outs of a step. */
const CASE_TIMEOUTS = 2;

interface Subject {
  readonly type: RealtimeType;
  readonly command: string;
  /** The folder in which it is started. */
  readonly cwd: string;
  readonly project?: ClientProject;
}

/**
 * Holds a client to its contract: it is started once for each case, against a server that misbehaves. A
 * generated client is installed and built first where that has not been done.
 *
 * Throws `UsageError` for a client that is none, `EnvironmentError` for one that cannot be built.
 */
export async function testClient(input: TestInput, context: OperationContext): Promise<TestReport> {
  const startedAt = performance.now();
  const checks: CheckRow[] = [];
  const subject = subjectOf(input, context);
  const { signal } = context;
  try {
    const driver = subject.project?.manifest.commands.driver ?? null;
    if (subject.project !== undefined && driver !== null) {
      await prepare(subject.project, driver, context);
    }
    const { type, command, cwd } = subject;
    const results = await runClientContract({
      ...{ type, command, cwd, signal },
      timeoutMs: input.timeoutMs * CASE_TIMEOUTS,
      onResult: (_, done, total) => context.emit({ stage: 'client', done, total }),
    });
    checks.push(...results.map((result) => graded(rowOf(result), input.strict)));
    if (input.ownTests && subject.project !== undefined && !signal.aborted) {
      checks.push(await ownTestsRow(subject.project, context));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const interrupted = signal.aborted;
  const summary = countGrades(checks);
  const success = !interrupted && summary.failed === 0 && summary.passed > 0;
  const durationMs = performance.now() - startedAt;
  return {
    operation: 'test',
    target: input.project ?? subject.command,
    status: interrupted ? 'interrupted' : success ? 'passed' : 'failed',
    handshake: { protocol: null, extensions: '' },
    metrics: new Measurements().toMetrics({ sent: 0, received: 0 }, durationMs),
    checks,
    reasons: reasonsOf(checks),
    summary,
    success,
  };
}

async function ownTestsRow(project: ClientProject, context: OperationContext): Promise<CheckRow> {
  const startedAt = performance.now();
  context.emit({ stage: ownTests.id });
  const outcome = judgeOwnTests(await runTests(project, context));
  const { id, rfc, title } = ownTests;
  return { id, rfc, title, ...outcome, durationMs: performance.now() - startedAt };
}

function subjectOf(input: TestInput, { cwd }: OperationContext): Subject {
  const { contract, client } = input;
  if (input.project === undefined) {
    if (contract === undefined || client === undefined) throw new Error('the schema wants both');
    if (isForeign(contract)) {
      throw invalidInput(
        `there is no contract for clients of ${contract}`,
        `there is one of ${REALTIME_TYPES.join(', ')}`,
      );
    }
    requireProgram('--client', client, cwd);
    return { type: contract, command: client, cwd };
  }
  const project = readClient(resolve(cwd, input.project));
  const { type, commands } = project.manifest;
  if (type === 'collab' || type === 'rpc' || commands.driver === null) {
    throw invalidInput(
      `there is no contract for the client of ${type === 'rpc' ? 'an' : 'a'} ${type} server`,
      'run its own tests',
    );
  }
  if (contract !== undefined && contract !== type) {
    throw invalidInput(`the client is one of a ${type} server`, 'leave --contract out');
  }
  const command = client ?? `${shellQuote(commands.driver)} {url}`;
  return { type, command, cwd: project.root, project };
}

/** The first part of a case's id, in words. */
const SECTIONS: Readonly<Record<string, string>> = {
  cut: 'Lost connections',
  epoch: 'Restarts',
  gap: 'Gaps',
  twice: 'Duplicates',
  order: 'Order',
  late: 'Late answers',
  unknown: 'Unknown messages',
  garbage: 'Garbage',
  huge: 'Garbage',
  http: 'Refused handshakes',
  close: 'Close codes',
  draining: 'Close codes',
  silence: 'Silence',
  token: 'Tokens',
};

function rowOf({ id, title, verdict, detail, durationMs }: ClientResult): CheckRow {
  const section = SECTIONS[id.split('.', 1)[0] ?? ''] ?? '';
  return { id: `client.${id}`, rfc: '', title, section, verdict, detail, durationMs };
}
