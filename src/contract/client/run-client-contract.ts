import { atMost } from '../at-most.ts';
import type { ClientCase } from './case.ts';
import { CLIENT_CASES } from './cases.ts';
import { ClientProcess } from './client-process.ts';
import { DIALECTS } from './dialect.ts';
import type { RealtimeType } from '../terms.ts';
import { FaultyServer } from './faulty-server.ts';
import { faultsOf } from './judge.ts';
import type { Course } from './judge.ts';

export interface ClientContractOptions {
  readonly type: RealtimeType;
  /** Starts the client under test; `{url}` stands for the URL of the server. */
  readonly command: string;
  readonly cwd: string;
  readonly signal: AbortSignal;
  /** Limit of a case. */
  readonly timeoutMs: number;
  /** Ids of the cases to run. Default: all. */
  readonly ids?: readonly string[];
  readonly onResult?: (result: ClientResult, done: number, total: number) => void;
}

/** How a client behaved in one case. */
export interface ClientResult {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'pass' | 'fail' | 'skip';
  readonly detail: string;
  readonly durationMs: number;
}

/** Cases that run at the same time. */
const CONCURRENCY = 4;

/** Everything is as in production but for the delays. */
const OPTIONS = {
  backoff: { baseMs: 10, maxMs: 50 },
  connectTimeoutMs: 5000,
  joinTimeoutMs: 5000,
  ackTimeoutMs: 5000,
  pongTimeoutMs: 5000,
};

/** Time in which a client that has given up would try again. */
const QUIET_MS = 200;

/** Holds a client to each case of its type. */
export async function runClientContract(options: ClientContractOptions): Promise<ClientResult[]> {
  const { type, ids, signal, onResult } = options;
  const cases = CLIENT_CASES.filter(
    (one) => (one.types?.includes(type) ?? true) && (ids?.includes(one.id) ?? true),
  );
  const results = new Map<string, ClientResult>();
  const add = (result: ClientResult): void => {
    results.set(result.id, result);
    onResult?.(result, results.size, cases.length);
  };
  const work = atMost(CONCURRENCY, async (next: ClientCase): Promise<ClientResult | undefined> => {
    if (signal.aborted) return undefined;
    const result = await runCase(next, options);
    add(result);
    return result;
  });
  const runTokenCases = async (): Promise<void> => {
    const [first, ...others] = cases.filter(({ tokens }) => tokens !== undefined);
    const asked = first === undefined ? undefined : await work(first);
    // A client that never asks is waited for once.
    if (asked?.verdict !== 'skip') await Promise.all(others.map(work));
    else for (const { id, title } of others) add({ ...asked, id, title, durationMs: 0 });
  };
  const rest = cases.filter(({ tokens }) => tokens === undefined);
  await Promise.all([runTokenCases(), ...rest.map(work)]);
  return cases.flatMap(({ id }) => results.get(id) ?? []);
}

async function runCase(
  definition: ClientCase,
  { type, command, cwd, signal, timeoutMs }: ClientContractOptions,
): Promise<ClientResult> {
  const startedAt = performance.now();
  const dialect = DIALECTS[type];
  const { id, title, expect, tokens } = definition;
  await using server = await FaultyServer.listen(definition, dialect);
  await using client = new ClientProcess(command, server.url, {
    cwd,
    clientOptions: { ...OPTIONS, ...definition.options },
  });
  for (const token of tokens?.given ?? []) client.send({ command: 'token', token });
  client.send({ command: 'join', name: dialect.name });
  const published = new Map<string, string>();
  const publish = (key: string): void => {
    if (dialect.publishTo === null) return;
    published.set(key, `own-${key}`);
    client.send({ command: 'publish', name: dialect.publishTo, data: `own-${key}`, key });
  };
  publish('k1');
  const isClosed = (): boolean => client.all('state').at(-1)?.['state'] === 'closed';
  const outcomes = () => [...client.all('ack'), ...client.all('rejected')];
  const texts = () => client.all('message').map((line) => dialect.seen(line['data']));
  const hasAll = (): boolean =>
    texts().at(-1) === server.truth.at(-1)?.text && outcomes().length >= published.size;
  const needed = expect.connections ?? Math.max(...(expect.closedAfter ?? [1]));
  const isDone = (): boolean =>
    server.isCalm &&
    hasAll() &&
    server.attempts.length >= needed &&
    server.tokensTaken.size >= (expect.tokensTaken ?? 0);
  await client.until(() => isClosed() || isDone(), timeoutMs, signal);
  const hasNoToken = tokens !== undefined && client.all('token').length === 0;
  if (!isClosed() && isDone()) {
    // What works once works again.
    publish('k2');
    server.publish();
    await client.until(() => isClosed() || isDone(), timeoutMs, signal);
  }
  if (isClosed()) {
    await client.until(() => server.attempts.length > needed, QUIET_MS, signal);
  }
  const faults = faultsOf(definition, {
    truth: server.truth,
    seen: client.lines.flatMap((line): Course['seen'] => {
      if (line.event === 'message') return [{ text: dialect.seen(line['data']) }];
      return line.event === 'recovered' ? [{ recovered: line['recovered'] === true }] : [];
    }),
    published,
    outcomes: outcomes(),
    tokensTaken: server.tokensTaken.size,
    attempts: server.attempts,
    waits: client
      .all('state')
      .flatMap(({ retryInMs: wait }) => (typeof wait === 'number' ? wait : [])),
    isClosed: isClosed(),
    isComplete: isDone(),
  });
  const durationMs = Math.round(performance.now() - startedAt);
  const base = { id, title, durationMs };
  if (signal.aborted) return { ...base, verdict: 'skip', detail: 'interrupted' };
  if (client.hasEnded && client.lines.length === 0) {
    const detail = `the client has ended: ${client.noise.trim() || 'without a word'}`;
    return { ...base, verdict: 'fail', detail };
  }
  if (hasNoToken) return { ...base, verdict: 'skip', detail: 'the client never asks for a token' };
  if (faults.length === 0) {
    const detail = `${texts().length} messages over ${server.attempts.length} connections`;
    return { ...base, verdict: 'pass', detail };
  }
  const noise = client.noise === '' ? '' : `; it printed: ${client.noise.trim()}`;
  return { ...base, verdict: 'fail', detail: `${faults.slice(0, 3).join('; ')}${noise}` };
}
