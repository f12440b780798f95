import { writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { createCertificate } from '../../../support/certificates.ts';
import { startWs } from '../../../support/peers/servers.ts';
import type { TestServer } from '../../../support/peers/servers.ts';
import { runBenchmark } from '../../../support/load-operation.ts';
import { websocketSkill } from '../../../support/programs.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const SHORT = ['--duration', '400ms', '--warmup', '0', '--drain', '30s', '--rate', '50'];

/** An echo server behind TLS. */
async function startSecure(options: ServerOptions): Promise<TestServer> {
  const https = createServer(options);
  const server = new WebSocketServer({ server: https });
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.on('error', () => undefined);
  https.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
  return {
    url: `wss://127.0.0.1:${(https.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      https.closeAllConnections();
      await new Promise((resolve) => https.close(resolve));
    },
  };
}

/** An echo server that notes the requests it upgrades. */
async function startWitness() {
  const requests: { headers: IncomingHttpHeaders; from: string }[] = [];
  const verifyClient = ({ req }: { req: IncomingMessage }): boolean => {
    const from = req.socket.remoteAddress?.replace('::ffff:', '') ?? '';
    requests.push({ headers: req.headers, from });
    return true;
  };
  const handleProtocols = (names: Set<string>): string | false => [...names][0] ?? false;
  return Object.assign(await startWs({ verifyClient, handleProtocols }), { requests });
}

describe('a server behind TLS', () => {
  it('is trusted by --ca or --insecure, and otherwise exit code 3', async () => {
    const folder = temporaryFolder();
    const { key, cert, certFile } = createCertificate(folder, { name: 'IP:127.0.0.1' });
    await using server = await startSecure({ key, cert });
    const args = ['--url', server.url, '--connections', '2', ...SHORT];
    expect(await runBenchmark([...args, '--ca', certFile])).toMatchObject({ code: 0 });
    expect(await runBenchmark([...args, '--insecure'])).toMatchObject({ code: 0 });
    const { code, stdout } = await websocketSkill(['benchmark', ...args, '--json'], {
      cwd: folder,
    });
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'WSK_ERR_TLS' } });
  });

  it('that asks for a certificate gets the one of --cert and --key', async () => {
    const folder = temporaryFolder();
    const { key, cert, certFile } = createCertificate(folder, { name: 'IP:127.0.0.1' });
    const keyFile = path.join(folder, 'client.key');
    writeFileSync(keyFile, key);
    await using server = await startSecure({
      key,
      cert,
      ca: cert,
      requestCert: true,
      rejectUnauthorized: true,
    });
    const args = ['--url', server.url, '--connections', '2', '--insecure', ...SHORT];
    const { code, report } = await runBenchmark([...args, '--cert', certFile, '--key', keyFile]);
    expect(code).toBe(0);
    expect(report.measured.messages).toMatchObject({ sent: 20, received: 20 });
    const refused = await websocketSkill(['benchmark', ...args], { cwd: folder });
    expect(refused.code).toBe(3);
  });
});

it('offers headers and subprotocols, and takes tokens in turn', async () => {
  const folder = temporaryFolder();
  const tokens = path.join(folder, 'tokens');
  writeFileSync(tokens, 'one\ntwo\n');
  await using server = await startWitness();
  const args = ['--url', server.url, '--connections', '4', '--header', 'X-Room: 7'];
  const access = ['--subprotocol', 'chat.v1', '--token-file', tokens];
  const { code, report } = await runBenchmark([...args, ...access, ...SHORT]);
  expect(code).toBe(0);
  expect(server.requests.map(({ headers }) => headers.authorization).sort()).toEqual([
    'Bearer one',
    'Bearer one',
    'Bearer two',
    'Bearer two',
  ]);
  for (const { headers } of server.requests) {
    expect(headers).toMatchObject({ 'x-room': '7', 'sec-websocket-protocol': 'chat.v1' });
  }
  expect(JSON.stringify(report)).not.toContain('Bearer');
});

it.runIf(process.platform === 'linux')('connects from each source address in turn', async () => {
  await using server = await startWitness();
  const args = ['--url', server.url, '--connections', '6', '--source-ip', '127.0.0.2,127.0.0.3'];
  const { code } = await runBenchmark([...args, ...SHORT]);
  expect(code).toBe(0);
  const from = server.requests.map((request) => request.from);
  expect(from.filter((address) => address === '127.0.0.2')).toHaveLength(3);
  expect(from.filter((address) => address === '127.0.0.3')).toHaveLength(3);
});
