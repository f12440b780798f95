// artillery (MPL-2.0): from npm into the cache folder, without the scripts that fetch browsers.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cache } from '../../programs.mjs';
import { scratch } from '../machine.mjs';

// The last that runs on Node 20.
const VERSION = '2.0.21';
const directory = path.join(cache, 'artillery');
const program = path.join(directory, 'node_modules/artillery/bin/run');

export const artillery = {
  name: 'artillery',
  version: () =>
    JSON.parse(readFileSync(path.join(directory, 'node_modules/artillery/package.json'), 'utf8'))
      .version,
  missing: () =>
    statSync(program, { throwIfNoEntry: false })
      ? null
      : 'no artillery: `node bench/load/peers/install.mjs artillery`',
  install: () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(path.join(directory, 'package.json'), '{ "private": true }');
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund'];
    execFileSync('npm', [...args, `artillery@${VERSION}`], { cwd: directory, stdio: 'inherit' });
  },
  // It takes the first message after a send for its reply, one at a time.
  can: ({ depth }) => depth === 1,
  command: ({ url, connections, bytes }) => {
    const script = path.join(scratch, 'artillery.json');
    const payload = 'a'.repeat(bytes);
    // Something to take from it makes it wait for the reply.
    const send = { payload, capture: { regexp: 'a+', as: 'reply' } };
    // Longer than any benchmark: it is stopped once it has been measured.
    const flow = [{ loop: [{ send }], count: 10_000_000 }];
    const config = { target: url, phases: [{ duration: 1, arrivalCount: connections }] };
    writeFileSync(script, JSON.stringify({ config, scenarios: [{ engine: 'ws', flow }] }));
    return [process.execPath, program, 'run', '--quiet', script];
  },
  env: { ARTILLERY_DISABLE_TELEMETRY: 'true', WORKERS: '1' },
  endless: true,
  read: () => ({}),
};
