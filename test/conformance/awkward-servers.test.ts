import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { runSuite } from '../support/autobahn-suite.ts';
import { freePort } from '../../src/target/project/redis.ts';
import { startFaultyServer } from '../support/peers/faulty-server.ts';
import { startHttp } from '../support/peers/servers.ts';
import { startPeer, urlOf } from '../support/peers/recorded-peers.ts';
import { startWsServer } from '../support/peers/ws-server.ts';

/** Something of every section that takes no minutes. */
const SOME = ['1.*', '3.*', '4.*', '7.*'];
const SOME_COUNT = 16 + 7 + 10 + 37;

describe('a server that does not last', () => {
  it('crashes: the report is complete, and names the cases before', async () => {
    await using server = await startWsServer({ fault: 'exit-at-handshake', every: 30 });
    const { report, verdicts } = await runSuite({ url: server.url, cases: SOME });
    expect(Object.keys(verdicts)).toHaveLength(SOME_COUNT);
    expect(report).toMatchObject({ status: 'failed', success: false });
    expect(report.notes).toEqual([
      expect.stringMatching(/The run ended early: the peer no longer accepts.*last cases.*\d\./),
    ]);
  });

  it('falls silent: the report is complete', async () => {
    await using server = await startWsServer({ fault: 'ignore-handshakes', every: 30 });
    const { report, verdicts } = await runSuite({ url: server.url, cases: SOME });
    expect(Object.keys(verdicts)).toHaveLength(SOME_COUNT);
    expect(report.success).toBe(false);
    expect(report.notes).toEqual([expect.stringContaining('opening handshakes in a row')]);
  });
});

it('says what is there in place of a WebSocket', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const asked = runSuite({ url: `ws://127.0.0.1:${port}`, cases: SOME });
  await expect(asked).rejects.toMatchObject({ code: 'WSK_ERR_TIMEOUT' });
  silent.close();
  await using http = await startHttp((_request, response) => {
    response.writeHead(404).end('not found');
  });
  await expect(runSuite({ url: http.url, cases: SOME })).rejects.toMatchObject({
    code: 'WSK_ERR_HTTP_STATUS',
    message: expect.stringContaining('HTTP 404 Not Found') as string,
  });
});

it('says that nothing is there at all', async () => {
  const url = `ws://127.0.0.1:${await freePort()}`;
  await expect(runSuite({ url, cases: SOME })).rejects.toMatchObject({
    code: 'WSK_ERR_REFUSED',
  });
});

describe('a server that serves one connection at a time', () => {
  it.each([
    ['one-connection', [expect.stringContaining('it got one at a time')]],
    ['queue-connections', []],
  ] as const)('%s: passes, and the report says if it made a difference', async (fault, notes) => {
    await using server = await startWsServer({ fault });
    const { report } = await runSuite({ url: server.url, cases: SOME });
    expect(report.success).toBe(true);
    expect(report.notes).toEqual(notes);
  });
});

it('ends every case of a server that floods with pings, and says why', async () => {
  await using server = await startFaultyServer({ faults: ['flood-pings'] });
  const cases = ['1.1.1', '2.2', '3.1', '6.4.3', '9.1.1', '9.3.9', '9.7.1', '12.1.1'];
  const { report } = await runSuite({ url: server.url, cases });
  expect(report.cases).toHaveLength(cases.length);
  for (const { verdict, reason } of report.cases) {
    expect([verdict, reason]).toEqual(['fail', 'the peer floods with pings']);
  }
});

it('ends a case with a guard where the real suite would hang', async () => {
  await using server = startPeer('wrong-server.mjs', '0', 'no-tcp-drop');
  const { report, verdicts } = await runSuite({ url: await urlOf(server), cases: ['6.4.1'] });
  expect(verdicts).toEqual({ '6.4.1': 'OK / FAILED BY CLIENT / 1007' });
  expect(report.cases[0]?.reason).toContain('Autobahn would wait for ever');
});

it('writes a partial report when it is stopped in the middle', async () => {
  await using server = await startWsServer();
  const controller = new AbortController();
  const { report, verdicts } = await runSuite(
    { url: server.url },
    {
      signal: controller.signal,
      emit: ({ done = 0 }) => {
        if (done >= 50) controller.abort();
      },
    },
  );
  expect(report).toMatchObject({ status: 'interrupted', success: false, selected: 517 });
  expect(Object.keys(verdicts).length).toBeGreaterThanOrEqual(50);
  expect(Object.keys(verdicts).length).toBeLessThan(517);
});
