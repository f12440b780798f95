import { resolve } from 'node:path';
import { setMaxListeners } from 'node:events';
import type { HeaderList } from '../protocol/index.ts';
import type { OperationContext } from '../operation.ts';
import { startProject } from '../project/index.ts';
import { DeflateCache } from './compression/deflate-cache.ts';
import { dialExchange } from './extended/index.ts';
import type { CaseResult } from './result.ts';
import { dialCase } from './run/dial-case.ts';
import type { DialTarget } from './run/dial-case.ts';
import { LagWatch } from './run/lag-watch.ts';
import type { CaseTask } from './run/outcome.ts';
import { Patience } from './run/patience.ts';
import { runCases } from './run/run-cases.ts';
import type { AutobahnTestInput } from './schema.ts';
import { SectionProgress } from './section-progress.ts';

/** What became of the cases with one peer or several. */
export interface Played {
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
): Promise<Played> {
  await using server = await openServer(input, context);
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
    const patience = new Patience();
    const ids = tasks.map(({ definition }) => definition.id);
    const progress = new SectionProgress(ids, input.failOn, context.emit);
    const target = dialTarget(input, server.url, { patience, signal: stop.signal });
    const { results, notes } = await runCases({
      tasks,
      concurrency: input.concurrency,
      signal: stop.signal,
      run: (task) => runTask(task, target),
      onDone: (result) => {
        patience.note(result);
        progress.add(result);
      },
    });
    const agent = input.agent ?? results.find(({ opened }) => opened)?.agent ?? 'UnknownServer';
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

function runTask(task: CaseTask, target: DialTarget): Promise<CaseResult> {
  const { script } = task.definition;
  return script.kind === 'exchange' ? dialExchange(task, script, target) : dialCase(task, target);
}

async function openServer(
  input: AutobahnTestInput,
  context: OperationContext,
): Promise<AsyncDisposable & { readonly url: string }> {
  if (input.project === undefined) {
    return { url: input.url ?? '', [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  return startProject(resolve(context.cwd, input.project), {
    signal: context.signal,
    emit: context.emit,
  });
}

function dialTarget(
  input: AutobahnTestInput,
  url: string,
  { patience, signal }: { patience: Patience; signal: AbortSignal },
): DialTarget {
  return {
    url: new URL(url),
    headers: parseHeaders(input.headers),
    protocols: input.subprotocols,
    verifyTls: !input.insecure,
    agent: input.agent,
    cache: new DeflateCache(),
    idleS: () => patience.seconds(),
    signal,
  };
}

function parseHeaders(lines: readonly string[]): HeaderList {
  return lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const;
  });
}
