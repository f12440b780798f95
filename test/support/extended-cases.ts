import { extendedCases, dialExchange } from '../../src/conformance/extended/index.ts';
import type { CaseDefinition } from '../../src/conformance/case.ts';
import type { CaseResult } from '../../src/conformance/result.ts';
import { FuzzingServer } from '../../src/conformance/runner/fuzzing-server.ts';
import { verdictOf } from '../../src/conformance/verdict.ts';

/** Runs `work` for each item, some of them at a time. */
export async function runPool<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Runs extended cases against a server; all of them if no ids are given. */
export async function testServerBeyond(
  url: string,
  ids?: readonly string[],
  width = 4,
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  const target = {
    url: new URL(url),
    headers: [],
    protocols: [],
    tls: {},
    agent: 'peer',
    signal: new AbortController().signal,
  };
  await runPool(casesFor('server', ids), width, async (definition) => {
    if (definition.script.kind !== 'exchange') throw new Error(`${definition.id} is no exchange`);
    const task = { definition, number: 1, quick: false };
    results.push(await dialExchange(task, definition.script, target));
  });
  return results;
}

/** Runs extended cases with a client, which is given the address to connect to. */
export async function testClientBeyond(
  connect: (url: string) => unknown,
  ids?: readonly string[],
  width = 4,
): Promise<CaseResult[]> {
  const cases = casesFor('client', ids);
  const results: CaseResult[] = [];
  const waiting = new Map<string, () => void>();
  await using server = await FuzzingServer.listen({
    cases,
    quick: false,
    host: '127.0.0.1',
    port: 0,
    onResult: (result) => {
      results.push(result);
      waiting.get(result.id)?.();
    },
    onReport: () => Promise.resolve(),
    onStop: () => undefined,
  });
  await runPool(cases, width, async ({ id }) => {
    const done = new Promise<void>((resolve) => waiting.set(id, resolve));
    // A client may be gone before the case is judged, or stay after that; what counts is the result.
    void connect(`ws://127.0.0.1:${server.port}/runCase?casetuple=${id}&agent=peer`);
    await done;
  });
  return results;
}

/** The cases for peers of one kind, all of them or those named. */
export function casesFor(
  peer: 'server' | 'client',
  ids?: readonly string[],
): readonly CaseDefinition[] {
  return extendedCases(peer).filter(({ id }) => ids === undefined || ids.includes(id));
}

/** What a table of expected results holds: all that did not simply pass, by id. */
export function notPassed(results: readonly CaseResult[]): Record<string, string> {
  return Object.fromEntries(
    results
      .filter((result) => verdictOf(result) !== 'pass')
      .map(({ id, behavior, behaviorClose }) => [
        id,
        behaviorClose === 'OK' ? behavior : `${behavior}, ${behaviorClose}`,
      ]),
  );
}

/** The reasons of results, for the message of a failed test. */
export function reasonsOf(results: readonly CaseResult[]): string {
  return results.map(({ id, result }) => `${id}: ${result}`).join('\n');
}
