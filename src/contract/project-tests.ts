import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { changedFiles } from './changed-files.ts';
import type { ContractServer } from './lab.ts';
import { REALTIME_ROWS } from './rows/realtime.ts';
import { newSecrets, runContract } from './run-contract.ts';
import { REALTIME_TYPES } from './terms.ts';

/*
 * The tests of a generated project's protocol. The build makes one file without dependencies of this, which
 * the generator puts into the project as test/contract.mjs: `npm test` runs it.
 */

/** The parts of .wsgen.json that are needed. */
interface Project {
  readonly type: string;
  readonly answers: { readonly features: readonly string[] };
  readonly commands: { readonly start: readonly string[] };
  readonly listening: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly contract: { readonly path: string; readonly subprotocols: readonly string[] };
}

const root = fileURLToPath(new URL('..', import.meta.url));
const project = JSON.parse(readFileSync(`${root}.wsgen.json`, 'utf8')) as Project;
const { secrets, settings } = newSecrets();

/** Time that a server gets to end after SIGTERM. */
const STOP_MS = 10_000;

async function launch(own: Readonly<Record<string, string>>): Promise<ContractServer> {
  const [command = 'node', ...args] = project.commands.start;
  const server = spawn(command === 'node' ? process.execPath : command, args, {
    cwd: root,
    env: {
      ...process.env,
      NODE_TEST_CONTEXT: undefined,
      ...settings,
      ...own,
      PORT: '0',
      HOST: '127.0.0.1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // However this process ends, the server ends, too.
  const kill = (): void => void server.kill('SIGKILL');
  process.once('exit', kill);
  const exited = once(server, 'close').then(() => {
    process.off('exit', kill);
    return server.exitCode ?? 137;
  });
  let said = '';
  server.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (said = (said + text).slice(-4096)));
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: server.stdout }).on('line', (line) => {
      const found = portIn(line);
      if (found !== undefined) resolve(found);
    });
    void exited.then((code) => {
      reject(new Error(`the server ended with exit code ${code} before it listened: ${said}`));
    });
  });
  return {
    url: `ws://127.0.0.1:${port}${project.contract.path}`,
    stop: async () => {
      server.kill('SIGTERM');
      const timer = setTimeout(kill, STOP_MS);
      return await exited.finally(() => clearTimeout(timer));
    },
    async [Symbol.asyncDispose]() {
      kill();
      await exited;
    },
  };
}

/** The port in the line of the log that says that the server listens. */
function portIn(line: string): number | undefined {
  try {
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const fits = Object.entries(project.listening).every(([key, value]) => entry[key] === value);
    return fits && typeof entry['port'] === 'number' ? entry['port'] : undefined;
  } catch {
    return undefined;
  }
}

await test(`the contract of ${project.type} servers`, async (context) => {
  const type = REALTIME_TYPES.find((name) => name === project.type);
  if (type === undefined) throw new Error(`${project.type} has no contract`);
  const results = await runContract({
    type,
    rows: REALTIME_ROWS,
    features: project.answers.features,
    subprotocols: project.contract.subprotocols,
    names: process.env['CONTRACT_NAMES'],
    changed: changedFiles(root, project.files),
    secrets,
    headers: [],
    tls: {},
    timeoutMs: 10_000,
    signal: context.signal,
    launch,
  });
  for (const { row, verdict, detail } of results) {
    const options = verdict === 'skip' ? { skip: detail } : {};
    await context.test(`${row.id}: ${row.title}`, options, () => {
      if (verdict === 'fail') throw new Error(detail);
    });
  }
});
