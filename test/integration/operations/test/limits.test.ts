import { describe, expect, it } from 'vitest';
import type { Fault } from '../../../support/peers/faults.ts';
import { startFaultyServer } from '../../../support/peers/faulty-server.ts';
import { startWs } from '../../../support/peers/servers.ts';
import { failedIds, runTest } from '../../../support/endpoint.ts';

const IDS = ['message-near-limit', 'over-limit', 'over-limit-fragmented'];

/** The rows about the limit of a server of which nobody stated one. */
async function limitRows(url: string, input: { readonly echo?: boolean } = {}) {
  const report = await runTest({ url, messages: 1, timeoutMs: 3000, ...input });
  expect(failedIds(report.checks)).toEqual([]);
  return report.checks.filter(({ id }) => IDS.includes(id));
}

const FOUND: readonly (readonly [what: string, faults: readonly Fault[]])[] = [
  ['looks at the announced length', []],
  ['looks at a message once it is complete', ['late-limit']],
  ['does not echo', ['no-echo']],
  ['does not echo and looks at a message once it is complete', ['no-echo', 'late-limit']],
];

describe('a limit that nobody stated', () => {
  it.each(FOUND)('is found out to the byte of a server that %s', async (_, faults) => {
    await using server = await startFaultyServer({ faults, limitBytes: 70_000 });
    expect(await limitRows(server.url)).toMatchObject([
      { verdict: 'pass', detail: 'the limit is 70000 bytes: 70001 bytes were refused with 1009' },
      { verdict: 'pass', detail: 'a message of 70001 bytes refused with 1009' },
      { verdict: 'pass', detail: 'fragments of 70001 bytes in all refused with 1009' },
    ]);
  });

  it('may be below 64 KiB, unless another was stated', async () => {
    await using server = await startFaultyServer({ faults: [], limitBytes: 32_768 });
    const { url } = server;
    const long = ({ checks }: Awaited<ReturnType<typeof runTest>>) =>
      checks.find(({ id }) => id === 'message-64k');
    const options = { url, messages: 1, timeoutMs: 3000 };
    expect(long(await runTest(options))).toMatchObject({
      verdict: 'info',
      detail: expect.stringMatching(/1009.* 65536 bytes: its own limit is lower/) as unknown,
    });
    expect(long(await runTest({ ...options, maxPayload: 70_000 }))?.verdict).toBe('fail');
  });

  it('may be one of frames, not of messages', async () => {
    await using server = await startFaultyServer({
      faults: ['limit-per-frame'],
      limitBytes: 70_000,
    });
    expect(await limitRows(server.url)).toMatchObject(
      [
        { verdict: 'pass', detail: /^the limit is 70000 bytes/ },
        { verdict: 'pass' },
        {
          verdict: 'info',
          detail:
            /^the limit of 70000 bytes is one of frames: in fragments, messages of (up to )?\d{7,} bytes are/,
        },
      ].map((row) => ({
        ...row,
        ...('detail' in row && { detail: expect.stringMatching(row.detail) as unknown }),
      })),
    );
  });

  it('is told by a drop of TCP: the client cannot know why, so that is a warning', async () => {
    await using server = await startFaultyServer({
      faults: ['drop-over-limit'],
      limitBytes: 70_000,
    });
    expect(await limitRows(server.url)).toMatchObject([
      {
        verdict: 'pass',
        detail: 'the limit is 70000 bytes: the server dropped the connection over 70001 bytes',
      },
      { verdict: 'warn' },
      { verdict: 'pass' },
    ]);
  });

  it.each([true, false])('need not be there: ws without one (echo: %s)', async (echo) => {
    await using server = await startWs({ maxPayload: 0, perMessageDeflate: false });
    expect(await limitRows(server.url, { echo })).toMatchObject([
      {
        verdict: 'info',
        detail: 'no limit up to 16777216 bytes, and no RFC asks for one; --max-payload states one',
      },
      { verdict: 'skip', detail: 'no limit was stated or found' },
      { verdict: 'skip', detail: 'no limit was stated or found' },
    ]);
  });
});

it('names the measured limit where a larger one was stated', async () => {
  await using server = await startFaultyServer({ faults: ['late-limit'], limitBytes: 10_000 });
  const report = await runTest({ url: server.url, messages: 1, maxPayload: 60_000 });
  const row = report.checks.find(({ id }) => id === 'message-near-limit');
  expect(row).toMatchObject({ verdict: 'fail' });
  expect(row?.detail).toMatch(/refuses more than 10000 bytes: --max-payload 10000 checks/);
});
