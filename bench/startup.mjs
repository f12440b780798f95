// How long the command line takes to start, in interleaved runs: `--help` and an operation's
// `--help` beside `node -e 0`, and `test --url` until its first byte arrives at a TCP listener.
// Prints the medians and whether each bound is met. A missed one is no failure: other programs of the
// machine can cause it.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const RUNS = 15;
const committed = new URL('../skills/websocket/scripts/websocket.mjs', import.meta.url);
/** Another bundle to measure may be given as the only argument. */
const script = path.resolve(process.argv[2] ?? fileURLToPath(committed));
/** Away from this package's own websocket.yaml. */
const options = { stdio: 'ignore', cwd: tmpdir() };

/** Milliseconds until `node <args>` has ended. */
async function timeToExit(args) {
  const start = performance.now();
  const child = spawn(process.execPath, args, options);
  const status = await new Promise((resolve) => child.once('exit', resolve));
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  return performance.now() - start;
}

/** Milliseconds until `node <args> --url <a listener>` has sent its first byte. */
async function timeToFirstByte(args) {
  const listener = createServer();
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const arrived = new Promise((resolve) => {
    listener.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => resolve(performance.now()));
    });
  });
  const start = performance.now();
  const url = `ws://127.0.0.1:${listener.address().port}`;
  const child = spawn(process.execPath, [...args, '--url', url], options);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const end = await Promise.race([arrived, ended]);
  child.kill('SIGKILL');
  await ended;
  listener.close();
  if (typeof end !== 'number' || end < start) throw new Error(`nothing was sent to ${url}`);
  return end - start;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

const measured = {
  bare: () => timeToExit(['-e', '0']),
  help: () => timeToExit([script, '--help']),
  operationHelp: () => timeToExit([script, 'test', '--help']),
  firstByte: () => timeToFirstByte([script, 'test']),
};
const times = Object.fromEntries(Object.keys(measured).map((name) => [name, []]));
for (let round = 0; round < RUNS; round += 1) {
  for (const [name, measure] of Object.entries(measured)) times[name].push(await measure());
}
const [bare, help, operationHelp, firstByte] = Object.values(times).map(median);

const rows = [
  ['--help', help, 'node -e 0 x 1.5 + 60 ms', 1.5 * bare + 60],
  ['test --help', operationHelp, '--help + 40 ms', help + 40],
  ['test --url, first byte', firstByte, '--help + 40 ms', help + 40],
];
const ms = (value) => `${value.toFixed(1)} ms`.padStart(9);
console.log(`${'node -e 0'.padEnd(24)}${ms(bare)}  (medians of ${RUNS})`);
for (const [name, value, rule, bound] of rows) {
  const verdict = value <= bound ? 'met' : 'missed';
  console.log(`${name.padEnd(24)}${ms(value)}  bound ${ms(bound)} (${rule}): ${verdict}`);
}
