import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { startWs } from '../../support/peers/servers.ts';
import { websocketSkill } from '../../support/programs.ts';

it.each(['SIGINT', 'SIGTERM'] as const)('gives a partial report on %s', async (signal) => {
  await using server = await startWs();
  const { url } = server;
  const args = ['test', '--url', url, '--messages', '100000', '--json'];
  const { code, stdout } = await websocketSkill(args, {}, (child) => {
    // The first progress line: some checks are done, the round trips are under way.
    child.stderr.once('data', () => child.kill(signal));
  });
  expect(code).toBe(130);
  const report = JSON.parse(stdout) as { checks: unknown[] };
  expect(report).toMatchObject({ operation: 'test', status: 'interrupted', success: false });
  expect(report.checks.length).toBeGreaterThan(0);
});

it('ends at once on Ctrl-C while it waits for a server that never answers', async () => {
  let interrupt = (): void => undefined;
  const server = createServer(() => interrupt()).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const args = ['test', '--url', `ws://127.0.0.1:${port}`, '--timeout', '10m'];
  const { code } = await websocketSkill(args, {}, (child) => {
    interrupt = () => void child.kill('SIGINT');
  });
  expect(code).toBe(130);
});
