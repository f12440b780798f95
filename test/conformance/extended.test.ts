import { expect, it } from 'vitest';
import { extendedCases } from '../../src/conformance/extended/index.ts';
import type { CaseResult } from '../../src/conformance/result.ts';
import { verdictOf } from '../../src/conformance/verdict.ts';
import { runEchoClient } from '../support/peers/echo-client.ts';
import { startEchoServer } from '../support/peers/echo-server.ts';
import { WRONG_CLIENTS, WRONG_HANDSHAKES, WRONG_PEERS } from './extended-faults.ts';
import { startFaultyServer } from '../support/peers/faulty-server.ts';
import {
  casesFor,
  notPassed,
  reasonsOf,
  runPool,
  testClientBeyond,
  testServerBeyond,
} from '../support/extended-cases.ts';

/** How many peers are tested at a time: most of their faults show only when nothing happens. */
const PEERS_AT_A_TIME = 12;

/** One entry for each case of each peer. */
function pairs<T>(
  rows: readonly {
    readonly faults: T;
    readonly fails: readonly string[];
    readonly warns?: readonly string[];
  }[],
) {
  return rows.flatMap(({ faults, fails, warns = [] }) => [
    ...fails.map((id) => ({ faults, id, verdict: 'fail' as const })),
    ...warns.map((id) => ({ faults, id, verdict: 'non-strict' as const })),
  ]);
}

function is(result: CaseResult | undefined, verdict: 'fail' | 'non-strict'): boolean {
  return result !== undefined && verdictOf(result) === verdict;
}

it('has cases with ids of their own, an RFC section and words', () => {
  const cases = [...new Set([...extendedCases('server'), ...extendedCases('client')])];
  expect(cases.length).toBeGreaterThanOrEqual(60);
  expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
  for (const { id, rfc, title, description, expectation } of cases) {
    expect(id).toMatch(/^x\.\d+\.\d+\.\d+$/);
    expect(rfc).toMatch(/^(?:6455|7692)#\d+(?:\.\d+)*$/);
    expect(title).not.toBe('');
    expect(description).toMatch(/\.$/);
    expect(expectation).toMatch(/\.$/);
  }
});

it('passes a right server in every case', async () => {
  await using server = await startEchoServer();
  const results = await testServerBeyond(server.url);
  expect(notPassed(results), reasonsOf(results)).toEqual({});
});

it('passes a right client in every case', async () => {
  const results = await testClientBeyond((url) => runEchoClient(url));
  expect(results.length).toBe(extendedCases('client').length);
  expect(notPassed(results), reasonsOf(results)).toEqual({});
});

it('fails servers with a wrong opening handshake, in the cases that are about it', async () => {
  const missed: string[] = [];
  await runPool(pairs(WRONG_HANDSHAKES), PEERS_AT_A_TIME, async ({ faults, id, verdict }) => {
    // A server of its own for each case: some of them do not survive it.
    await using server = await startFaultyServer({ faults });
    const [result] = await testServerBeyond(server.url, [id]);
    if (!is(result, verdict)) missed.push(`${faults.join()} in ${id}: ${result?.result ?? ''}`);
  });
  expect(missed).toEqual([]);
});

it('does not fail the same servers without their faults', async () => {
  await using server = await startFaultyServer();
  const ids = new Set(WRONG_HANDSHAKES.flatMap(({ fails, warns = [] }) => [...fails, ...warns]));
  const results = await testServerBeyond(server.url, [...ids]);
  const failed = results.filter((result) => verdictOf(result) === 'fail');
  expect(reasonsOf(failed)).toBe('');
});

it('fails clients that make something else of a response', async () => {
  const missed: string[] = [];
  await runPool(WRONG_CLIENTS, PEERS_AT_A_TIME, async ({ name, faults, fails }) => {
    const results = await testClientBeyond((url) => runEchoClient(url, faults), fails);
    for (const result of results) {
      if (!is(result, 'fail')) missed.push(`${name} in ${result.id}: ${result.result}`);
    }
  });
  expect(missed).toEqual([]);
});

it('fails servers that are wrong behind the handshake', async () => {
  const missed: string[] = [];
  await runPool(pairs(WRONG_PEERS), PEERS_AT_A_TIME, async ({ faults, id, verdict }) => {
    await using server = await startEchoServer(faults);
    const [result] = await testServerBeyond(server.url, [id]);
    if (!is(result, verdict)) missed.push(`${faults.join()} in ${id}: ${result?.result ?? ''}`);
  });
  expect(missed).toEqual([]);
});

it('fails clients that are wrong behind the handshake', async () => {
  const missed: string[] = [];
  const both = WRONG_PEERS.filter(({ as }) => as === undefined);
  await runPool(pairs(both), PEERS_AT_A_TIME, async ({ faults, id, verdict }) => {
    const connect = (url: string): Promise<void> => runEchoClient(url, { peer: faults });
    const [result] = await testClientBeyond(connect, [id]);
    if (!is(result, verdict)) missed.push(`${faults.join()} in ${id}: ${result?.result ?? ''}`);
  });
  expect(missed).toEqual([]);
});

it('has a wrong peer for every case', () => {
  const shown = new Set(
    [...WRONG_HANDSHAKES, ...WRONG_CLIENTS, ...WRONG_PEERS].flatMap((row) => [
      ...row.fails,
      ...('warns' in row ? (row.warns ?? []) : []),
    ]),
  );
  const cases = [...casesFor('server'), ...casesFor('client')].map(({ id }) => id);
  expect(cases.filter((id) => !shown.has(id))).toEqual([]);
  expect([...shown].filter((id) => !cases.includes(id))).toEqual([]);
});
