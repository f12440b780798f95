import type { BenchmarkReport, Metrics } from '../metrics.ts';
import { sidesOf, type Side } from './sides.ts';

export type Labels = Readonly<Record<string, string>>;

/** A Prometheus gauge with a value for each set of labels. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly {
    readonly labels: Labels;
    /** Null is left out. */
    readonly value: number | null;
  }[];
}

/** A gauge with one value for each run, or with one for each value of `label`. */
type OfRun =
  | readonly [name: string, help: string, value: (run: Metrics) => number | null]
  | readonly [
      name: string,
      help: string,
      values: (run: Metrics) => Readonly<Record<string, number | null>>,
      label: string,
    ];

const OF_RUN: readonly OfRun[] = [
  [
    'messages',
    'Messages of the measured phase by state.',
    ({ messages: { inFlight, outOfOrder, ...others } }) => ({
      ...others,
      in_flight: inFlight,
      out_of_order: outOfOrder,
    }),
    'state',
  ],
  [
    'messages_per_second',
    'Messages per second over all connections.',
    ({ rate: { requested, sent, received } }) => ({ requested, sent, received }),
    'direction',
  ],
  ['rate_reached_ratio', 'Messages sent divided by messages intended.', ({ rate }) => rate.reached],
  ['bytes', 'Bytes on the wire in the measured phase.', ({ bytes }) => bytes, 'direction'],
  [
    'connections',
    'Connections by state.',
    ({ connections: { requested, opened, failed, dropped } }) => ({
      requested,
      opened,
      failed,
      dropped,
    }),
    'state',
  ],
  [
    'handshakes_per_second',
    'Handshakes per second in the connect phase.',
    ({ connections }) => connections.perSecond,
  ],
  [
    'phase_seconds',
    'Duration of each phase.',
    ({ phases: { connectMs, warmupMs, measureMs, drainMs } }) => ({
      connect: connectMs / 1000,
      warmup: warmupMs / 1000,
      measure: measureMs / 1000,
      drain: drainMs / 1000,
    }),
    'phase',
  ],
  [
    'generator_saturated',
    '1 if the generator, not the server, was the limit.',
    ({ generator }) => (generator.saturated ? 1 : 0),
  ],
  [
    'generator_disturbed',
    '1 if the generator was held up by something other than its load.',
    ({ generator }) => (generator.disturbed ? 1 : 0),
  ],
  [
    'generator_cpu_seconds',
    'CPU time of the generator.',
    ({ generator }) => generator.cpuMs / 1000,
  ],
  [
    'generator_peak_resident_bytes',
    'Highest resident memory of the generator.',
    ({ generator }) => generator.peakRssBytes,
  ],
  ['server_cpu_seconds', 'CPU time of the server.', ({ server }) => server && server.cpuMs / 1000],
  [
    'server_peak_resident_bytes',
    'Highest resident memory of the server.',
    ({ server }) => server && server.peakRssBytes,
  ],
  [
    'server_peak_descriptors',
    'Most open file descriptors of the server.',
    ({ server }) => server && server.peakDescriptors,
  ],
  [
    'replies_per_connection',
    'Fewest, median and most replies per connection.',
    ({ fairness }) => fairness ?? {},
    'of',
  ],
];

/** Every single number of a report; histograms are not included. */
export function gauges(report: BenchmarkReport): Gauge[] {
  const sides = sidesOf(report);
  return [
    infoGauge(report, sides),
    {
      name: 'success',
      help: '1 if the run passed.',
      samples: [{ labels: {}, value: report.success ? 1 : 0 }],
    },
    {
      name: 'start_time_seconds',
      help: 'Unix time of the start.',
      samples: [{ labels: {}, value: Date.parse(report.startedAt) / 1000 }],
    },
    ...OF_RUN.map((one) => gaugeOfRuns(one, sides)),
    errorGauge(sides),
    ...verdictGauges(report),
  ];
}

/** Labels that identify a run of the report. */
export function sideLabels({ key, label, measured }: Side): Labels {
  return { target: measured.target, ...(label === '' ? {} : { side: key }) };
}

function gaugeOfRuns([name, help, figures, label = '']: OfRun, sides: readonly Side[]): Gauge {
  const samples = sides.flatMap((side) => {
    const own = figures(side.measured);
    if (own === null || typeof own === 'number') return [{ labels: sideLabels(side), value: own }];
    return Object.entries(own).map(([key, value]) => ({
      labels: { ...sideLabels(side), [label]: key },
      value,
    }));
  });
  return { name, help, samples };
}

function infoGauge(report: BenchmarkReport, sides: readonly Side[]): Gauge {
  const { mode, load, status } = report;
  const { version, node, platform } = report.environment;
  const samples = sides.map((side) => ({
    labels: { ...sideLabels(side), mode, load, status, version, node, platform },
    value: 1,
  }));
  return { name: 'info', help: 'Labels of the run; always 1.', samples };
}

function errorGauge(sides: readonly Side[]): Gauge {
  const samples = sides.flatMap((side) =>
    side.measured.errors.map(({ kind, detail, count }) => ({
      labels: { ...sideLabels(side), kind, detail },
      value: count,
    })),
  );
  return { name: 'errors', help: 'Errors by kind.', samples };
}

function verdictGauges({ thresholds, comparison }: BenchmarkReport): Gauge[] {
  return [
    {
      name: 'threshold_passed',
      help: '1 if the threshold held.',
      samples: thresholds.map(({ threshold, metric, verdict }) => ({
        labels: { threshold, metric },
        value: verdict === 'pass' ? 1 : 0,
      })),
    },
    {
      name: 'threshold_value',
      help: 'Measured value of the threshold, in its unit.',
      samples: thresholds.map(({ threshold, metric, value }) => ({
        labels: { threshold, metric },
        value,
      })),
    },
    {
      name: 'comparison_ratio',
      help: 'Ratio B / A: median and interval.',
      samples: (comparison?.rows ?? []).flatMap(({ metric, ratio }) =>
        Object.entries(ratio).map(([bound, value]) => ({ labels: { metric, bound }, value })),
      ),
    },
  ];
}
