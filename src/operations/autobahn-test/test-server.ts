import { setMaxListeners } from 'node:events';
import type { OperationContext } from '../../core/operation.ts';
import { invalidInput } from '../../core/errors.ts';
import { readAccess } from '../../target/access.ts';
import type { Access } from '../../target/access.ts';
import { openTarget } from '../../target/target.ts';
import { dial } from '../../transport/index.ts';
import { DeflateCache } from '../../conformance/autobahn/corpus/deflate-cache.ts';
import { dialExchange } from '../../conformance/extended/index.ts';
import type { CaseResult } from '../../conformance/result.ts';
import { dialCase } from '../../conformance/runner/dial-case.ts';
import type { DialTarget } from '../../conformance/runner/dial-case.ts';
import { LagWatch } from '../../conformance/runner/lag-watch.ts';
import type { CaseTask } from '../../conformance/case.ts';
import { IdleTimeout } from '../../conformance/runner/idle-timeout.ts';
import { runCases } from '../../conformance/runner/scheduler.ts';
import type { AutobahnTestInput } from './schema.ts';
import { SectionProgress } from './section-progress.ts';

/** The results of the cases, with one peer or several. */
export interface CasesOutcome {
  readonly target: string;
  readonly results: readonly CaseResult[];
  readonly notes: readonly string[];
  readonly machineTooBusy: string | null;
}

/** Runs `tasks` against the server of the input; throws when there is none. */
export async function testServer(
  input: AutobahnTestInput,
  tasks: readonly CaseTask[],
  context: OperationContext,
): Promise<CasesOutcome> {
  const access = await readAccess(input, context.cwd);
  await using server = await openTarget(input, context, {
    check: ({ contract }) => {
      if (contract.echo) return;
      throw invalidInput(
        `--project ${input.project}: its server does not echo; every case of Autobahn expects an echo`,
        'generate-server --type echo makes one with the same library',
      );
    },
  });
  await expectWebSocket(server.url, input, { access, signal: context.signal });
  using lag = new LagWatch();
  // Every connection listens to this signal, and there are many of them.
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const onAbort = (): void => {
    stop.abort(context.signal.reason);
  };
  context.signal.addEventListener('abort', onAbort, { once: true });
  if (context.signal.aborted) onAbort();
  try {
    const idleTimeout = new IdleTimeout();
    const ids = tasks.map(({ definition }) => definition.id);
    const progress = new SectionProgress(ids, input.failOn, context.emit);
    const target = dialTarget(input, server.url, { access, idleTimeout, signal: stop.signal });
    const { results, notes } = await runCases({
      tasks,
      concurrency: input.concurrency,
      signal: stop.signal,
      run: (task) => runTask(task, target),
      isBehind: () => lag.isBehind,
      onDone: (result) => {
        idleTimeout.note(result);
        progress.add(result);
      },
    });
    const agent =
      input.agent ?? server.name ?? results.find(({ opened }) => opened)?.agent ?? 'UnknownServer';
    return {
      target: server.url,
      results: results.map((result) => ({ ...result, agent })),
      notes,
      machineTooBusy: lag.complaint(),
    };
  } finally {
    context.signal.removeEventListener('abort', onAbort);
  }
}

/** Opens one connection: where there is no WebSocket at all, no case says anything about it. */
async function expectWebSocket(
  url: string,
  { subprotocols }: AutobahnTestInput,
  { access, signal }: { access: Access; signal: AbortSignal },
): Promise<void> {
  const channel = await dial(url, { ...access, protocols: subprotocols, signal });
  await channel.close(1000, CLOSE_MS);
}

/** Milliseconds for the closing handshake of that connection. */
const CLOSE_MS = 250;

function runTask(task: CaseTask, target: DialTarget): Promise<CaseResult> {
  const { script } = task.definition;
  return script.kind === 'exchange' ? dialExchange(task, script, target) : dialCase(task, target);
}

function dialTarget(
  input: AutobahnTestInput,
  url: string,
  {
    access,
    idleTimeout,
    signal,
  }: { access: Access; idleTimeout: IdleTimeout; signal: AbortSignal },
): DialTarget {
  return {
    url: new URL(url),
    ...access,
    protocols: input.subprotocols,
    agent: input.agent,
    cache: new DeflateCache(),
    idleS: () => idleTimeout.timeoutS,
    signal,
  };
}
