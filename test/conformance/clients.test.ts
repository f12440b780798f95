import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import {
  startTester,
  recordedVerdicts,
  runSuite,
  stopTester,
  verdictsById,
} from '../support/autobahn-suite.ts';
import { freePort } from '../../src/target/project/redis.ts';
import { startPeer } from '../support/peers/recorded-peers.ts';

const fixtures = fileURLToPath(new URL('../fixtures/conformance', import.meta.url));

/** Everything a client takes part in without minutes of compression. */
const WITHOUT_COMPRESSION = ['12.*', '13.*'];

/** What the tester says on `path`: its messages, and how the handshake ended if it was refused. */
async function ask(port: number, target: string): Promise<{ texts: string[]; status: number }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${target}`);
  const texts: string[] = [];
  let status = 101;
  socket.on('message', (data: Buffer) => texts.push(data.toString()));
  socket.on('error', () => undefined);
  socket.on('unexpected-response', (_request, response) => {
    status = response.statusCode ?? 0;
    socket.terminate();
  });
  await new Promise((resolve) => socket.once('close', resolve));
  return { texts, status };
}

describe('the paths of the fuzzing server', () => {
  it('tell the number of cases, what a case is, and how it came out once it has', async () => {
    const { port, tested } = await startTester({ cases: ['7.1.1', '7.3.*'] });
    await expect(ask(port, '/getCaseCount')).resolves.toEqual({ texts: ['7'], status: 101 });
    const { texts } = await ask(port, '/getCaseInfo?case=2');
    expect(JSON.parse(texts[0] ?? '')).toEqual({
      id: '7.3.1',
      description: 'Sends a close frame without payload.',
    });
    const status = ask(port, '/getCaseStatus?case=2&agent=ws');
    await ask(port, '/runCase?case=2&agent=ws');
    await expect(status).resolves.toEqual({ texts: ['{"behavior":"OK"}'], status: 101 });
    await expect(ask(port, '/runCase?case=99&agent=ws')).resolves.toMatchObject({ status: 500 });
    await expect(ask(port, '/runCase?case=1')).resolves.toMatchObject({ status: 500 });
    await expect(ask(port, '/somewhere')).resolves.toMatchObject({ status: 404 });
    await stopTester(port);
    const { verdicts } = await tested;
    expect(verdicts).toEqual({ '7.3.1': 'OK / OK / null' });
  });

  it('write the reports when a client asks for them, and stop upon shutdownOnComplete', async () => {
    const { port, tested } = await startTester({ cases: ['7.3.3'] });
    await ask(port, '/runCase?casetuple=7.3.3&agent=my%20client');
    await ask(port, '/updateReports?agent=my%20client&shutdownOnComplete=true');
    const { report, output } = await tested;
    expect(report).toMatchObject({ success: true, agents: ['my client'] });
    const result = JSON.parse(
      readFileSync(path.join(output, 'my_client_case_7_3_3.json'), 'utf8'),
    ) as Record<string, unknown>;
    expect(result).toMatchObject({ agent: 'my client', id: '7.3.3', isServer: true, case: 1 });
  });
});

describe('ws as a client', () => {
  it('gets Autobahn’s verdicts outside of sections 12 and 13', async () => {
    const expected = Object.fromEntries(
      Object.entries(verdictsById(recordedVerdicts().ws['client plain'] ?? {})).filter(
        ([id]) => !/^1[23]\./.test(id),
      ),
    );
    const ids = Object.keys(expected);
    const { port, tested } = await startTester({ exclude: WITHOUT_COMPRESSION });
    const shares = Array.from({ length: 4 }, (_, at) => ids.filter((_id, n) => n % 4 === at));
    await Promise.all(
      shares.map(async (share) => {
        await using client = startPeer('ws-echo-client.mjs', String(port), share.join(','));
        await once(client, 'exit');
      }),
    );
    await stopTester(port);
    expect((await tested).verdicts).toEqual(expected);
  });

  it('passes the compression cases', async () => {
    const ids = ['12.1.1', '12.4.11', '13.2.3', '13.5.4', '13.7.12'];
    const { port, tested } = await startTester({ quick: true, cases: ids });
    await using client = startPeer('ws-echo-client.mjs', String(port), ids.join(','), 'deflate');
    await once(client, 'exit');
    await stopTester(port);
    const { report } = await tested;
    expect(report.verdicts).toMatchObject({ pass: 5, fail: 0, unimplemented: 0 });
  });
});

describe('a client that is spawned', () => {
  const quote = (text: string): string => `"${text}"`;

  it('is Node’s own WebSocket, which fails nothing', async () => {
    const port = await freePort();
    const behindFlag = !('WebSocket' in globalThis);
    const { report } = await runSuite({
      role: 'client',
      port,
      cases: ['1.*', '2.*', '5.*', '6.1.*', '6.2.*', '6.3.*', '7.1.*', '10.*'],
      spawn: [
        quote(process.execPath),
        ...(behindFlag ? ['--experimental-websocket', '--no-warnings'] : []),
        quote(path.join(fixtures, 'node-echo-client.mjs')),
        String(port),
      ].join(' '),
    });
    expect(report.agents).toEqual(['node']);
    expect(report.cases.filter(({ verdict }) => verdict === 'fail')).toEqual([]);
    expect(report.selected).toBe(
      Object.values(report.verdicts).reduce((sum, count) => sum + count, 0),
    );
  });

  it('ends the test with it, also when it comes to nothing', async () => {
    const port = await freePort();
    const { report } = await runSuite({
      role: 'client',
      port,
      spawn: `${quote(process.execPath)} -e "process.exit(3)"`,
    });
    expect(report.success).toBe(false);
    expect(report.notes).toEqual(['no client connected', 'the client ended with exit code 3']);
  });
});

it('says that there is no such client, or address', async () => {
  const ask = { role: 'client', spawn: 'no-such-client --url x' } as const;
  await expect(runSuite(ask)).rejects.toThrow('--spawn begins with "no-such-client"');
  await expect(runSuite({ role: 'client', host: '192.0.2.1' })).rejects.toMatchObject({
    code: 'WSK_ERR_LISTEN',
    hint: 'this machine has no such address: choose another --host',
  });
});

it('says that a port is taken', async () => {
  const { port, tested } = await startTester({ cases: ['1.1.1'] });
  await ask(port, '/getCaseCount');
  await expect(runSuite({ role: 'client', port })).rejects.toMatchObject({
    code: 'WSK_ERR_LISTEN',
  });
  await stopTester(port);
  expect(existsSync((await tested).output)).toBe(true);
});
