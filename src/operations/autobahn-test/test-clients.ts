import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { requireProgram } from '../../core/find-program.ts';
import type { OperationContext } from '../../core/operation.ts';
import type { CaseResult } from '../../conformance/result.ts';
import { FuzzingServer } from '../../conformance/runner/fuzzing-server.ts';
import { LagWatch } from '../../conformance/runner/lag-watch.ts';
import type { CaseTask } from '../../conformance/case.ts';
import { listenerUrl } from '../../transport/address.ts';
import type { AutobahnTestInput } from './schema.ts';
import { SectionProgress } from './section-progress.ts';
import type { CasesOutcome } from './test-server.ts';

/**
 * Waits for clients and runs the cases they ask for, until one of them stops the tester, the
 * spawned client ends, or the signal is aborted.
 *
 * `report` writes what there is so far; clients ask for it. Throws `EnvironmentError`
 * WSK_ERR_LISTEN.
 */
export async function testClients(
  input: AutobahnTestInput,
  tasks: readonly CaseTask[],
  context: OperationContext,
  report: (outcome: CasesOutcome) => Promise<void>,
): Promise<CasesOutcome> {
  using lag = new LagWatch();
  const results = new Map<string, CaseResult>();
  const ids = tasks.map(({ definition }) => definition.id);
  const progress = new SectionProgress(ids, input.failOn, context.emit);
  const notes: string[] = [];
  const outcome = (): CasesOutcome => ({
    target: listenerUrl(input.host, server.port),
    results: [...results.values()],
    notes,
    machineTooBusy: lag.complaint(),
  });
  if (input.spawn !== undefined) requireProgram('--spawn', input.spawn, context.cwd);
  let stop = (): void => undefined;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  await using server = await FuzzingServer.listen({
    cases: tasks.map(({ definition }) => definition),
    quick: input.quick,
    host: input.host,
    port: input.port,
    onResult: (result) => {
      results.set(`${result.agent} ${result.id}`, result);
      progress.add(result);
    },
    onReport: () => report(outcome()),
    onStop: stop,
  });
  context.emit({ stage: `waiting for clients at ${listenerUrl(input.host, server.port)}` });
  context.signal.addEventListener('abort', stop, { once: true });
  if (context.signal.aborted) stop();
  await using client =
    input.spawn === undefined ? undefined : new SpawnedClient(input.spawn, context);
  void client?.ended.then((how) => {
    if (how !== undefined) notes.push(`the client ${how}`);
    stop();
  });
  await stopped;
  context.signal.removeEventListener('abort', stop);
  return outcome();
}

/** The client under test, run by the shell, its output on our standard error. */
class SpawnedClient implements AsyncDisposable {
  readonly #process: ChildProcess;
  /** How it ended, if not in order. */
  readonly ended: Promise<string | undefined>;

  constructor(command: string, { cwd }: OperationContext) {
    this.#process = spawn(command, {
      cwd,
      shell: true,
      // Standard output belongs to the report.
      stdio: ['ignore', 2, 2],
      // A group of its own: what the shell starts ends with it.
      detached: process.platform !== 'win32',
    });
    this.ended = new Promise((resolve) => {
      this.#process.once('error', (error) => {
        resolve(`could not be started: ${error.message}`);
      });
      this.#process.once('exit', (code, signal) => {
        resolve(
          code === 0 ? undefined : `ended with ${signal ?? `exit code ${code ?? 'unknown'}`}`,
        );
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    this.#kill('SIGTERM');
    const timer = setTimeout(() => {
      this.#kill('SIGKILL');
    }, 2000);
    await this.ended;
    clearTimeout(timer);
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    try {
      if (process.platform === 'win32') this.#process.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // It ended meanwhile.
    }
  }
}
