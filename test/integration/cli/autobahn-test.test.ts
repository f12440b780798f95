import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import path from 'node:path';
import { expect, it } from 'vitest';
import { createCertificate } from '../../support/certificates.ts';
import { startWs, startWss } from '../../support/peers/servers.ts';
import { websocketSkill } from '../../support/programs.ts';
import { program, requirement } from '../../support/requirement.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

it.each(['SIGINT', 'SIGTERM'] as const)('writes valid partial reports on %s', async (signal) => {
  await using server = await startWs();
  const output = temporaryFolder();
  const args = ['autobahn-test', '--url', server.url, '--output', output, '--json'];
  const { code, stdout } = await websocketSkill(args, {}, (child) => {
    child.stderr.once('data', () => child.kill(signal));
  });
  expect(code).toBe(130);
  const report = JSON.parse(stdout) as { verdicts: Record<string, number>; selected: number };
  expect(report).toMatchObject({ status: 'interrupted', success: false, selected: 517 });
  const index = JSON.parse(readFileSync(path.join(output, 'index.json'), 'utf8')) as object;
  const [cases = {}] = Object.values(index) as object[];
  const ran = Object.values(report.verdicts).reduce((sum, count) => sum + count, 0);
  expect(ran).toBeGreaterThan(0);
  expect(Object.keys(cases)).toHaveLength(ran);
  expect(readFileSync(path.join(output, 'junit.xml'), 'utf8')).toMatch(/<\/testsuites>\s*$/);
  expect(readFileSync(path.join(output, 'summary.md'), 'utf8')).toContain('**Interrupted**');
  expect(readFileSync(path.join(output, 'index.html'), 'utf8')).toMatch(/<\/html>\s*$/);
});

requirement('TLS', program('openssl', ['version']))('a wss endpoint', () => {
  it('is tested with its certificate or behind any, with header and subprotocol', async () => {
    const certificate = createCertificate(temporaryFolder(), { name: 'IP:127.0.0.1' });
    const requests: IncomingMessage[] = [];
    const verifyClient = ({ req }: { req: IncomingMessage }): boolean => requests.push(req) > 0;
    await using server = await startWss(certificate, { verifyClient });
    const args = ['autobahn-test', '--url', server.url, '--cases', '1.1.*'];
    const run = (...more: string[]) =>
      websocketSkill([...args, '--output', temporaryFolder(), ...more]);

    const refused = await run();
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('WSK_ERR_TLS');
    const extras = ['--header', 'Authorization: Bearer x', '--subprotocol', 'echo.v1'];
    expect(await run('--insecure', ...extras)).toMatchObject({ code: 0 });
    // One to see whether there is a WebSocket, and one for each case.
    expect(requests).toHaveLength(9);
    for (const { headers } of requests) {
      expect(headers.authorization).toBe('Bearer x');
      expect(headers['sec-websocket-protocol']).toBe('echo.v1');
    }
    expect(await run('--ca', certificate.certFile)).toMatchObject({ code: 0 });
  });
});
