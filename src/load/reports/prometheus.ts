import type { BenchmarkReport } from '../report.ts';
import { armsOf, type Arm } from './arms.ts';
import type { NamedHistogram, NamedHistograms } from './named-histograms.ts';
import { printable } from './printable.ts';

type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  /** Null is left out. */
  readonly value: number | null;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const PREFIX = 'websocket_benchmark_';
const NS_PER_SECOND = 1e9;

/** Upper bounds of the buckets in seconds: 1, 2 and 5 to a power of ten, 10 µs to 50 s. */
const BOUNDS = [-5, -4, -3, -2, -1, 0, 1].flatMap((power) =>
  [1, 2, 5].map((lead) => Number(`${lead}e${power}`)),
);

/**
 * Renders Prometheus' text exposition format, version 0.0.4, for a textfile collector or a push
 * gateway: what one run came to are gauges, what it measured are histograms in seconds.
 */
export function renderPrometheus(report: BenchmarkReport, histograms: NamedHistograms): string {
  const lines = [...families(report).flatMap(renderFamily), ...latencies(report, histograms)];
  return `${lines.join('\n')}\n`;
}

function families(report: BenchmarkReport): Family[] {
  const { environment, comparison } = report;
  const arms = armsOf(report);
  /** Of each run, `samples` with the labels that say which. */
  const each = (samples: (arm: Arm) => readonly Sample[]): Sample[] =>
    arms.flatMap((arm) =>
      samples(arm).map(({ labels, value }) => ({
        labels: { ...armLabels(arm), ...labels },
        value,
      })),
    );
  const one = (value: (arm: Arm) => number | null): Sample[] =>
    each((arm) => [{ labels: {}, value: value(arm) }]);
  const by = (
    label: string,
    values: (arm: Arm) => Readonly<Record<string, number | null>>,
  ): Sample[] =>
    each((arm) =>
      Object.entries(values(arm)).map(([name, value]) => ({ labels: { [label]: name }, value })),
    );
  const info = {
    mode: report.mode,
    load: report.load,
    status: report.status,
    version: environment.version,
    node: environment.node,
    platform: environment.platform,
  };
  return [
    gauge(
      'info',
      'What ran, as labels; always 1.',
      each(() => [{ labels: info, value: 1 }]),
    ),
    gauge('success', 'Whether the report passed.', [{ labels: {}, value: report.success ? 1 : 0 }]),
    gauge('start_time_seconds', 'Unix time of the start.', [
      { labels: {}, value: Date.parse(report.startedAt) / 1000 },
    ]),
    gauge(
      'messages',
      'Messages of the measured phase, by what became of them.',
      by('state', ({ measured: { messages } }) => ({
        intended: messages.intended,
        sent: messages.sent,
        received: messages.received,
        lost: messages.lost,
        in_flight: messages.inFlight,
        unsent: messages.unsent,
        duplicated: messages.duplicated,
        out_of_order: messages.outOfOrder,
        wrong: messages.wrong,
      })),
    ),
    gauge(
      'messages_per_second',
      'Rate over all connections.',
      by('direction', ({ measured: { rate } }) => ({
        requested: rate.requested,
        sent: rate.sent,
        received: rate.received,
      })),
    ),
    gauge(
      'rate_reached_ratio',
      'Messages sent to messages intended.',
      one(({ measured }) => measured.rate.reached),
    ),
    gauge(
      'bytes',
      'Bytes on the wire in the measured phase.',
      by('direction', ({ measured }) => measured.bytes),
    ),
    gauge(
      'connections',
      'Connections, by what became of them.',
      by('state', ({ measured: { connections } }) => ({
        requested: connections.requested,
        opened: connections.opened,
        failed: connections.failed,
        dropped: connections.dropped,
      })),
    ),
    gauge(
      'handshakes_per_second',
      'Handshakes per second while connecting.',
      one(({ measured }) => measured.connections.perSecond),
    ),
    gauge(
      'errors',
      'Errors by kind.',
      each(({ measured: { errors } }) =>
        errors.map(({ kind, detail, count }) => ({ labels: { kind, detail }, value: count })),
      ),
    ),
    gauge(
      'phase_seconds',
      'How long each phase took.',
      by('phase', ({ measured: { phases } }) => ({
        connect: phases.connectMs / 1000,
        warmup: phases.warmupMs / 1000,
        measure: phases.measureMs / 1000,
        drain: phases.drainMs / 1000,
      })),
    ),
    gauge(
      'generator_saturated',
      'Whether the generator, not the server, was the limit.',
      one(({ measured }) => (measured.generator.saturated ? 1 : 0)),
    ),
    gauge(
      'generator_cpu_seconds',
      'CPU time of the generator.',
      one(({ measured }) => measured.generator.cpuMs / 1000),
    ),
    gauge(
      'generator_peak_resident_bytes',
      'Highest resident memory of the generator.',
      one(({ measured }) => measured.generator.peakRssBytes),
    ),
    gauge(
      'server_cpu_seconds',
      'CPU time of the server.',
      one(({ measured: { server } }) => server && server.cpuMs / 1000),
    ),
    gauge(
      'server_peak_resident_bytes',
      'Highest resident memory of the server.',
      one(({ measured: { server } }) => server && server.peakRssBytes),
    ),
    gauge(
      'server_peak_descriptors',
      'Most descriptors of the server.',
      one(({ measured: { server } }) => server && server.peakDescriptors),
    ),
    gauge(
      'replies_per_connection',
      'How evenly connections were served.',
      by('of', ({ measured }) => measured.fairness ?? {}),
    ),
    gauge(
      'threshold_passed',
      'Whether a threshold held.',
      report.thresholds.map(({ threshold, metric, verdict }) => ({
        labels: { threshold, metric },
        value: verdict === 'pass' ? 1 : 0,
      })),
    ),
    gauge(
      'threshold_value',
      'What was measured for a threshold, in its own unit.',
      report.thresholds.map(({ threshold, metric, value }) => ({
        labels: { threshold, metric },
        value,
      })),
    ),
    gauge(
      'comparison_ratio',
      'B to A, median over runs and its interval.',
      (comparison?.rows ?? []).flatMap(({ metric, ratio }) =>
        Object.entries(ratio).map(([bound, value]) => ({ labels: { metric, bound }, value })),
      ),
    ),
  ];
}

function armLabels({ key, label, measured }: Arm): Labels {
  return { target: measured.target, ...(label === '' ? {} : { arm: key }) };
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, help, samples };
}

function renderFamily({ name, help, samples }: Family): string[] {
  const known = samples.flatMap(({ labels, value }) =>
    value === null ? [] : [`${PREFIX}${name}${labelText(labels)} ${number(value)}`],
  );
  return known.length === 0 ? [] : [...head(name, help, 'gauge'), ...known];
}

function head(name: string, help: string, type: 'gauge' | 'histogram'): string[] {
  return [`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`];
}

const KINDS: Readonly<Record<NamedHistogram['name'], readonly [name: string, help: string]>> = {
  response: ['response_seconds', 'From when a message was due to its reply.'],
  service: ['service_seconds', 'From when a message was sent to its reply.'],
  lateness: ['lateness_seconds', 'From when a message was due to when it was sent.'],
  connect: ['connect_seconds', 'From the start of a connect to the 101.'],
  lastDelivery: [
    'last_delivery_seconds',
    'From when a message was published to its last delivery.',
  ],
};

function latencies(report: BenchmarkReport, histograms: NamedHistograms): string[] {
  const arms = armsOf(report);
  return Object.entries(KINDS).flatMap(([kind, [name, help]]) => {
    const own = histograms.filter((one) => one.name === kind && one.histogram.count > 0);
    const series = own.flatMap((one) => {
      const arm = arms.find(({ key }) => key === one.arm);
      return arm === undefined ? [] : histogramLines(name, armLabels(arm), one);
    });
    return series.length === 0 ? [] : [...head(name, help, 'histogram'), ...series];
  });
}

function histogramLines(name: string, labels: Labels, { histogram }: NamedHistogram): string[] {
  const total = histogram.count;
  const buckets = histogram.buckets();
  let seen = 0;
  let at = 0;
  const lines = BOUNDS.map((bound) => {
    // A bucket that reaches beyond the bound counts for the next: never better than it was.
    for (let next = buckets[at]; next !== undefined; next = buckets[at]) {
      if (next.to - 1 > bound * NS_PER_SECOND) break;
      seen += next.count;
      at += 1;
    }
    return `${PREFIX}${name}_bucket${labelText({ ...labels, le: String(bound) })} ${seen}`;
  });
  return [
    ...lines,
    `${PREFIX}${name}_bucket${labelText({ ...labels, le: '+Inf' })} ${total}`,
    `${PREFIX}${name}_sum${labelText(labels)} ${number((histogram.mean * total) / NS_PER_SECOND)}`,
    `${PREFIX}${name}_count${labelText(labels)} ${total}`,
  ];
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** The format knows `\\`, `\"` and `\n`; `printable` leaves none of the control characters. */
function escapeLabel(text: string): string {
  return text
    .split('\n')
    .map((line) => printable(line).replaceAll('\\', '\\\\').replaceAll('"', '\\"'))
    .join('\\n');
}

function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
