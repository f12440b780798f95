// npm run bench: the protocol core against the Receiver and Sender of ws, in one process.
import { readFileSync } from 'node:fs';
import { compare } from './compare.mjs';
import { receiveBenchmark } from './receive.mjs';
import { sendBenchmark } from './send.mjs';

/** The slowest that is acceptable, as a share of the speed of ws. */
const BAR = 1;

const text = 'The quick brown fox jumps over the lazy dog, and does so again.!';
const mixed = 'Τὴ γλῶσσα μοῦ ἔδωσαν ἑλληνικὴ: 😀'.padEnd(38, '.');
const binary = Buffer.alloc(64 * 1024, 'websocket');

const benchmarks = [
  receiveBenchmark({
    name: 'receive 64 B text',
    opcode: 1,
    payload: Buffer.from(text),
    messages: 60_000,
  }),
  receiveBenchmark({
    name: 'receive 64 B text, not ASCII',
    opcode: 1,
    payload: Buffer.from(mixed),
    messages: 60_000,
  }),
  receiveBenchmark({ name: 'receive 64 KiB binary', opcode: 2, payload: binary, messages: 600 }),
  sendBenchmark({ name: 'send 64 B text', data: text, messages: 60_000 }),
  sendBenchmark({ name: 'send 64 KiB binary', data: binary, messages: 600 }),
];

const { version } = JSON.parse(
  readFileSync(new URL('../node_modules/ws/package.json', import.meta.url), 'utf8'),
);
console.log(`Node ${process.version}, ws ${version}; medians of rounds A B B A, masked frames\n`);
console.log(
  'benchmark                         ours ns/msg   ws ns/msg   speed of ws x (min .. max)',
);
let failed = false;
for (const benchmark of benchmarks) {
  const { name, ourNs, theirNs, ratio, lowest, highest } = compare(benchmark);
  failed ||= ratio < BAR;
  console.log(
    `${name.padEnd(34)}${ourNs.toFixed(0).padStart(11)}${theirNs.toFixed(0).padStart(12)}   ` +
      `${ratio.toFixed(2).padStart(5)} (${lowest.toFixed(2)} .. ${highest.toFixed(2)})` +
      (ratio < BAR ? `  below ${BAR.toFixed(1)}` : ''),
  );
}
process.exitCode = failed ? 1 : 0;
