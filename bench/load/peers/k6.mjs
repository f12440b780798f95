// k6 (AGPL-3.0): built by Go from its module, once, into the cache folder.
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import path from 'node:path';
import { cache, which } from '../../programs.mjs';
import { here } from '../machine.mjs';

const VERSION = 'v1.8.1';
const built = path.join(cache, 'bin/k6');

function program() {
  return statSync(built, { throwIfNoEntry: false }) ? built : which('k6');
}

export const k6 = {
  name: 'k6',
  version: () => execFileSync(program(), ['version'], { encoding: 'utf8' }).split(' ')[1],
  missing: () =>
    program() ? null : 'no k6: `node bench/load/peers/install.mjs k6`, or on the PATH',
  install: () => {
    if (!which('go')) throw new Error('k6 is built by Go, which is not here');
    const env = { ...process.env, GOBIN: path.dirname(built), CGO_ENABLED: '0' };
    execFileSync('go', ['install', `go.k6.io/k6@${VERSION}`], { env, stdio: 'inherit' });
  },
  can: () => true,
  command: ({ url, connections, depth, rate, bytes, seconds }) => {
    const values = { URL: url, CONNECTIONS: connections, DEPTH: depth, RATE: rate };
    const set = Object.entries({ ...values, BYTES: bytes, SECONDS: seconds })
      .filter(([, value]) => value !== undefined)
      .flatMap(([name, value]) => ['-e', `${name}=${value}`]);
    const script = path.join(here, 'peers', depth ? 'k6-closed.js' : 'k6-open.js');
    return [program(), 'run', '--quiet', '--no-usage-report', '--log-output=none', ...set, script];
  },
  read: ({ stdout }) => {
    const values = JSON.parse(stdout);
    return { p50: values.med, p95: values['p(95)'], p99: values['p(99)'] };
  },
};
