// Everything that can be judged without running a test: format, lint, types, dead code, package.
// Each step prints its name; the first that fails ends the run.
import { spawnSync } from 'node:child_process';

const STEPS = [
  ['build', 'node', ['scripts/build.mjs']],
  ['format', 'npx', ['prettier', '--check', '--log-level', 'warn', '.']],
  ['lint', 'npx', ['eslint', '.', '--max-warnings', '0']],
  ['types', 'npx', ['tsc', '-p', '.']],
  ['docs', 'node', ['scripts/docs.mjs', '--check']],
  ['unused', 'npx', ['knip']],
  ['package', 'npx', ['publint', '--strict']],
];

for (const [name, command, args] of STEPS) {
  console.log(`check: ${name}`);
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) {
    console.error(`check: ${name} failed (exit ${status})`);
    process.exit(1);
  }
}
