import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import path from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../support/temporary-folder.ts';

/** Whether a process with this id is there and no zombie. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const SUPERVISOR = fileURLToPath(
  new URL('../../../../src/target/project/supervisor.ts', import.meta.url),
);

// A command with a child of its own, which would live on if only the command were killed.
const FAMILY = `
const { spawn } = require('node:child_process');
const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
console.log(JSON.stringify([process.pid, child.pid]));
process.on('SIGTERM', () => {});
setInterval(() => {}, 1000);
`;

it('kills the command and its children when the process that holds it is killed with -9', async () => {
  const folder = temporaryFolder();
  const holder = path.join(folder, 'holder.mjs');
  await build({
    stdin: {
      contents: `
        import { Supervised } from ${JSON.stringify(SUPERVISOR)};
        const held = new Supervised({
          command: [process.execPath, '-e', ${JSON.stringify(FAMILY)}],
          cwd: '.',
          env: process.env,
        });
        held.process.stdout.pipe(process.stdout);
        console.error(held.process.pid);`,
      resolveDir: folder,
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile: holder,
  });
  const process9 = spawn(process.execPath, [holder], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [line] = (await once(createInterface(process9.stdout), 'line')) as [string];
  const pids = JSON.parse(line) as number[];
  expect(pids.map(isAlive)).toEqual([true, true]);
  process9.kill('SIGKILL');
  await expect.poll(() => pids.map(isAlive), { timeout: 10_000 }).toEqual([false, false]);
});
