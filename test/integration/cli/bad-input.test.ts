import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { CONFIG_PATH } from '../../../src/config/resolve.ts';
import { startWs } from '../../support/peers/servers.ts';
import { websocketSkill } from '../../support/programs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const generate = (...rest: string[]): string[] => ['generate-server', '--output', 'out', ...rest];

it.each([
  ['an unknown operation', ['generate-sever'], 'did you mean generate-server?'],
  ['an unknown flag', generate('--prot', '1'), 'did you mean --port?'],
  ['an unknown type', generate('--type', 'chatt'), 'did you mean chat?'],
  ['an unknown language', generate('--language', 'node'), 'did you mean nodejs?'],
  ['an unknown feature', generate('--type', 'chat', '--features', 'room'), 'did you mean rooms?'],
  ['port 0', generate('--port', '0'), '--port is 0, expected a whole number from 1 to 65535'],
  ['port 70000', generate('--port', '70000'), '--port is 70000, expected a whole number from 1 to'],
  ['port abc', generate('--port', 'abc'), '--port is "abc", expected a whole number from 1 to'],
  ['a negative payload', generate('--max-payload', '-1'), '--max-payload is -1, expected a whole'],
  ['an empty feature', generate('--features', 'rooms,'), '--features holds "", expected one of'],
  ['rooms of an echo server', generate('--type', 'echo', '--features', 'rooms'), 'rooms'],
  ['a flag without its value', generate('--port'), 'argument missing'],
  [
    'a URL that is none',
    ['test', '--url', 'localhost:8080'],
    '--url is "localhost:8080", expected',
  ],
  ['a header that is none', ['test', '--url', 'ws://localhost', '--header', 'x'], 'Name: value'],
  ['neither url nor project', ['test'], '--url'],
  ['messages that are too many', ['test', '--url', 'ws://x', '--messages', '1e9'], '--messages is'],
  ['a folder that is no run', ['resume', '.'], 'run'],
  ['a folder that is no project', ['test', '--project', '.'], 'project'],
])('refuses %s with exit 2 and says what was expected', async (_, args, answer) => {
  const cwd = temporaryFolder();
  const { code, stdout, stderr } = await websocketSkill(args, { cwd });
  expect(stderr).toContain(answer);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(readdirSync(cwd)).toEqual([]);
});

it('prints one JSON document on stdout for an error too', async () => {
  const { code, stdout } = await websocketSkill(['generate-server', '--type', 'ecko', '--json']);
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toEqual({
    error: {
      name: 'UsageError',
      code: 'WSK_ERR_INVALID_INPUT',
      message:
        '--type is "ecko", expected one of echo, chat, pubsub, live-updates, collab, rpc, mcp',
      hint: 'did you mean echo?',
    },
  });
});

it('refuses a wrong configuration before anything is done', async () => {
  const cwd = temporaryFolder();
  mkdirSync(path.join(cwd, path.dirname(CONFIG_PATH)), { recursive: true });
  writeFileSync(path.join(cwd, CONFIG_PATH), 'websocket:\n  defaultPort: 99999\n');
  const { code, stderr } = await websocketSkill(generate(), { cwd });
  expect(code).toBe(2);
  expect(stderr).toContain(`${path.join(cwd, CONFIG_PATH)}:2: defaultPort is 99999`);
  expect(existsSync(path.join(cwd, 'out'))).toBe(false);
});

it('prints the effective configuration with its origins', async () => {
  const cwd = temporaryFolder();
  const { code, stdout } = await websocketSkill(['config', '--json'], {
    cwd,
    env: { ...process.env, WS_PING_INTERVAL: '1234' },
  });
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    settings: { pingInterval: 1234, defaultPort: 8080 },
    origins: { pingInterval: 'env WS_PING_INTERVAL', defaultPort: 'default' },
  });
});

it('takes flags over the environment', async () => {
  const args = generate('--max-payload', '4096', '--dry-run', '--json');
  const { stdout } = await websocketSkill(args, {
    cwd: temporaryFolder(),
    env: { ...process.env, WS_MAX_PAYLOAD: '8192' },
  });
  expect(stdout).not.toContain('8192');
});

it.each([
  ['101', 1],
  ['401', 0],
])('keeps the verdict when who reads the report leaves: status %s', async (status, expected) => {
  const reject = (_: unknown, done: (accepted: boolean, code: number) => void): void =>
    done(false, 401);
  await using server = await startWs({ verifyClient: reject });
  const args = ['test', '--url', server.url, '--expect-status', status];
  const leave = (child: { stdout: Readable }): unknown => child.stdout.destroy();
  const { code, stderr } = await websocketSkill(args, {}, leave);
  expect(stderr).not.toMatch(/EPIPE|^\s+at /m);
  expect(code).toBe(expected);
});

it.runIf(existsSync('/dev/full'))('ends with 3 where its report cannot be written', () => {
  const full = openSync('/dev/full', 'w');
  const bin = fileURLToPath(new URL('../../../dist/src/cli/bin.js', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [bin, '--help'], {
    stdio: ['ignore', full, 'pipe'],
    encoding: 'utf8',
  });
  closeSync(full);
  expect(status).toBe(3);
  expect(stderr).toContain('ENOSPC');
  expect(stderr).not.toMatch(/^\s+at /m);
});
