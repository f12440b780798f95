import type { Measured } from '../report.ts';
import { failureRatio } from './failures.ts';

/** What runs are compared by. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly better: 'lower' | 'higher';
  /** Null when this run did not measure it. */
  readonly of: (measured: Measured) => number | null;
}

/** Of repeats and comparisons, in the order of their rows. */
export const FIGURES: readonly Figure[] = [
  { name: 'rate', unit: '/s', better: 'higher', of: ({ rate }) => positive(rate.received) },
  { name: 'p50', unit: 'ms', better: 'lower', of: (run) => latency(run)?.p50 ?? null },
  { name: 'p90', unit: 'ms', better: 'lower', of: (run) => latency(run)?.p90 ?? null },
  { name: 'p99', unit: 'ms', better: 'lower', of: (run) => latency(run)?.p99 ?? null },
  { name: 'p999', unit: 'ms', better: 'lower', of: (run) => latency(run)?.p999 ?? null },
  { name: 'max', unit: 'ms', better: 'lower', of: (run) => latency(run)?.max ?? null },
  { name: 'errors', unit: '%', better: 'lower', of: (run) => failureRatio(run) * 100 },
  {
    name: 'connectP50',
    unit: 'ms',
    better: 'lower',
    of: ({ latency: { connect } }) => connect?.p50 ?? null,
  },
  {
    name: 'connectP99',
    unit: 'ms',
    better: 'lower',
    of: ({ latency: { connect } }) => connect?.p99 ?? null,
  },
  {
    name: 'connectRate',
    unit: '/s',
    better: 'higher',
    of: ({ connections }) => positive(connections.perSecond),
  },
  {
    name: 'cpuPerMessageUs',
    unit: 'µs',
    better: 'lower',
    of: ({ generator }) => generator.cpuPerMessageUs,
  },
  {
    name: 'serverMessagesPerCpuSecond',
    unit: '/s',
    better: 'higher',
    of: ({ server }) => server?.messagesPerCpuSecond ?? null,
  },
  {
    name: 'serverBytesPerConnection',
    unit: 'bytes',
    better: 'lower',
    of: ({ server }) => server?.bytesPerConnection ?? null,
  },
];

/** Response, or in a closed loop, which has no schedule to be late against, service. */
function latency({ latency: { response, service } }: Measured): Measured['latency']['response'] {
  return response ?? service;
}

function positive(value: number): number | null {
  return value > 0 ? value : null;
}

/** The figure of every run, unless one did not measure it. */
export function valuesOf(figure: Figure, runs: readonly Measured[]): number[] | null {
  const values = runs.map((run) => figure.of(run)).filter((value) => value !== null);
  return values.length === runs.length && values.length > 0 ? values : null;
}
