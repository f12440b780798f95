import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { findServer, ServerWatch } from '../../../../src/load/host/index.ts';
import { readProcess, withDescendants } from '../../../../src/load/host/proc.ts';
import { secondSample } from '../../../support/load-results.ts';

const BUSY_SERVER = `
const server = require('node:net').createServer().listen(0, '127.0.0.1', () => {
  console.log(server.address().port);
  setInterval(() => { const end = Date.now() + 40; while (Date.now() < end); }, 50);
});`;

/** A process that listens and keeps its core busy. */
async function startBusyServer(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, ['-e', BUSY_SERVER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, port: Number(line.toString()) };
}

const onLinux = it.runIf(process.platform === 'linux');

onLinux(
  'finds the process that listens at the port of the url, by any name of this host',
  async () => {
    const { child, port } = await startBusyServer();
    for (const host of ['127.0.0.1', 'localhost']) {
      expect(findServer({ url: `ws://${host}:${port}/` })).toEqual([child.pid]);
    }
  },
);

onLinux('does not watch itself, a server elsewhere, or a port where nobody listens', async () => {
  const own = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void own.close());
  await once(own, 'listening');
  const { port } = own.address() as AddressInfo;
  expect(findServer({ url: `ws://127.0.0.1:${port}/` })).toEqual([]);
  expect(findServer({ url: `ws://192.0.2.1:${port}/` })).toEqual([]);
  expect(findServer({ url: 'ws://127.0.0.1:1/' })).toEqual([]);
});

it('refuses a process that is not there', () => {
  expect(() => findServer({ url: 'ws://127.0.0.1:1/', pid: 2 ** 30 })).toThrow(
    '--pid is 1073741824, a process that cannot be read',
  );
});

onLinux('counts what the server started as part of it, but never the generator', async () => {
  const parent = `const { spawn } = require('node:child_process');
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    console.log(child.pid); process.on('SIGTERM', () => { child.kill(); process.exit(); });`;
  const child = spawn(process.execPath, ['-e', parent], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const [pid, grandchild] = [child.pid ?? 0, Number(line.toString())];
  expect(withDescendants([pid], { except: process.pid })).toEqual([pid, grandchild]);
  expect(withDescendants([pid], { except: grandchild })).toEqual([pid]);
});

onLinux('reads CPU, memory and descriptors, and sees a process go', async () => {
  const { child } = await startBusyServer();
  const watch = new ServerWatch([child.pid ?? 0]);
  const before = readProcess(child.pid ?? 0)?.cpuMs ?? 0;
  while ((readProcess(child.pid ?? 0)?.cpuMs ?? 0) < before + 100) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  watch.sample(secondSample(1, { phase: 'warmup' }));
  watch.sample(secondSample(2));
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  watch.sample(secondSample(3));
  watch.sample(secondSample(4));
  const use = watch.use();
  expect(use).toMatchObject({ pid: child.pid, endedAtSecond: 3 });
  expect(use.command).toContain('node');
  expect(use.totalCpuMs).toBeGreaterThanOrEqual(100);
  // Of the warm-up nothing counts as measured.
  expect(use.cpuMs).toBeLessThan(use.totalCpuMs);
  expect(use.peakRssBytes).toBeGreaterThan(10_000_000);
  expect(use.peakDescriptors).toBeGreaterThan(5);
  expect(use.seconds.map(({ second, phase }) => [second, phase])).toEqual([
    [1, 'warmup'],
    [2, 'measure'],
  ]);
});
