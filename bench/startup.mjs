// How long `websocket-skill --help` takes beside `node -e 0`, in interleaved runs: prints the
// medians, their ratio and the bound the package sets itself (1.5 x + 60 ms).
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const RUNS = 15;
const committed = new URL('../skills/websocket/scripts/websocket.mjs', import.meta.url);
/** Another bundle to measure may be given as the only argument. */
const script = process.argv[2] ?? fileURLToPath(committed);

function run(args) {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, args, { stdio: 'ignore' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${status}`);
  return performance.now() - start;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

const bare = [];
const help = [];
for (let round = 0; round < RUNS; round += 1) {
  bare.push(run(['-e', '0']));
  help.push(run([script, '--help']));
}
const [bareMs, helpMs] = [median(bare), median(help)];
const boundMs = 1.5 * bareMs + 60;
console.log(`node -e 0               ${bareMs.toFixed(1)} ms (median of ${RUNS})`);
console.log(`websocket-skill --help  ${helpMs.toFixed(1)} ms, ${(helpMs / bareMs).toFixed(2)} x`);
console.log(
  `bound 1.5 x + 60 ms     ${boundMs.toFixed(1)} ms: ${helpMs < boundMs ? 'met' : 'missed'}`,
);
