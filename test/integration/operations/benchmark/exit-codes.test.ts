import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startWs } from '../../../support/peers/servers.ts';
import { runBenchmark } from '../../../support/load-operation.ts';
import { websocketSkill } from '../../../support/programs.ts';
import { writeProject } from '../../../support/project-fixture.ts';
import { temporaryFolder } from '../../../support/temporary-folder.ts';
import { inTerminal } from '../../../support/terminal.ts';
import { generateForTest } from '../../../templates/generated.ts';

const SHORT = ['--duration', '600ms', '--warmup', '100ms', '--drain', '30s'];

describe('bad input', () => {
  it.each([
    [['--rate', '0'], '--rate is 0, expected a number above 0'],
    [['--duration', 'abc'], '--duration is "abc", expected a time such as 500ms, 10s, 2m or 1h'],
    [['--rate', '5', '--pipeline', '2'], '--pipeline excludes --rate'],
    [['--connections', '999999'], '--connections is 999999, expected at most'],
    [['--size', 'nowhere'], '--size is "nowhere", which cannot be read (ENOENT)'],
    [['--threshold', 'p99.5<20ms'], 'unknown metric "p99.5"'],
    [['--scenario', 'nowhere.yaml'], 'nowhere.yaml'],
  ])('%j is refused with exit code 2 before anything is connected to', async (args, message) => {
    let handshakes = 0;
    await using server = await startWs({ verifyClient: () => ++handshakes > 0 });
    const cwd = temporaryFolder();
    const ended = await websocketSkill(['benchmark', '--url', server.url, ...args], { cwd });
    expect(ended.stderr).toContain(message);
    expect(ended.code).toBe(2);
    expect(handshakes).toBe(0);
  });
});

describe('a server that is not there', () => {
  it('is no result but exit code 3, and leaves no reports', async () => {
    const cwd = temporaryFolder();
    const args = ['benchmark', '--url', 'ws://127.0.0.1:1', '--duration', '1s', '--json'];
    const { code, stdout } = await websocketSkill(args, { cwd });
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'WSK_ERR_REFUSED' } });
    expect(existsSync(path.join(cwd, 'benchmark-report'))).toBe(false);
  });
});

describe('Ctrl-C', () => {
  it('ends with the report so far, exit code 130', async () => {
    const interrupt = { now: (): void => undefined };
    await using server = await startWs();
    const args = ['--url', server.url, '--connections', '2', '--rate', '50', '--warmup', '0'];
    const { code, report } = await runBenchmark([...args, '--duration', '1h'], (child) => {
      // The first line of progress comes in the fifth second.
      child.stderr.once('data', () => interrupt.now());
      interrupt.now = () => void child.kill('SIGINT');
    });
    expect(code).toBe(130);
    expect(report).toMatchObject({ status: 'interrupted', success: false });
    const { sent, received, lost, inFlight } = report.measured.messages;
    expect(sent).toBeGreaterThan(0);
    expect(received + lost + inFlight).toBe(sent);
    expect(report.reports.filter((file) => !existsSync(file))).toEqual([]);
  });

  it('leaves no server of a project behind', async () => {
    const project = writeProject(path.join(temporaryFolder(), 'echo'));
    const args = ['--project', project, '--connections', '2', '--rate', '50'];
    const { code } = await runBenchmark([...args, '--duration', '1h'], (child) => {
      child.stderr.once('data', () => child.kill('SIGINT'));
    });
    expect(code).toBe(130);
    const pid = Number(readFileSync(path.join(project, 'pid'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

describe('a generated project', () => {
  it('that echoes is loaded by round trips', async () => {
    const server = await generateForTest({ type: 'echo', output: 'echo-server.js' });
    onTestFinished(server.dispose);
    const load = ['--connections', '4', '--messages-per-second', '10', ...SHORT];
    const { code, report } = await runBenchmark(['--project', server.project, ...load]);
    expect(code).toBe(0);
    expect(report).toMatchObject({ mode: 'echo', measured: { messages: { received: 24 } } });
  });

  it.each([['rooms', ['rooms', 'presence', 'history'] as const]])(
    'of type chat with %s is loaded by deliveries to a room, beyond its limits for one client',
    async (_, features) => {
      const server = await generateForTest({ type: 'chat', features: [...features] });
      onTestFinished(server.dispose);
      const load = ['--connections', '10', '--publishers', '2', '--rate', '300', ...SHORT];
      const { code, report } = await runBenchmark(['--project', server.project, ...load]);
      expect(report).toMatchObject({ mode: 'fanout', thresholds: [{ value: 0 }] });
      expect(report.measured.latency.lastDelivery?.count).toBeGreaterThan(0);
      expect(report.measured.messages.received).toBeGreaterThan(1000);
      expect(code).toBe(0);
    },
  );

  it.each([
    ['pubsub', 'fanout', /from 1 of 4 connections/],
    ['live-updates', 'scenario', /the scenario live-updates/],
  ] as const)('of type %s that wants tokens is loaded by messages', async (type, mode, load) => {
    const server = await generateForTest({ type, features: ['auth', 'rate-limit'] });
    onTestFinished(server.dispose);
    // Long enough to send what is late when a busy machine stands still for a moment.
    const times = ['--duration', '2s', '--warmup', '500ms', '--drain', '30s'];
    const args = ['--project', server.project, '--connections', '4', '--rate', '300', ...times];
    const { code, report } = await runBenchmark(args);
    expect(report).toMatchObject({ mode, thresholds: [{ value: 0 }] });
    expect(report.load).toMatch(load);
    expect(report.measured.messages.received).toBeGreaterThan(100);
    expect(report.notes.join('\n')).not.toMatch(/AUTH_SECRET|PUBLISH_TOKEN/);
    expect(code).toBe(0);
  });
});

it.runIf(process.platform === 'linux')(
  'draws its state on a terminal, and then the result',
  async () => {
    await using server = await startWs();
    const bin = path.resolve('dist/src/cli/bin.js');
    const load = '--connections 2 --rate 50 --duration 2s';
    const { shown, exitCode } = await inTerminal(
      `${process.execPath} ${bin} benchmark --url ${server.url} ${load}`,
      [],
      { cwd: temporaryFolder(), env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' } },
    );
    expect(exitCode).toBe(0);
    expect(shown).toMatch(/measuring/);
    // Marked otherwise when the machine is busy with something else.
    expect(shown).toMatch(/[✔!] benchmark of ws:/);
  },
);
