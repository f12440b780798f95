// The generator under test: the command line, as users run it.
import path from 'node:path';
import { folder, root } from './machine.mjs';

/** Another build's, to hold two against each other. */
export const BIN = process.env.BENCHMARK_BIN ?? path.join(root, 'dist/src/cli/bin.js');

const WARMUP_S = 1;

/** @param {string[]} extra flags besides those of the load */
export function ours(extra = [], { name = 'ours', workers = 1 } = {}) {
  return {
    name,
    version: () => 'this checkout',
    missing: () => null,
    can: () => true,
    command: ({ url, connections, depth, rate, bytes, seconds }) => [
      ...[process.execPath, BIN, 'benchmark', '--url', url],
      ...['--connections', String(connections), '--size', String(bytes), '--binary'],
      ...(depth ? ['--pipeline', String(depth)] : ['--rate', String(rate)]),
      ...['--duration', `${seconds - WARMUP_S}s`, '--warmup', `${WARMUP_S}s`, '--drain', '1s'],
      ...['--workers', String(workers), '--output', folder('report'), '--json', ...extra],
    ],
    read: ({ stdout }) => {
      const report = JSON.parse(stdout);
      const { response, service, lateness } = report.measured.latency;
      return {
        p50: response.p50,
        p95: response.p95,
        p99: response.p99,
        serviceP50: service.p50,
        serviceP99: service.p99,
        latenessP99: lateness?.p99,
        reached: report.measured.rate.reached,
        saturated: report.measured.generator.saturated,
        report,
      };
    },
  };
}
