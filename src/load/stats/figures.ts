import type { Metrics } from '../metrics.ts';
import { failureRatio } from './failures.ts';

/** A figure of repeats and comparisons. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Null: shown for repeats, not compared. */
  readonly better: 'lower' | 'higher' | null;
  /** Null when this run did not measure it. */
  readonly of: (measured: Metrics) => number | null;
}

/** Of repeats and comparisons, in the order of their rows. */
export const FIGURES: readonly Figure[] = [
  { name: 'rate', unit: '/s', better: 'higher', of: ({ rate }) => positive(rate.received) },
  // Each compared row is another chance of a false difference, and the far tail varies most.
  latencyFigure('p50', 'lower'),
  latencyFigure('p90', null),
  latencyFigure('p99', 'lower'),
  latencyFigure('p999', null),
  latencyFigure('max', null),
  // A ratio of errors is undefined when one side has none; a ratio of answers is not.
  { name: 'answered', unit: '%', better: 'higher', of: (run) => 100 - failureRatio(run) * 100 },
  { name: 'errors', unit: '%', better: null, of: (run) => failureRatio(run) * 100 },
  connectFigure('connectP50', 'p50', 'lower'),
  connectFigure('connectP99', 'p99', null),
  {
    name: 'connectRate',
    unit: '/s',
    better: 'higher',
    of: ({ connections }) => positive(connections.perSecond),
  },
  {
    name: 'cpuPerMessageUs',
    unit: 'µs',
    better: null,
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

function latencyFigure(
  name: 'p50' | 'p90' | 'p99' | 'p999' | 'max',
  better: Figure['better'],
): Figure {
  return { name, unit: 'ms', better, of: (run) => latency(run)?.[name] ?? null };
}

function connectFigure(name: string, key: 'p50' | 'p99', better: Figure['better']): Figure {
  return { name, unit: 'ms', better, of: ({ latency: { connect } }) => connect?.[key] ?? null };
}

/** Response; service in a closed loop, which has no schedule. */
function latency({ latency: { response, service } }: Metrics): Metrics['latency']['response'] {
  return response ?? service;
}

function positive(value: number): number | null {
  return value > 0 ? value : null;
}

/** The figure of every run; null if a run did not measure it. */
export function valuesOf(figure: Figure, runs: readonly Metrics[]): number[] | null {
  const values = runs.map((run) => figure.of(run)).filter((value) => value !== null);
  return values.length === runs.length && values.length > 0 ? values : null;
}
