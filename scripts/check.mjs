// Everything that can be judged without running a test: format, lint, types, dead code, package.
// Each step prints its name when it has ended, and what it found; two run at a time, as on two cores the
// longest takes as long as all others. With `--built`, dist/ and the bundle are taken as they are.
import { spawn } from 'node:child_process';

const BUILD = ['build', 'node', ['scripts/build.mjs']];
const STEPS = [
  ['lint', 'npx', ['eslint', '.', '--max-warnings', '0']],
  ['format', 'npx', ['prettier', '--check', '--log-level', 'warn', '.']],
  ['types', 'npx', ['tsc', '-p', '.']],
  ['docs', 'node', ['scripts/docs.mjs', '--check']],
  ['unused', 'npx', ['knip']],
  ['package', 'npx', ['publint', '--strict']],
];

async function check([name, command, args]) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = [];
  child.stdout.on('data', (chunk) => said.push(chunk));
  child.stderr.on('data', (chunk) => said.push(chunk));
  const exit = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  console.log(`check: ${name}`);
  process.stdout.write(Buffer.concat(said));
  if (exit === 0) return;
  console.error(`check: ${name} failed (exit ${exit})`);
  process.exitCode = 1;
}

/** Carries out one step after the other, as long as none has failed. */
async function lane(steps) {
  for (let step; process.exitCode === undefined && (step = steps.shift()) !== undefined;) {
    await check(step);
  }
}

if (!process.argv.includes('--built')) await check(BUILD);
const waiting = [...STEPS];
await Promise.all([lane(waiting), lane(waiting)]);
