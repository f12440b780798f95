import type { BenchmarkReport } from '../metrics.ts';
import { sideLabels, gauges, type Gauge, type Labels } from './gauges.ts';
import { sidesOf, type NamedHistogram, type NamedHistograms } from './sides.ts';
import { printable } from '../../report/printable.ts';

const PREFIX = 'websocket_benchmark_';
const NS_PER_SECOND = 1e9;

/** Upper bounds of the buckets in seconds: 1, 2 and 5 to a power of ten, 10 µs to 50 s. */
const BOUNDS = [-5, -4, -3, -2, -1, 0, 1].flatMap((power) =>
  [1, 2, 5].map((lead) => Number(`${lead}e${power}`)),
);

/**
 * Renders Prometheus' text exposition format, version 0.0.4, for a textfile collector or a push
 * gateway: totals are gauges, latencies are histograms in seconds.
 */
export function renderPrometheus(report: BenchmarkReport, histograms: NamedHistograms): string {
  const lines = [...gauges(report).flatMap(renderGauge), ...latencies(report, histograms)];
  return `${lines.join('\n')}\n`;
}

function renderGauge({ name, help, samples }: Gauge): string[] {
  // A threshold may be given twice; the format allows each set of labels once.
  const lines = new Map(
    samples.flatMap(({ labels, value }) =>
      value === null ? [] : [[`${PREFIX}${name}${labelText(labels)}`, number(value)] as const],
    ),
  );
  if (lines.size === 0) return [];
  return [...head(name, help, 'gauge'), ...[...lines].map((line) => line.join(' '))];
}

function head(name: string, help: string, type: 'gauge' | 'histogram'): string[] {
  return [`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`];
}

const KINDS: Readonly<Record<NamedHistogram['name'], readonly [name: string, help: string]>> = {
  response: ['response_seconds', 'From when a message was due to its reply.'],
  service: ['service_seconds', 'From when a message was sent to its reply.'],
  lateness: ['lateness_seconds', 'From when a message was due to when it was sent.'],
  connect: ['connect_seconds', 'From the start of a connection to status 101.'],
  lastDelivery: [
    'last_delivery_seconds',
    'From when a message was published to its last delivery.',
  ],
};

function latencies(report: BenchmarkReport, histograms: NamedHistograms): string[] {
  const sides = sidesOf(report);
  return Object.entries(KINDS).flatMap(([kind, [name, help]]) => {
    const own = histograms.filter((one) => one.name === kind && one.histogram.count > 0);
    const series = own.flatMap((one) => {
      const side = sides.find(({ key }) => key === one.side);
      return side === undefined ? [] : histogramLines(name, sideLabels(side), one);
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
    // A bucket that extends beyond the bound counts for the next: a latency is never understated.
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

/** The format has the escapes `\\`, `\"` and `\n`; `printable` escapes control characters. */
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
