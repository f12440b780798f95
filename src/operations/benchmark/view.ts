import type { View } from '../../core/operation.ts';
import type { BenchmarkReport, Metrics, Percentiles } from '../../load/metrics.ts';
import { isDoubtful } from './outcome.ts';
import { bytes, count, duration, figure, percent, short, withUnit } from '../../report/format.ts';

/** What counts as a message in modes without round trips. */
const UNITS: Readonly<Record<string, string>> = { connect: 'handshake', fanout: 'delivery' };

/** Rows of errors in the terminal; the page has all. */
const MAX_ERRORS = 10;

/** Lays out the report of `benchmark`. */
export function viewBenchmark(report: BenchmarkReport): View {
  const { measured, target, mode } = report;
  const unit = UNITS[mode] ?? 'message';
  const tables = [
    ...latencyTable(measured),
    ...errorTable(measured),
    ...thresholdTable(report),
    ...repeatTable(report),
    ...comparisonTable(report),
    ...searchTable(report),
  ];
  const [table, ...moreTables] = tables;
  return {
    title: `benchmark of ${target}${mode === 'echo' ? '' : `, ${mode}`}`,
    facts: [
      ['load', report.load],
      ...rateFacts(measured, unit),
      ['connections', connectionsOf(measured)],
      ...messageFacts(measured, unit),
      ...serverFacts(measured),
      ['generator', generatorOf(measured, unit)],
      ['duration', `${duration(measured.phases.measureMs)} measured`],
      ...(report.reports[0] === undefined ? [] : [['report', report.reports[0]] as const]),
    ],
    ...(table === undefined ? {} : { table, moreTables }),
    notes: report.notes,
    doubtful: isDoubtful(report),
  };
}

type Fact = readonly [label: string, value: string];

function rateFacts({ rate, messages }: Metrics, unit: string): Fact[] {
  if (messages.intended === 0) return [];
  const [out, back] = unit === 'handshake' ? ['started', 'completed'] : ['sent', 'received'];
  const { requested, reached } = rate;
  const of = requested === null || requested === 0 ? '' : ` of ${short(requested)}/s requested`;
  const share = of === '' || reached === null ? '' : ` (${percent(reached)})`;
  return [['rate', `${short(rate.sent)}/s ${out}${of}${share}, ${short(rate.received)}/s ${back}`]];
}

function connectionsOf({ connections }: Metrics): string {
  const { opened, requested, failed, dropped, perSecond } = connections;
  return [
    `${count(opened)} of ${count(requested)} opened, ${short(perSecond)}/s`,
    ...(failed === 0 ? [] : [`${count(failed)} failed`]),
    ...(dropped === 0 ? [] : [`${count(dropped)} dropped`]),
  ].join(', ');
}

function messageFacts({ messages, fairness }: Metrics, unit: string): Fact[] {
  if (messages.intended === 0 || unit === 'handshake') return [];
  const rest = (
    [
      ['lost', messages.lost],
      ['in flight', messages.inFlight],
      ['never sent', messages.unsent],
      ['twice', messages.duplicated],
      ['out of order', messages.outOfOrder],
      ['wrong', messages.wrong],
    ] as const
  ).filter(([, amount]) => amount > 0);
  const facts: Fact[] = [
    [
      unit === 'delivery' ? 'deliveries' : 'messages',
      [
        `${count(messages.sent)} sent, ${count(messages.received)} received`,
        ...rest.map(([what, amount]) => `${count(amount)} ${what}`),
      ].join(', '),
    ],
  ];
  if (fairness !== null && fairness.max > 2 * fairness.min) {
    const { min, median, max } = fairness;
    facts.push([
      'fairness',
      `from ${count(min)} to ${count(max)} replies per connection, median ${count(median)}`,
    ]);
  }
  return facts;
}

function serverFacts({ server, phases }: Metrics): Fact[] {
  if (server === null) return [];
  const parts = [
    `process ${server.pid}`,
    `CPU ${percentOfCore(server.cpuMs, phases.measureMs)}`,
    `up to ${bytes(server.peakRssBytes)}`,
    ...(server.peakDescriptors === 0 ? [] : [`${count(server.peakDescriptors)} descriptors`]),
    ...(server.messagesPerCpuSecond === null
      ? []
      : [`${count(server.messagesPerCpuSecond)} messages per CPU second`]),
    ...(server.bytesPerConnection === null
      ? []
      : [`${bytes(server.bytesPerConnection)} per connection`]),
  ];
  return [['server', parts.join(', ')]];
}

function generatorOf({ generator, phases, latency, engine }: Metrics, unit: string): string {
  const late = latency.lateness;
  return [
    ...(phases.measureMs === 0 ? [] : [stateOf(generator)]),
    `CPU ${percentOfCore(generator.cpuMs, phases.measureMs)}`,
    ...(generator.cpuPerMessageUs === null
      ? []
      : [`${figure(generator.cpuPerMessageUs)} µs per ${unit}`]),
    ...(late === null ? [] : [`p99 of lateness ${duration(late.p99)}`]),
    `up to ${bytes(generator.peakRssBytes)}`,
    `${generator.workers.length} ${generator.workers.length === 1 ? 'worker' : 'workers'}`,
    `${engine} engine`,
  ].join(', ');
}

function percentOfCore(cpuMs: number, measureMs: number): string {
  return measureMs === 0 ? '–' : `${Math.round((cpuMs / measureMs) * 100)} % of a core`;
}

function stateOf({ saturated, disturbed }: Metrics['generator']): string {
  return saturated ? 'SATURATED' : disturbed ? 'disturbed' : 'not the limit';
}

const ROWS = [
  ['min', 'min'],
  ['mean', 'mean'],
  ['p50', 'p50'],
  ['p75', 'p75'],
  ['p90', 'p90'],
  ['p95', 'p95'],
  ['p99', 'p99'],
  ['p99.9', 'p999'],
  ['max', 'max'],
] as const;

/** Response beside service: the difference is the wait that a closed loop hides. */
function latencyTable({ latency }: Metrics): View.Table[] {
  const all = [
    ['response', latency.response],
    ['service', latency.service],
    ['last delivery', latency.lastDelivery],
    ['connect', latency.connect],
  ] as const;
  const shown = all.filter((entry): entry is readonly [(typeof entry)[0], Percentiles] => {
    const [, percentiles] = entry;
    return percentiles !== null && percentiles.count > 0;
  });
  if (shown.length === 0) return [];
  return [
    {
      columns: ['', ...shown.map(([name]) => name)],
      rows: ROWS.map(([label, key]) => [
        label,
        ...shown.map(([, percentiles]) => duration(percentiles[key])),
      ]),
    },
  ];
}

function errorTable({ errors }: Metrics): View.Table[] {
  if (errors.length === 0) return [];
  return [
    {
      columns: ['error', 'count', 'first example'],
      rows: errors
        .slice(0, MAX_ERRORS)
        .map(({ kind, detail, count: amount, first }) => [
          detail === '' ? kind : `${kind} ${detail}`,
          count(amount),
          first,
        ]),
    },
  ];
}

function thresholdTable({ thresholds }: BenchmarkReport): View.Table[] {
  if (thresholds.length === 0) return [];
  return [
    {
      columns: ['threshold', 'verdict', 'measured'],
      rows: thresholds.map(({ threshold, verdict, value, unit }) => [
        threshold,
        verdict,
        value === null ? 'nothing' : withUnit(value, unit),
      ]),
    },
  ];
}

function repeatTable({ repeats }: BenchmarkReport): View.Table[] {
  if (repeats === null) return [];
  return [
    {
      columns: ['over all runs', 'median', 'interval (95 %)'],
      rows: Object.entries(repeats).map(([name, { median, low, high }]) => [
        name,
        figure(median),
        `${figure(low)} to ${figure(high)}`,
      ]),
    },
  ];
}

function comparisonTable({ comparison }: BenchmarkReport): View.Table[] {
  if (comparison === null) return [];
  return [
    {
      columns: ['figure', `A`, 'B', 'B / A (95 %)', 'conclusion'],
      rows: comparison.rows.map(({ metric, unit, a, b, ratio, verdict }) => [
        unit === '' ? metric : `${metric}, ${unit}`,
        figure(a.median),
        figure(b.median),
        `${figure(ratio.median)} (${figure(ratio.low)} to ${figure(ratio.high)})`,
        verdict,
      ]),
    },
  ];
}

function searchTable({ search }: BenchmarkReport): View.Table[] {
  if (search === null) return [];
  return [
    {
      columns: ['messages per second', `holds ${search.slo}`, 'detail'],
      rows: search.levels.map(({ rate, held, detail }) => [
        short(rate),
        held ? 'yes' : 'no',
        detail,
      ]),
    },
  ];
}
