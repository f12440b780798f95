import { setMaxListeners } from 'node:events';
import { basename, resolve } from 'node:path';
import type { HeaderList } from '../../protocol/index.ts';
import type { OperationContext } from '../../core/operation.ts';
import { UsageError } from '../../core/errors.ts';
import { readInputFile } from '../../core/input-file.ts';
import { readProject, startProject } from '../../target/project/index.ts';
import { DeflateCache } from '../../conformance/autobahn/corpus/deflate-cache.ts';
import { dialExchange } from '../../conformance/extended/index.ts';
import type { CaseResult } from '../../conformance/result.ts';
import { dialCase } from '../../conformance/runner/dial-case.ts';
import type { DialTarget } from '../../conformance/runner/dial-case.ts';
import { LagWatch } from '../../conformance/runner/lag-watch.ts';
import type { CaseTask } from '../../conformance/runner/case-result.ts';
import { Patience } from '../../conformance/runner/idle-timeout.ts';
import { runCases } from '../../conformance/runner/scheduler.ts';
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
  const { cwd } = context;
  const ca =
    input.ca === undefined
      ? undefined
      : (await readInputFile(input.ca, { cwd, flag: '--ca' })).toString();
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
    const target = dialTarget(input, server.url, { ca, patience, signal: stop.signal });
    const { results, notes } = await runCases({
      tasks,
      concurrency: input.concurrency,
      signal: stop.signal,
      run: (task) => runTask(task, target),
      isBehind: () => lag.isBehind,
      onDone: (result) => {
        patience.note(result);
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

function runTask(task: CaseTask, target: DialTarget): Promise<CaseResult> {
  const { script } = task.definition;
  return script.kind === 'exchange' ? dialExchange(task, script, target) : dialCase(task, target);
}

interface OpenServer extends AsyncDisposable {
  readonly url: string;
  /** What a project calls itself; a server elsewhere says it in its handshake, or not at all. */
  readonly name: string | undefined;
}

async function openServer(
  { url = '', project }: AutobahnTestInput,
  { cwd, signal, emit }: OperationContext,
): Promise<OpenServer> {
  if (project === undefined) {
    return { url, name: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  const path = resolve(cwd, project);
  const { contract, answers } = (await readProject(path)).manifest;
  if (!contract.echo) {
    throw new UsageError(
      'WSK_ERR_INVALID_INPUT',
      `--project ${project}: its server does not echo; every case of Autobahn expects an echo`,
      { hint: 'generate-server --type echo makes one with the same library' },
    );
  }
  const server = await startProject(path, { signal, emit });
  return {
    url: server.url,
    name: typeof answers['name'] === 'string' ? answers['name'] : basename(path),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function dialTarget(
  input: AutobahnTestInput,
  url: string,
  { ca, patience, signal }: { ca: string | undefined; patience: Patience; signal: AbortSignal },
): DialTarget {
  return {
    url: new URL(url),
    headers: parseHeaders(input.headers),
    protocols: input.subprotocols,
    tls: { rejectUnauthorized: !input.insecure, ca },
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
