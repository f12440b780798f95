import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocketServer, type ServerOptions } from 'ws';
import { freePort } from '../../../src/target/project/redis.ts';
import { REQUEST, RESPONSE } from '../../support/rfc-handshake.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const root = new URL('../../../', import.meta.url);
const source = fileURLToPath(new URL('skills/websocket', root));
const manifest = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as {
  dependencies: object;
  peerDependencies: object;
};

interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Place {
  /** The user's project, empty and current when the script runs. */
  readonly project: string;
  /** Runs the copied script; the exit code is part of the result. */
  readonly skill: (...args: string[]) => Promise<Result>;
}

/** What the program is built on: none of it may be found from where the script lies. */
const PACKAGES = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];

/** Copies the skill's folder, and nothing else, to where no package can be found. */
function copyAlone(): Place {
  const folder = temporaryFolder();
  const project = path.join(folder, 'project');
  const copy = path.join(folder, 'agent/skills/websocket');
  mkdirSync(project);
  cpSync(source, copy, { recursive: true });
  const require = createRequire(path.join(copy, 'scripts/websocket.mjs'));
  for (const name of PACKAGES) expect(() => require.resolve(name), name).toThrow(/Cannot find/);
  const script = path.join(copy, 'scripts/websocket.mjs');
  const env = { PATH: process.env['PATH'], HOME: folder, NO_COLOR: '1' };
  return {
    project,
    skill: (...args) =>
      new Promise((resolve, reject) => {
        execFile(process.execPath, [script, ...args], { cwd: project, env }, (error, out, err) => {
          const exitCode = error === null ? 0 : error.code;
          if (typeof exitCode === 'number') resolve({ exitCode, stdout: out, stderr: err });
          else reject(new Error('the script was ended by a signal', { cause: error }));
        });
      }),
  };
}

/** An echo server of the `ws` package on a free port; ends with the test. */
async function echoServer(options: ServerOptions = {}): Promise<string> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  server.on('connection', (socket) => {
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
  });
  await once(server, 'listening');
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address that nobody listens on. */
async function closedAddress(): Promise<string> {
  return `ws://127.0.0.1:${await freePort()}`;
}

function json(result: Result): unknown {
  return JSON.parse(result.stdout);
}

interface Row {
  readonly id: string;
  readonly verdict: string;
}

function idsOf(rows: readonly Row[], verdict: string): string[] {
  return rows.filter((row) => row.verdict === verdict).map(({ id }) => id);
}

describe('the skill’s folder alone, far from any node_modules', () => {
  it('shows its help without the babysitter SDK', async () => {
    const { skill } = copyAlone();
    const help = await skill('--help');
    expect(help).toMatchObject({ exitCode: 0, stderr: '' });
    expect(help.stdout).toMatch(/generate-server[^]*test[^]*validate-handshake[^]*run[^]*config/);
    const { exitCode, stdout } = await skill('run', '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^Usage: node \S+\/agent\/skills\/websocket\/scripts\/websocket\.mjs run /,
    );
  });

  it('generates an echo server in one file, which passes the test', async () => {
    const { skill, project } = copyAlone();
    const generated = await skill('generate-server', '--output', 'echo-server.js', '--json');
    expect(generated).toMatchObject({ exitCode: 0, stderr: '' });
    expect(json(generated)).toMatchObject({ operation: 'generate-server', success: true });
    expect(readdirSync(project)).toEqual(['echo-server.js']);
    const args = ['--project', 'echo-server.js', '--messages', '20', '--json'];
    const tested = await skill('test', ...args);
    expect(json(tested)).toMatchObject({ operation: 'test', status: 'passed', success: true });
    expect(tested.exitCode).toBe(0);
  });

  it('generates a chat project from the templates inside the script', async () => {
    const { skill, project } = copyAlone();
    const generated = await skill(
      'generate-server',
      ...['--language', 'nodejs', '--port', '8123', '--type', 'chat'],
      ...['--features', 'rooms,presence,history', '--output', 'chat-server/', '--json'],
    );
    expect(generated.exitCode).toBe(0);
    expect(json(generated)).toMatchObject({ type: 'chat', success: true });
    const files = readdirSync(path.join(project, 'chat-server'));
    expect(files).toEqual(
      expect.arrayContaining(['.wsgen.json', 'Dockerfile', 'README.md', 'package.json', 'src']),
    );
  });

  it('writes nothing in a dry run', async () => {
    const { skill, project } = copyAlone();
    const listed = await skill('generate-server', '--type', 'chat', '--dry-run');
    expect(listed.exitCode).toBe(0);
    expect(listed.stdout).toContain('src/server.ts');
    expect(readdirSync(project)).toEqual([]);
  });

  it('passes a server of another make that keeps the RFC', async () => {
    const { skill } = copyAlone();
    const url = await echoServer({ maxPayload: 1_048_576 });
    const args = ['--url', url, '--messages', '20', '--max-payload', '1048576', '--json'];
    const tested = await skill('test', ...args);
    expect(json(tested)).toMatchObject({ target: url, success: true });
    expect(tested.exitCode).toBe(0);
  });

  it('ends with 1 and the failed check upon a server that takes no subprotocol, with --strict', async () => {
    const { skill } = copyAlone();
    const url = await echoServer({ maxPayload: 1_048_576, handleProtocols: () => false });
    const args = [
      '--messages',
      '5',
      '--max-payload',
      '1048576',
      '--subprotocol',
      'chat.v1',
      '--strict',
    ];
    const tested = await skill('test', '--url', url, ...args, '--json');
    expect(tested.exitCode).toBe(1);
    const { checks } = json(tested) as { checks: Row[] };
    expect(idsOf(checks, 'fail')).toContain('subprotocol');
  });

  it('validates the handshake of a generated server', async () => {
    const { skill } = copyAlone();
    await skill('generate-server', '--output', 'echo-server.js');
    const validated = await skill('validate-handshake', '--project', 'echo-server.js', '--json');
    expect(json(validated)).toMatchObject({ operation: 'validate-handshake', success: true });
    expect(validated.exitCode).toBe(0);
  });

  it('finds what a live server of another make lets pass', async () => {
    const { skill } = copyAlone();
    const validated = await skill(
      'validate-handshake',
      ...['--url', await echoServer(), '--strict', '--json'],
    );
    const { rules } = json(validated) as { rules: Row[] };
    expect(idsOf(rules, 'pass')).toContain('response-accept');
    // `ws` answers a request of HTTP/1.0 too, where section 4.2.1 wants 1.1 or higher.
    expect(idsOf(rules, 'fail')).toContain('probe-http-1.0');
    expect(validated.exitCode).toBe(1);
  });

  const head = (lines: readonly string[]): string => [...lines, '', ''].join('\r\n');

  it('validates a captured handshake, and ends with 1 where a rule is broken', async () => {
    const { skill, project } = copyAlone();
    writeFileSync(path.join(project, 'request.txt'), head(REQUEST));
    writeFileSync(path.join(project, 'response.txt'), head(RESPONSE));
    const files = ['--request', 'request.txt', '--response', 'response.txt', '--json'];
    const good = await skill('validate-handshake', ...files);
    expect(json(good)).toMatchObject({ success: true });
    expect(good.exitCode).toBe(0);
    const broken = RESPONSE.map((line) => line.replace('s3pPLMBi', 's3pPLMBj'));
    writeFileSync(path.join(project, 'response.txt'), head(broken));
    const bad = await skill('validate-handshake', ...files);
    expect(json(bad)).toMatchObject({ status: 'failed', success: false });
    expect(bad.exitCode).toBe(1);
  });

  it('finds the configuration of the project it is run in', async () => {
    const { skill, project } = copyAlone();
    const folder = path.join(project, '.babysitter/skills');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'websocket.yaml'), 'websocket:\n  defaultPort: 9123\n');
    const report = json(await skill('config', '--json'));
    expect(report).toMatchObject({ settings: { defaultPort: 9123 } });
  });

  it.each([
    ['run', 'websocket-server'],
    ['resume', 'run'],
    ['run-task', 'run', 'effect'],
  ])('ends %s with 3 and the command that installs the missing SDK', async (...args) => {
    const { skill, project } = copyAlone();
    mkdirSync(path.join(project, 'run'));
    const result = await skill(...args, '--json');
    expect(json(result)).toMatchObject({
      error: {
        name: 'EnvironmentError',
        code: 'WSK_ERR_SDK_MISSING',
        hint: expect.stringMatching(/^npm install .*@a5c-ai\/babysitter-sdk/) as string,
      },
    });
    expect(result.exitCode).toBe(3);
    expect(result.stderr).toContain('npm install');
  });

  it('runs the process websocket-server to its end with the SDK alone', async () => {
    const { skill, project } = copyAlone();
    mkdirSync(path.join(project, 'node_modules/@a5c-ai'), { recursive: true });
    const sdk = 'node_modules/@a5c-ai/babysitter-sdk';
    symlinkSync(fileURLToPath(new URL(sdk, root)), path.join(project, sdk), 'junction');
    const inputs = { type: 'echo', outputDir: 'echo', messages: 5, autobahn: { cases: ['1.1.1'] } };
    writeFileSync(path.join(project, 'inputs.json'), JSON.stringify(inputs));
    const args = ['--inputs', 'inputs.json', '--run-id', 'r', '--json'];
    const { exitCode, stdout } = await skill('run', 'websocket-server', ...args);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'passed',
      output: { success: true, compliance: { rfc6455: true, autobahnPassed: 1 } },
    });
    expect(exitCode).toBe(0);
    // What a person or another program is told to type is the script that was run.
    const tasks = path.join(project, '.a5c/runs/r/tasks');
    const titles = readdirSync(tasks).map((id) => {
      const file = path.join(tasks, id, 'task.json');
      return (JSON.parse(readFileSync(file, 'utf8')) as { title: string }).title;
    });
    expect(titles).toHaveLength(4);
    for (const title of titles) {
      expect(title).toMatch(/: node \/\S+\/skills\/websocket\/scripts\/websocket\.mjs run-task \//);
    }
  });

  // Threads of their own are started from the one file.
  it.each([
    ['fast', []],
    ['client', ['--compression']],
  ])('loads a server with the %s engine and writes the page', async (engine, flags) => {
    const { project, skill } = copyAlone();
    const url = await echoServer();
    const load = ['--connections', '2', '--rate', '50', '--duration', '300ms', '--warmup', '0'];
    const { exitCode, stdout } = await skill(
      'benchmark',
      '--url',
      url,
      ...load,
      ...flags,
      '--json',
    );
    expect(JSON.parse(stdout)).toMatchObject({
      success: true,
      measured: { engine, messages: { sent: 15, received: 15 } },
    });
    expect(exitCode).toBe(0);
    const page = readFileSync(path.join(project, 'benchmark-report/index.html'), 'utf8');
    expect(page).toContain('uPlot');
  });

  it('ends benchmark-worker with 3 and the command that installs the missing job engine', async () => {
    const { skill } = copyAlone();
    const result = await skill('benchmark-worker', '--redis', 'redis://127.0.0.1', '--json');
    expect(json(result)).toMatchObject({
      error: { code: 'WSK_ERR_QUEUE_MISSING', hint: 'npm install bullmq ioredis' },
    });
    expect(result.exitCode).toBe(3);
  });

  it('finds the job engine in the folder in which it is run', async () => {
    const { skill, project } = copyAlone();
    mkdirSync(path.join(project, 'node_modules'));
    for (const name of ['bullmq', 'ioredis']) {
      const installed = fileURLToPath(new URL(`node_modules/${name}`, root));
      symlinkSync(installed, path.join(project, 'node_modules', name), 'junction');
    }
    const redis = `redis://127.0.0.1:${await freePort()}`;
    const result = await skill('benchmark-worker', '--redis', redis, '--json');
    expect(json(result)).toMatchObject({ error: { code: 'WSK_ERR_REDIS' } });
  });

  it('ends with 3 and no stack when nothing listens', async () => {
    const { skill } = copyAlone();
    const result = await skill('test', '--url', await closedAddress(), '--json');
    expect(result.exitCode).toBe(3);
    expect(json(result)).toMatchObject({ error: { code: 'WSK_ERR_REFUSED' } });
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });

  it('ends with 2 and the nearest name for a flag that does not exist', async () => {
    const { skill } = copyAlone();
    const result = await skill('generate-server', '--prot', '8080', '--json');
    expect(result.exitCode).toBe(2);
    expect(json(result)).toMatchObject({
      error: { code: 'WSK_ERR_UNKNOWN_FLAG', hint: expect.stringContaining('--port') as string },
    });
  });
});
