// tcpkali (BSD-2-Clause): no package of Debian; used where somebody has built it.
import { execFileSync } from 'node:child_process';
import { which } from '../../programs.mjs';

export const tcpkali = {
  name: 'tcpkali',
  version: () =>
    /\d[\d.]+/.exec(execFileSync('tcpkali', ['--version'], { encoding: 'utf8' }))?.[0] ?? '?',
  missing: () => (which('tcpkali') ? null : 'no tcpkali on the PATH (it is built from source)'),
  // It sends at a rate or as fast as it can, never after a reply.
  can: ({ depth }) => depth === undefined,
  command: ({ port, connections, rate, bytes, seconds }) => [
    'tcpkali',
    ...['--websocket', '--workers', '1', '--connections', String(connections)],
    ...['--connect-rate', '2000', '--duration', `${seconds}s`],
    ...['--message-rate', String(rate / connections), '--message', 'a'.repeat(bytes)],
    ...['--latency-marker', 'a'.repeat(bytes), `127.0.0.1:${port}`],
  ],
  read: ({ stdout, stderr }) => {
    const line = /Message latency at percentiles: ([\d.]+)\/([\d.]+)\/([\d.]+)/.exec(
      stdout + stderr,
    );
    return line ? { p95: Number(line[1]), p99: Number(line[2]) } : {};
  },
};
