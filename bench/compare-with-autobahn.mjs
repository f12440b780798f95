// node bench/compare-with-autobahn.mjs [server|client|ws|all] [flags]: how far our verdicts agree with Autobahn's.
// Runs the suite against every peer whose verdicts by the real suite are on record, prints each
// difference and the agreement in per cent; exits with 1 below 100.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { autobahnTest } from '../dist/src/operations/autobahn-test/index.js';
import { AutobahnTestInput } from '../dist/src/operations/autobahn-test/schema.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const fixtures = path.join(root, 'test/fixtures/conformance');
const recorded = JSON.parse(readFileSync(path.join(fixtures, 'autobahn-verdicts.json'), 'utf8'));
const output = mkdtempSync(path.join(tmpdir(), 'autobahn-comparison-'));

/** Clients of one kind at the same time, each with a share of the cases. */
const CLIENTS = 8;

/** Told of every stage; the first of a tester of clients is that it listens. */
let onStage = () => {};

const context = {
  signal: new AbortController().signal,
  emit: () => onStage(),
  cwd: output,
  now: () => performance.now(),
};

function expectedOf(groups) {
  return new Map(
    Object.entries(groups).flatMap(([verdict, ids]) => ids.split(' ').map((id) => [id, verdict])),
  );
}

async function run(input) {
  const folder = path.join(output, 'report');
  rmSync(folder, { recursive: true, force: true });
  const report = await autobahnTest(AutobahnTestInput.parse({ ...input, output: folder }), context);
  const index = JSON.parse(readFileSync(path.join(folder, 'index.json'), 'utf8'));
  return { report, verdicts: Object.values(index)[0] ?? {} };
}

function start(file, args) {
  return spawn(process.execPath, [path.join(fixtures, file), ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

async function testServer(file, args, ids) {
  const server = start(file, args);
  try {
    const [line] = await once(server.stdout, 'data');
    const port = /\d+/.exec(String(line))[0];
    return await run({ url: `ws://127.0.0.1:${port}/`, cases: ids, agent: 'peer' });
  } finally {
    server.kill();
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** `startClient` gets a port and the ids for one client, and returns its process. */
async function testClient(startClient, ids) {
  const port = await freePort();
  const listening = new Promise((resolve) => (onStage = resolve));
  const tested = run({ role: 'client', port, cases: ids });
  await listening;
  const shares = Array.from({ length: CLIENTS }, (_, at) =>
    ids.filter((_id, index) => index % CLIENTS === at),
  ).filter((share) => share.length > 0);
  await Promise.all(shares.map((share) => once(startClient(port, share), 'exit')));
  await once(start('wrong-client.mjs', [port, 'none', '1.1.1', 'stop']), 'exit');
  return tested;
}

let same = 0;
let total = 0;

async function compare(name, groups, test) {
  const expected = expectedOf(groups);
  const { report, verdicts } = await test([...expected.keys()]);
  const differences = [...expected].flatMap(([id, wanted]) => {
    const seen = verdicts[id];
    const got =
      seen && `${seen.behavior} / ${seen.behaviorClose} / ${String(seen.remoteCloseCode)}`;
    return got === wanted ? [] : [`  ${id}: ${got ?? 'missing'}, Autobahn says ${wanted}`];
  });
  total += expected.size;
  same += expected.size - differences.length;
  const agreed = `${expected.size - differences.length} of ${expected.size}`;
  console.log(`${name.padEnd(42)} ${agreed.padEnd(12)} ${(report.durationMs / 1000).toFixed(1)} s`);
  for (const line of [...differences, ...report.notes.map((note) => `  (${note})`)]) {
    console.log(line);
  }
}

const [, , what = 'all', only] = process.argv;
const wanted = (group) => what === 'all' || what === group;
const peers = (group) =>
  Object.entries(recorded[group]).filter(([flags]) => only === undefined || only === flags);

if (wanted('server')) {
  for (const [flags, groups] of peers('wrongServers')) {
    await compare(`server ${flags}`, groups, (ids) =>
      testServer('wrong-server.mjs', ['0', flags], ids),
    );
  }
}
if (wanted('client')) {
  for (const [flags, groups] of peers('wrongClients')) {
    const startClient = (port, ids) => start('wrong-client.mjs', [port, flags, ids.join(',')]);
    await compare(`client ${flags}`, groups, (ids) => testClient(startClient, ids));
  }
}
if (wanted('ws')) {
  for (const [name, groups] of peers('ws')) {
    const [role, mode] = name.split(' ');
    await compare(`ws ${name}`, groups, (ids) =>
      role === 'server'
        ? testServer('ws-echo-server.mjs', [mode], ids)
        : testClient((port, share) => start('ws-echo-client.mjs', [port, share.join(',')]), ids),
    );
  }
}
rmSync(output, { recursive: true, force: true });
console.log(`\n${same} of ${total} verdicts agree: ${((100 * same) / total).toFixed(2)} %`);
process.exitCode = same === total ? 0 : 1;
