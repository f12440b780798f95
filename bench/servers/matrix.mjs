// Starts a server of the table, lets the built program judge it, and compares with what is pinned.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { installed } from './install.mjs';
import { servers } from './table.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const bin = path.join(here, '../../dist/src/cli/bin.js');

/** Time in which a server has to listen, in milliseconds: a JVM compiles its source first. */
const START_MS = 60_000;

/** Cases of Autobahn that take minutes: large messages, compressed messages. */
const LONG_CASES = '9.*,12.*,13.*';

const autobahn = {
  command: 'autobahn-test',
  rows: ({ cases }) => cases.map(({ id, verdict, reason }) => [id, verdict, reason]),
};

/** Per operation: its command and flags, and `[id, grade, text]` of each row of its report. */
export const OPERATIONS = {
  test: {
    command: 'test',
    args: [],
    rows: ({ checks }) => checks.map(({ id, verdict, detail }) => [id, verdict, detail]),
  },
  'validate-handshake': {
    command: 'validate-handshake',
    args: [],
    rows: ({ rules }) => rules.map(({ id, verdict, seen }) => [id, verdict, seen]),
  },
  'autobahn-test': {
    ...autobahn,
    args: ['--concurrency', '8', '--exclude', LONG_CASES],
  },
  /** The rest of the cases, with `--long` only. */
  'autobahn-test --long': {
    ...autobahn,
    args: ['--concurrency', '8', '--quick', '--cases', LONG_CASES],
  },
};

/** Grades that need no mention. */
const UNMENTIONED = new Set(['pass', 'skip', 'informational']);

/** Servers that run, by the id of their process group. */
const running = new Set();
process.on('exit', () => running.forEach(kill));

/** A port of the loopback that nobody listens on. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Whether somebody accepts on the port. */
export function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => socket.end(() => resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/**
 * Starts a server, and what is behind it, on free ports. Returns `missing` where it cannot be
 * installed, else its `url` and `stop`. Throws when it does not come up.
 */
export async function start(server, folder) {
  const found = installed(server);
  if (found.missing) return found;
  const behind = server.behind && (await start(byName(server.behind), folder));
  if (behind?.missing) return behind;
  const port = await freePort();
  const values = { port, folder, upstream: behind && new URL(behind.url).port };
  const fill = (text) =>
    text.replaceAll(/\{(port|folder|upstream|source)\}/g, (_, key) => values[key]);
  if (server.from === 'debian') {
    values.source = path.join(folder, server.source);
    writeFileSync(
      values.source,
      fill(readFileSync(path.join(here, 'echo', server.source), 'utf8')),
    );
  }
  const [file, ...args] = found.command.map(fill);
  // A group of its own: some servers start others, which end with it.
  const child = spawn(file, args, {
    cwd: found.cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes) => (said = `${said}${bytes}`.slice(-4000)));
  }
  const ended = once(child, 'close');
  running.add(child.pid);
  const stop = async () => {
    running.delete(child.pid);
    kill(child.pid);
    await ended;
    await behind?.stop();
  };
  const until = performance.now() + START_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > until) {
      await stop();
      throw new Error(`${server.name} does not listen: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { url: `ws://127.0.0.1:${port}/`, version: found.version, stop };
}

function kill(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It had gone.
  }
}

function byName(name) {
  return servers.find((server) => server.name === name);
}

/** The report of an operation of the built program; exit code 1 only says that something failed. */
async function run({ command, args }, url, folder) {
  const child = spawn(process.execPath, [bin, command, '--url', url, '--json', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1' },
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => (output[name] += text));
  }
  const [code] = await once(child, 'close');
  if (code !== 0 && code !== 1) throw new Error(`${command}: exit ${code}: ${output.stderr}`);
  return JSON.parse(output.stdout);
}

/** One operation against a server of its own, as some do not survive what is sent to them. */
async function judgeBy(operation, server) {
  const folder = mkdtempSync(path.join(tmpdir(), 'servers-bench-'));
  let started;
  try {
    started = await start(server, folder);
    if (started.missing) return started;
    const grades = {};
    for (const [id, grade, text] of operation.rows(await run(operation, started.url, folder))) {
      if (!UNMENTIONED.has(grade)) (grades[grade] ??= {})[id] = text;
    }
    return { grades, version: started.version };
  } finally {
    await started?.stop?.();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Runs the operations against one server: in `seen` per operation and grade the text of each row
 * that neither passed nor was skipped, or in `missing` why the server is not there. `version` is that
 * which was tested. With `long`, sections 9, 12 and 13 of Autobahn as well.
 */
export async function judge(server, { long = false } = {}) {
  const seen = {};
  let tested;
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    if (name.endsWith('--long') && !long) continue;
    const { missing, grades, version } = await judgeBy(operation, server);
    if (missing) return { missing };
    seen[name] = grades;
    tested = version;
  }
  return { seen, version: tested };
}
