import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BenchmarkReport } from '../../../../src/load/metrics.ts';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { startWs } from '../../../support/peers/servers.ts';
import { startWsServer } from '../../../support/peers/ws-server.ts';
import { runBenchmark } from '../../../support/load-operation.ts';
import { websocketSkill } from '../../../support/programs.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

const SHORT = ['--duration', '600ms', '--warmup', '100ms', '--drain', '30s'];

function expectToAddUp({ measured: { messages } }: BenchmarkReport): void {
  const { sent, received, lost, inFlight } = messages;
  expect(received + lost + inFlight).toBe(sent);
}

/** An echo server that answers so many messages in a second, later ones when it is their turn. */
async function startLimitedServer(perSecond: number): Promise<AsyncDisposable & { url: string }> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  let freeAt = 0;
  server.on('connection', (socket) => {
    socket.on('error', () => undefined);
    socket.on('message', (data, binary) => {
      const now = performance.now();
      freeAt = Math.max(now, freeAt) + 1000 / perSecond;
      setTimeout(() => socket.send(data, { binary }), freeAt - now);
    });
  });
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('benchmark', () => {
  it('sends what was due, sees all of it come back and writes its reports', async () => {
    await using server = await startWsServer();
    const load = ['--connections', '5', '--messages-per-second', '20', ...SHORT];
    const { code, report, folder } = await runBenchmark(['--url', server.url, ...load]);
    expect(code).toBe(0);
    expect(report).toMatchObject({
      operation: 'benchmark',
      target: server.url,
      mode: 'echo',
      status: 'passed',
      success: true,
      load: 'open loop: 100 messages per second from 5 connections, 32 bytes of binary',
      command:
        `websocket-skill benchmark --url ${server.url} --connections 5 --messages-per-second 20 ` +
        '--duration 600ms --warmup 100ms --drain 30s',
      thresholds: [{ threshold: 'errors<=0', value: 0, verdict: 'pass' }],
      comparison: null,
      search: null,
    });
    const { measured } = report;
    expect(measured.messages).toMatchObject({ intended: 60, sent: 60, received: 60, lost: 0 });
    expect(measured.connections).toMatchObject({ requested: 5, opened: 5, failed: 0, dropped: 0 });
    expect(measured.latency.response?.count).toBe(60);
    expect(measured.latency.service?.count).toBe(60);
    expect(measured.latency.lateness?.count).toBe(60);
    if (process.platform === 'linux') expect(measured.server?.pid).toBe(server.pid);
    expect(report.reports.map((file) => path.relative(folder, file)).sort()).toContain(
      'benchmark-report/index.html',
    );
    expect(report.reports.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('keeps messages in flight in a closed loop, as text of random sizes', async () => {
    await using server = await startWs();
    const load = ['--connections', '2', '--pipeline', '4', '--text', '--size', 'uniform:16-64'];
    const { code, report } = await runBenchmark(['--url', server.url, ...load, ...SHORT]);
    expect(code).toBe(0);
    expect(report.measured.messages.received).toBeGreaterThan(8);
    expect(report.measured.rate.requested).toBeNull();
    expectToAddUp(report);
  });

  it('compresses through the full client', async () => {
    await using server = await startWs({ perMessageDeflate: { threshold: 0 } });
    const load = ['--connections', '2', '--rate', '50', '--compression', '--size', '2000'];
    const { code, report } = await runBenchmark(['--url', server.url, ...load, ...SHORT]);
    expect(code).toBe(0);
    expect(report.measured.engine).toBe('client');
    expectToAddUp(report);
  });

  it('opens connections and leaves them alone in the mode idle', async () => {
    await using server = await startWs();
    const args = ['--url', server.url, '--mode', 'idle', '--connections', '20', ...SHORT];
    const { code, report } = await runBenchmark(args);
    expect(code).toBe(0);
    expect(report).toMatchObject({ mode: 'idle', load: '20 connections without messages' });
    expect(report.measured.connections).toMatchObject({ opened: 20, dropped: 0 });
    expect(report.measured.messages.sent).toBe(0);
  });

  it('opens and closes connections in the mode connect, each handshake a message', async () => {
    await using server = await startWs();
    const args = ['--url', server.url, '--mode', 'connect', '--connections', '5', '--rate', '50'];
    const { code, report } = await runBenchmark([...args, ...SHORT]);
    expect(code).toBe(0);
    expect(report.load).toBe('50 handshakes per second, up to 5 connections at once');
    expect(report.measured.messages).toMatchObject({ intended: 30, received: 30 });
  });

  it('repeats runs and gives medians with intervals', async () => {
    await using server = await startWs();
    const load = ['--connections', '2', '--rate', '50', '--repeat', '3', ...SHORT];
    const { code, report } = await runBenchmark(['--url', server.url, ...load]);
    expect(code).toBe(0);
    expect(report.repeats?.['p99']?.runs).toHaveLength(3);
    expect(report.repeats?.['rate']?.runs).toHaveLength(3);
  });

  it('compares two servers in blocks A B B A', async () => {
    await using a = await startWs();
    await using b = await startWs();
    const load = ['--connections', '2', '--rate', '50', '--repeat', '2', '--duration', '300ms'];
    const { report } = await runBenchmark(['--url', a.url, '--compare', b.url, ...load]);
    expect(report.comparison).toMatchObject({ a: a.url, b: b.url });
    expect(report.comparison?.rows.map(({ metric }) => metric)).toContain('p99');
    expect(report.comparison?.rows[0]?.a.runs).toHaveLength(4);
  });

  it('compares a server with itself, and finds no difference in what cannot differ', async () => {
    await using server = await startWs();
    const load = ['--connections', '2', '--rate', '50', '--repeat', '2', '--duration', '300ms'];
    const args = ['--url', server.url, '--compare', server.url, ...load, '--warmup', '0'];
    const { report } = await runBenchmark(args);
    const rate = report.comparison?.rows.find(({ metric }) => metric === 'rate');
    expect(rate).toMatchObject({ verdict: 'no difference shown' });
    expect(rate?.b.runs).toHaveLength(4);
  });

  it('finds the rate of a server that answers 400 messages in a second and no more', async () => {
    await using server = await startLimitedServer(400);
    const search = ['--find-max', '--slo', 'p99<700ms', '--connections', '4', '--rate', '100'];
    const phases = ['--duration', '1s', '--warmup', '0', '--drain', '1s'];
    const { report } = await runBenchmark(['--url', server.url, ...search, ...phases]);
    const { levels = [], best } = report.search ?? {};
    // In a run of one second, up to 400 x (1 + 0.7) may be sent before one waits for 0.7 s.
    expect(best).toBeGreaterThanOrEqual(400);
    expect(best).toBeLessThan(700);
    expect(levels.filter(({ rate }) => rate < 400).map(({ held }) => held)).not.toContain(false);
  });

  it('searches the highest rate up to where the server gives up, and says so', async () => {
    await using server = await startWsServer({ fault: 'exit', every: 700 });
    const search = ['--find-max', '--slo', 'p99<30s', '--connections', '2', '--rate', '1000'];
    const phases = ['--duration', '300ms', '--warmup', '0', '--drain', '30s'];
    const { code, report } = await runBenchmark(['--url', server.url, ...search, ...phases]);
    const { levels = [], best = null } = report.search ?? {};
    expect(levels[0]?.rate).toBe(1000);
    expect(levels.some(({ held }) => !held)).toBe(true);
    expect(best).toBe(1000);
    expect(code).toBe(0);
    expect(report.notes.join('\n')).toContain(
      'the server was no longer reachable after these levels',
    );
  });
});

describe('the verdict of benchmark', () => {
  it('is failed, with the row, when a threshold does not hold', async () => {
    await using server = await startWs();
    const load = ['--connections', '2', '--rate', '50', ...SHORT];
    const rules = ['--threshold', 'p99<1us', '--threshold', 'rate>=0.5'];
    const args = ['--url', server.url, ...load, ...rules];
    const { code, report } = await runBenchmark(args);
    expect(code).toBe(1);
    expect(report).toMatchObject({ status: 'failed', success: false });
    expect(report.thresholds.map(({ threshold, verdict }) => [threshold, verdict])).toEqual([
      ['p99<1us', 'fail'],
      ['rate>=0.5', 'pass'],
      ['errors<=0', 'pass'],
    ]);
    const folder = temporaryFolder();
    const { stdout } = await websocketSkill(['benchmark', ...args], { cwd: folder });
    expect(stdout).toMatch(/p99<1us +fail/);
  });

  it('is failed when a message comes back changed, unless a threshold allows for it', async () => {
    await using server = await startWsServer({ fault: 'alter', every: 10 });
    const load = ['--connections', '2', '--rate', '50', '--duration', '600ms', '--drain', '300ms'];
    const args = ['--url', server.url, ...load];
    const { code, report } = await runBenchmark(args);
    expect(code).toBe(1);
    expect(report.measured.messages.wrong).toBeGreaterThan(0);
    const allowed = await runBenchmark([...args, '--threshold', 'errors<60%']);
    expect(allowed.code, allowed.stdout).toBe(0);
  });

  it('is failed when connections are refused, with their status', async () => {
    await using server = await startWsServer({ fault: 'refuse-handshakes', every: 4 });
    const args = ['--url', server.url, '--connections', '6', '--rate', '50', ...SHORT];
    const { code, report } = await runBenchmark(args);
    expect(code).toBe(1);
    expect(report.measured.connections).toMatchObject({ opened: 3, failed: 3 });
    expect(report.measured.errors).toContainEqual(
      expect.objectContaining({ kind: 'status', detail: '503', count: 3 }),
    );
  });

  it('is failed with the report so far when the server dies', async () => {
    await using server = await startWsServer({ fault: 'exit', every: 40 });
    const args = ['--url', server.url, '--connections', '3', '--rate', '50', '--warmup', '100ms'];
    const { code, report } = await runBenchmark([...args, '--duration', '60s']);
    expect(code).toBe(1);
    expect(report.measured.messages.received).toBeGreaterThan(0);
    expect(report.measured.connections.dropped).toBe(3);
    expect(report.notes.join('\n')).toContain('all 3 connections were dropped');
    expect(report.measured.phases.measureMs).toBeLessThan(60_000);
    expectToAddUp(report);
  });

  it('is failed, whatever a threshold allows, when nothing comes back any more', async () => {
    await using server = await startWsServer({ fault: 'hang', every: 1 });
    const load = ['--connections', '3', '--rate', '50', '--duration', '600ms', '--drain', '300ms'];
    const args = ['--url', server.url, ...load, '--threshold', 'errors<=100%'];
    const { code, report } = await runBenchmark(args);
    expect(code).toBe(1);
    expect(report.measured.messages.received).toBe(0);
    expect(report.measured.messages.lost).toBe(report.measured.messages.sent);
    expect(report.notes.join('\n')).toMatch(/none of \d+ messages was answered/);
  });

  it('is failed when the server hangs in the middle of the run', async () => {
    await using server = await startWsServer({ fault: 'hang', every: 25 });
    const load = ['--connections', '3', '--rate', '50', '--warmup', '0', '--drain', '300ms'];
    const { code, report } = await runBenchmark(['--url', server.url, ...load, '--duration', '1s']);
    expect(code).toBe(1);
    expect(report.measured.messages).toMatchObject({ sent: 50, received: 24, lost: 26 });
  });

  it('is invalid with --strict, exit code 4, when the generator stood still', async () => {
    await using server = await startWsServer();
    const load = ['--connections', '2', '--rate', '200', '--duration', '3s', '--warmup', '0'];
    const { code, report } = await runBenchmark(
      ['--url', server.url, ...load, '--strict'],
      (child) => {
        setTimeout(() => {
          child.kill('SIGSTOP');
          setTimeout(() => child.kill('SIGCONT'), 700);
        }, 2500);
      },
    );
    expect(report.measured.generator).toMatchObject({ saturated: false, disturbed: true });
    expect(report).toMatchObject({ status: 'invalid', success: false });
    expect(report.notes[0]).toMatch(/^GENERATOR DISTURBED: /);
    expect(report.notes.join('\n')).toContain('it stalled in');
    expect(code).toBe(4);
  });
});
