import type { LoadPlan } from '../plan.ts';
import type { Metrics, Percentiles, ThresholdRow } from '../metrics.ts';
import { failureRatio, failuresOf } from './failures.ts';

export type RowUnit = ThresholdRow['unit'];

/** How a unit is written in a threshold: the unit of the row and the factor to it. */
export type Suffixes = Readonly<Record<string, readonly [unit: RowUnit, factor: number]>>;

/** Something that a threshold can be about. */
export interface Metric {
  readonly name: string;
  readonly suffixes: Suffixes;
  /** In the unit of the row; null when it was not measured. */
  readonly valueOf: (measured: Metrics, unit: RowUnit) => number | null;
  /** Why a run of this plan cannot measure it; undefined if it can. */
  readonly missingIn: (plan: LoadPlan) => string | undefined;
}

const DURATION: Suffixes = { us: ['ms', 0.001], ms: ['ms', 1], s: ['ms', 1000] };
const PER_SECOND: Suffixes = { '': ['/s', 1], '/s': ['/s', 1] };
const PERCENT: Suffixes = { '%': ['%', 1] };

const STATISTICS: readonly (readonly [name: string, key: Exclude<keyof Percentiles, 'count'>])[] = [
  ['p50', 'p50'],
  ['p75', 'p75'],
  ['p90', 'p90'],
  ['p95', 'p95'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
  ['max', 'max'],
  ['mean', 'mean'],
];

const LATENCIES: readonly (readonly [
  prefix: string,
  key: keyof Metrics['latency'],
  missingIn: Metric['missingIn'],
])[] = [
  ['', 'response', withoutMessages],
  ['service-', 'service', withoutMessages],
  ['connect-', 'connect', () => undefined],
  ['lateness-', 'lateness', (plan) => withoutMessages(plan) ?? withoutSchedule(plan)],
  [
    'last-delivery-',
    'lastDelivery',
    ({ mode }) => (mode === 'fanout' ? undefined : 'only the mode fanout measures it'),
  ],
];

const COUNTS: readonly Metric[] = [
  {
    name: 'errors',
    suffixes: { '%': ['%', 1], '': ['count', 1] },
    valueOf: (measured, unit) =>
      unit === '%' ? failureRatio(measured) * 100 : failuresOf(measured),
    missingIn: () => undefined,
  },
  {
    name: 'lost',
    suffixes: { '%': ['%', 1], '': ['count', 1] },
    valueOf: ({ messages }, unit) =>
      unit === '%' ? percentOf(messages.lost, messages.sent) : messages.lost,
    missingIn: withoutMessages,
  },
  {
    name: 'rate',
    suffixes: { '': ['ratio', 1], '%': ['ratio', 0.01] },
    valueOf: ({ rate }) => rate.reached,
    missingIn: (plan) => withoutMessages(plan) ?? withoutSchedule(plan),
  },
  {
    name: 'throughput',
    suffixes: PER_SECOND,
    valueOf: ({ rate }) => rate.received,
    missingIn: withoutMessages,
  },
  {
    name: 'connections',
    suffixes: { '': ['count', 1] },
    valueOf: ({ connections }) => connections.opened,
    missingIn: () => undefined,
  },
  {
    name: 'connect-rate',
    suffixes: PER_SECOND,
    valueOf: ({ connections }) => connections.perSecond,
    missingIn: () => undefined,
  },
  {
    name: 'cpu',
    suffixes: PERCENT,
    valueOf: ({ generator }) =>
      generator.workers.length === 0
        ? null
        : Math.max(...generator.workers.map((one) => percentOf(one.cpuMs, one.measureMs) ?? 0)),
    missingIn: () => undefined,
  },
  {
    name: 'cpu-per-message',
    suffixes: DURATION,
    valueOf: ({ generator: { cpuPerMessageUs } }) =>
      cpuPerMessageUs === null ? null : cpuPerMessageUs / 1000,
    missingIn: withoutMessages,
  },
  {
    name: 'server-cpu',
    suffixes: PERCENT,
    valueOf: ({ server, phases }) =>
      server === null ? null : percentOf(server.cpuMs, phases.measureMs),
    missingIn: () => undefined,
  },
];

/** All that a threshold can be about, by name. */
export const METRICS: ReadonlyMap<string, Metric> = new Map(
  [...LATENCIES.flatMap(latencyMetrics), ...COUNTS].map((metric) => [metric.name, metric]),
);

function latencyMetrics([prefix, key, missingIn]: (typeof LATENCIES)[number]): Metric[] {
  return STATISTICS.map(([name, statistic]) => ({
    name: `${prefix}${name}`,
    suffixes: DURATION,
    valueOf: ({ latency }) => latency[key]?.[statistic] ?? null,
    missingIn,
  }));
}

function withoutMessages({ mode }: LoadPlan): string | undefined {
  return mode === 'idle' ? 'the mode idle sends no messages' : undefined;
}

function withoutSchedule({ load }: LoadPlan): string | undefined {
  if (load.model === 'closed') return 'a closed loop (--pipeline) has no rate to keep';
  return load.rate === 0 ? 'without --rate there is none to keep' : undefined;
}

function percentOf(part: number, whole: number): number | null {
  return whole === 0 ? null : (part / whole) * 100;
}
