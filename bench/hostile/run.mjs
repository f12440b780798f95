// node bench/hostile/run.mjs [--seconds N] [attack...]: the round trips of an innocent client while others
// attack a generated echo server, a generated chat server and a bare ws server, beside those without an
// attack. Loopback only; all attackers and the innocent client have the same address. Build first.
// Exits with 1 when p99 under an attack is more than 3 times that without, on a generated server.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { constants, deflateRawSync } from 'node:zlib';
import { WebSocket } from 'ws';

/** Largest p99 under attack, as a multiple of p99 without. */
const BAR = 3;
const ATTACKERS = 20;
const root = fileURLToPath(new URL('../..', import.meta.url));

const frame = (first, payload = Buffer.alloc(0)) => {
  const short = payload.length < 126;
  const head = Buffer.alloc(short ? 6 : 14);
  head[0] = first;
  head[1] = 128 | (short ? payload.length : 127);
  if (!short) head.writeBigUInt64BE(BigInt(payload.length), 2);
  return Buffer.concat([head, payload]);
};
const many = (bytes) => Buffer.concat(Array(8000).fill(bytes));
const bomb = () => {
  const options = { level: 9, finishFlush: constants.Z_SYNC_FLUSH };
  return frame(0x42, deflateRawSync(Buffer.alloc(32 << 20), options));
};
const request = (path, headers = '') => `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`;
const handshake = request(
  '/',
  'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
    'Sec-WebSocket-Extensions: permessage-deflate\r\n',
);

/** What is sent once, and then without end. */
const ATTACKS = {
  text: { flood: many(frame(0x81, Buffer.from('a'))) },
  pings: { flood: many(frame(0x89)) },
  pongs: { flood: many(frame(0x8a)) },
  'empty fragments': { once: frame(0x01), flood: many(frame(0x00)) },
  bombs: { once: bomb(), flood: undefined },
  'plain requests': { isHttp: true, flood: Buffer.from(request('/healthz').repeat(500)) },
  handshakes: { isShort: true },
};

if (isMainThread) await main();
else for (let count = 0; count < ATTACKERS; count += 1) void attack(workerData);

async function attack({ port, kind }) {
  const { once, flood, isHttp = false, isShort = false } = ATTACKS[kind];
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {}).resume();
    if (!isHttp) socket.write(handshake);
    if (isShort) await Promise.race([closed, new Promise((done) => socket.once('data', done))]);
    if (once !== undefined) socket.write(once);
    while (flood !== undefined && !socket.destroyed) {
      const drained = socket.write(flood) ? delay(0) : new Promise((d) => socket.once('drain', d));
      await Promise.race([drained, closed]);
    }
    if (isShort) socket.destroy();
    await closed;
    await delay(1);
  }
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string', default: '4' } },
  });
  const kinds = positionals.length > 0 ? positionals : Object.keys(ATTACKS);
  const folder = mkdtempSync(join(tmpdir(), 'bench-hostile-'));
  let missed = 0;
  try {
    console.log(
      `${'server'.padEnd(8)}${'attack'.padEnd(18)}   p50 ms    p99 ms   ratio   memory MiB`,
    );
    for (const [name, command] of Object.entries(servers(folder))) {
      const quiet = await measure(command, undefined, Number(values.seconds));
      print(name, 'none', quiet, '');
      for (const kind of kinds) {
        const figures = await measure(command, kind, Number(values.seconds));
        const ratio = figures.p99 / quiet.p99;
        const isMissed = name !== 'ws' && !(ratio <= BAR);
        if (isMissed) missed += 1;
        print(name, kind, figures, `${ratio.toFixed(2)}${isMissed ? ' MISSED' : ''}`);
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`\np99 under attack at most ${BAR} times that without: ${missed} missed`);
  process.exitCode = missed > 0 ? 1 : 0;
}

function print(name, kind, { p50, p99, memory }, ratio) {
  const numbers = [p50.toFixed(2).padStart(9), p99.toFixed(2).padStart(10)].join('');
  console.log(
    `${name.padEnd(8)}${kind.padEnd(18)}${numbers}${ratio.padStart(8)}${memory.padStart(10)}`,
  );
}

/** Generates the servers; arguments of node for each, and what the innocent client sends. */
function servers(folder) {
  const cli = join(root, 'skills/websocket/scripts/websocket.mjs');
  const generate = (...args) => execFileSync(process.execPath, [cli, 'generate-server', ...args]);
  const chat = join(folder, 'chat');
  generate('--output', join(folder, 'echo.mjs'));
  generate('--type', 'chat', '--features', 'rooms,presence,history', '--output', `${chat}/`);
  symlinkSync(join(root, 'node_modules'), join(chat, 'node_modules'));
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', chat]);
  return {
    echo: [join(folder, 'echo.mjs')],
    chat: [join(chat, 'dist/src/main.js')],
    ws: [fileURLToPath(new URL('ws-echo.mjs', import.meta.url))],
  };
}

/** Round trips of one client, 100 a second at most, in milliseconds, and the server's memory. */
async function measure(args, kind, seconds) {
  const server = spawn(process.execPath, args, {
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let worker;
  try {
    const lines = createInterface({ input: server.stdout });
    const port = await new Promise((resolve) => {
      lines.on('line', (line) => line.includes('"port"') && resolve(JSON.parse(line).port));
    });
    const client = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
    await new Promise((resolve, reject) => client.on('open', resolve).on('error', reject));
    if (kind !== undefined) {
      worker = new Worker(fileURLToPath(import.meta.url), { workerData: { port, kind } });
    }
    await delay(500);
    const times = [];
    const end = performance.now() + seconds * 1000;
    for (let id = 0; performance.now() < end; id += 1) {
      const begin = performance.now();
      client.send(JSON.stringify({ type: 'ping', id: `i${id}` }));
      await Promise.race([answer(client, `"i${id}"`), delay(3000)]);
      times.push(performance.now() - begin);
      await delay(10);
    }
    times.sort((a, b) => a - b);
    const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
    return { p50: at(0.5), p99: at(0.99), memory: memoryOf(server.pid) };
  } finally {
    await worker?.terminate();
    server.kill('SIGKILL');
  }
}

function answer(client, id) {
  return new Promise((resolve) => {
    const listen = (data) => {
      if (!String(data).includes(id)) return;
      client.off('message', listen);
      resolve();
    };
    client.on('message', listen);
  });
}

/** Resident MiB where /proc tells. */
function memoryOf(pid) {
  try {
    const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return (Number(kib) / 1024).toFixed(0);
  } catch {
    return '-';
  }
}
