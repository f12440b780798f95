// node bench/autobahn.mjs [limits|full|strict]: how long the suite takes, and what it costs.
// Each benchmark runs the command line as users do, reports included, in a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const fixtures = path.join(root, 'test/fixtures/conformance');

/** Peak memory of the tester that is acceptable in every benchmark, in megabytes. */
const MEMORY_MB = 300;

/** The real suite needs 862 seconds for all 517 cases against the same peer. */
const REAL_SUITE_S = 862;

const BENCHMARKS = {
  strict: {
    name: '247 cases (no 9, 12, 13), strict peer',
    peer: ['wrong-server.mjs', '0', 'none'],
    args: ['--exclude', '9.*,12.*,13.*'],
    barS: 1.5,
  },
  limits: {
    name: '301 cases (no 12, 13), ws',
    peer: ['ws-echo-server.mjs', 'plain'],
    args: ['--exclude', '12.*,13.*'],
    barS: 3.0,
  },
  full: {
    name: '517 cases, ws with deflate',
    peer: ['ws-echo-server.mjs', 'deflate'],
    args: [],
    barS: REAL_SUITE_S / 5,
    cpuBelowPeer: true,
  },
};

const output = mkdtempSync(path.join(tmpdir(), 'autobahn-bench-'));

/** Prints what the process used, at its end, to the file descriptor 3. */
const METER = `data:text/javascript,${encodeURIComponent(
  `import { writeSync } from 'node:fs';
   process.on('exit', () => {
     const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
     writeSync(3, JSON.stringify({ maxRSS, cpu: userCPUTime + systemCPUTime }));
   });`,
)}`;

async function measure({ peer, args, cpuBelowPeer }) {
  const [file, ...flags] = peer;
  const server = spawn(process.execPath, [path.join(fixtures, file), ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(server.stdout, 'data');
  const port = /\d+/.exec(String(line))[0];
  const tester = spawn(
    process.execPath,
    [
      '--import',
      METER,
      path.join(root, 'dist/src/cli/bin.js'),
      'autobahn-test',
      '--url',
      `ws://127.0.0.1:${port}/`,
      '--output',
      output,
      '--json',
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] },
  );
  const chunks = [];
  const meter = [];
  tester.stdout.on('data', (chunk) => chunks.push(chunk));
  tester.stdio[3].on('data', (chunk) => meter.push(chunk));
  await once(tester, 'close');
  const report = JSON.parse(Buffer.concat(chunks));
  const { maxRSS, cpu } = JSON.parse(Buffer.concat(meter));
  let peerCpu;
  if (cpuBelowPeer) {
    server.kill('SIGUSR2');
    peerCpu = Number((await once(server.stdout, 'data'))[0]);
  }
  server.kill();
  return { report, memoryMb: maxRSS / 1000, cpu, peerCpu };
}

const [, , only] = process.argv;
const { version } = JSON.parse(readFileSync(path.join(root, 'node_modules/ws/package.json')));
console.log(
  `Node ${process.version}, ws ${version}, ${availableParallelism()} cores, ` +
    `load ${loadavg()[0].toFixed(1)} before the start\n`,
);
let failed = false;
for (const [key, benchmark] of Object.entries(BENCHMARKS)) {
  if (only !== undefined && only !== key) continue;
  const { report, memoryMb, cpu, peerCpu } = await measure(benchmark);
  const seconds = report.durationMs / 1000;
  const verdicts = Object.entries(report.verdicts)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`);
  const good =
    seconds <= benchmark.barS && memoryMb < MEMORY_MB && (peerCpu === undefined || cpu < peerCpu);
  failed ||= !good;
  console.log(`${benchmark.name}: ${seconds.toFixed(2)} s (bar ${benchmark.barS.toFixed(1)} s)`);
  console.log(`  ${verdicts.join(', ')}`);
  console.log(
    `  tester: ${(cpu / 1e6).toFixed(1)} s of CPU${peerCpu === undefined ? '' : `, peer: ${(peerCpu / 1e6).toFixed(1)} s`}; ` +
      `peak memory ${memoryMb.toFixed(0)} MB (bar ${MEMORY_MB} MB)${good ? '' : '  BELOW THE BAR'}`,
  );
  if (key === 'full') {
    console.log(`  ${(REAL_SUITE_S / seconds).toFixed(1)} times as fast as the real suite`);
  }
  for (const note of report.notes) console.log(`  (${note})`);
}
rmSync(output, { recursive: true, force: true });
process.exitCode = failed ? 1 : 0;
