// What a bridge costs an MCP server on stdio: calls over stdio itself, over `mcp-bridge` and over supergateway, in one
// run with the same server and client. `node bench/mcp.mjs` after `npm run build`.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { WebSocketClientTransport } from '../dist/src/mcp/index.js';

const SUPERGATEWAY = 'supergateway@4.0.0';
const CALLS = 2000;
const ROUNDS = 3;

const fixture = fileURLToPath(new URL('../test/fixtures/mcp-everything.mjs', import.meta.url));
const bin = fileURLToPath(new URL('../dist/src/cli/bin.js', import.meta.url));
const command = `"${process.execPath}" "${fixture}" 1`;
const folder = mkdtempSync(path.join(tmpdir(), 'mcp-bench-'));
const children = [];

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Starts a bridge and resolves to a transport once it can be reached. */
async function bridged(args, place) {
  const port = await freePort();
  children.push(
    spawn(process.execPath, [...args, '--stdio', command, '--port', String(port)], {
      stdio: 'ignore',
    }),
  );
  for (;;) {
    const transport = new WebSocketClientTransport(`ws://127.0.0.1:${port}${place}`);
    try {
      const client = new Client({ name: 'bench', version: '1.0.0' });
      await client.connect(transport);
      return client;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function direct() {
  const client = new Client({ name: 'bench', version: '1.0.0' });
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [fixture, '1'] }),
  );
  return client;
}

async function measure(client, concurrency) {
  const times = [];
  let left = CALLS;
  const began = performance.now();
  const work = async () => {
    while (left-- > 0) {
      const sent = performance.now();
      await client.callTool({ name: 'echo', arguments: { message: 'hello' } });
      times.push(performance.now() - sent);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  const seconds = (performance.now() - began) / 1000;
  times.sort((a, b) => a - b);
  return { p50: times[times.length >> 1], perSecond: CALLS / seconds };
}

try {
  execFileSync('npm', [
    'install',
    '--silent',
    '--no-audit',
    '--no-fund',
    '--prefix',
    folder,
    SUPERGATEWAY,
  ]);
  const gateway = [
    path.join(folder, 'node_modules/supergateway/dist/index.js'),
    '--outputTransport',
    'ws',
  ];
  const ours = [bin, 'mcp-bridge'];
  const clients = {
    'stdio, no bridge': await direct(),
    'mcp-bridge': await bridged(ours, '/message'),
    'mcp-bridge --log-level none': await bridged([...ours, '--log-level', 'none'], '/message'),
    supergateway: await bridged(gateway, '/message'),
    'supergateway --logLevel none': await bridged([...gateway, '--logLevel', 'none'], '/message'),
  };
  const rows = Object.entries(clients).map(([name, client]) => ({
    name,
    client,
    one: [],
    many: [],
  }));
  for (const { client } of rows) await measure(client, 10);
  // In turn, so that what else the machine does falls on all.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const row of rows) {
      row.one.push((await measure(row.client, 1)).p50);
      row.many.push((await measure(row.client, 50)).perSecond);
    }
  }
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  console.log('| | p50 of one call | calls/s, 50 in flight |\n| --- | --- | --- |');
  for (const { name, one, many } of rows) {
    console.log(`| ${name} | ${median(one).toFixed(3)} ms | ${Math.round(median(many))} |`);
  }
  for (const { client } of rows) await client.close();
} finally {
  for (const child of children) child.kill();
  rmSync(folder, { recursive: true, force: true });
}
