import type { Histogram } from '../measure/histogram.ts';
import type { LoadPlan } from '../plan.ts';
import type { Interval, Metrics, Percentiles, SecondRow } from '../metrics.ts';
import { createRandom } from '../random.ts';
import type { LoadResult, SecondSample } from '../result.ts';
import type { ServerSecond, ServerUse } from '../host/index.ts';
import { bootstrapMedian } from './bootstrap.ts';
import { FIGURES, valuesOf } from './figures.ts';
import { littlesLaw } from './littles-law.ts';
import { perSecond, rateNotes, requestedRate } from './rate.ts';
import { judgeSaturation } from './saturation.ts';

const NS_PER_MS = 1e6;

/** Fixed, so that the same runs give the same intervals. */
const BOOTSTRAP_SEED = 1;

/** With fewer, the server's own allocations outweigh those of the connections. */
const CONNECTIONS_TO_DIVIDE_BY = 100;

/** A run as reports show it, judged: milliseconds in place of histograms, rates, server joined. */
export function summarize(result: LoadResult, plan: LoadPlan, server: ServerUse | null): Metrics {
  const { connections, messages, latency, generator } = result;
  return {
    target: plan.target.url,
    engine: result.engine,
    mode: plan.mode,
    rate: rateOf(result, plan),
    connections: { ...connections, perSecond: handshakesPerSecond(result, plan) },
    messages,
    bytes: result.bytes,
    latency: {
      connect: percentilesOf(latency.connect),
      response: percentilesOf(latency.response),
      service: percentilesOf(latency.service),
      lateness: percentilesOf(latency.lateness),
      lastDelivery: percentilesOf(latency.lastDelivery),
    },
    fairness: result.fairness,
    errors: [...result.errors],
    generator: {
      ...judgeSaturation(result, plan),
      cpuPerMessageUs: messages.sent === 0 ? null : (generator.cpuMs * 1000) / messages.sent,
      cpuMs: generator.cpuMs,
      peakRssBytes: generator.peakRssBytes,
      workers: [...generator.workers],
    },
    littlesLaw: littlesLaw(result, plan),
    server: serverOf(result, server),
    phases: result.phases,
    seconds: secondRows(result.seconds, server?.seconds ?? []),
    notes: [...rateNotes(result, plan), ...result.notes, ...serverNotes(server)],
    ...scenarioOf(result),
  };
}

/** In milliseconds; null for an empty histogram. */
export function percentilesOf(histogram: Histogram | null): Percentiles | null {
  const count = histogram?.count ?? 0;
  if (histogram === null || count === 0) return null;
  const at = (p: number): number => histogram.percentile(p) / NS_PER_MS;
  return {
    count,
    min: histogram.min / NS_PER_MS,
    mean: histogram.mean / NS_PER_MS,
    p50: at(50),
    p75: at(75),
    p90: at(90),
    p95: at(95),
    p99: at(99),
    p999: at(99.9),
    max: histogram.max / NS_PER_MS,
  };
}

function rateOf(result: LoadResult, plan: LoadPlan): Metrics['rate'] {
  const { messages, phases } = result;
  const requested = requestedRate(result, plan);
  return {
    requested,
    sent: perSecond(messages.sent, phases.measureMs),
    received: perSecond(messages.inWindow, phases.measureMs),
    reached:
      requested === null || messages.intended === 0 ? null : messages.sent / messages.intended,
  };
}

/** Of the connect phase; in mode `connect`, of the measured phase. */
function handshakesPerSecond({ phases, seconds, connections }: LoadResult, plan: LoadPlan): number {
  if (plan.mode !== 'connect') return perSecond(connections.opened, phases.connectMs);
  const measured = seconds.filter(({ phase }) => phase === 'measure');
  return perSecond(
    measured.reduce((sum, { opened }) => sum + opened, 0),
    phases.measureMs,
  );
}

function serverOf(
  { messages, connections }: LoadResult,
  server: ServerUse | null,
): Metrics['server'] {
  if (server === null) return null;
  const { pid, command, cpuMs, peakRssBytes, peakDescriptors, startRssBytes } = server;
  const growth = peakRssBytes - startRssBytes;
  const dividable = connections.opened >= CONNECTIONS_TO_DIVIDE_BY && growth > 0;
  return {
    pid,
    command,
    cpuMs,
    peakRssBytes,
    peakDescriptors,
    messagesPerCpuSecond:
      messages.inWindow === 0 || cpuMs === 0 ? null : perSecond(messages.inWindow, cpuMs),
    bytesPerConnection: dividable && startRssBytes > 0 ? growth / connections.opened : null,
  };
}

function secondRows(
  samples: readonly SecondSample[],
  server: readonly ServerSecond[],
): SecondRow[] {
  const bySecond = new Map(server.map((row) => [row.second, row]));
  return samples.map(({ response, latenessP99, cpuMs, rssBytes, ...counts }) => {
    const beside = bySecond.get(counts.second);
    return {
      ...counts,
      p50: response === null ? null : response.p50 / NS_PER_MS,
      p99: response === null ? null : response.p99 / NS_PER_MS,
      max: response === null ? null : response.max / NS_PER_MS,
      latenessP99: latenessP99 === null ? null : latenessP99 / NS_PER_MS,
      generatorCpu: cpuMs / 1000,
      generatorRssBytes: rssBytes,
      serverCpu: beside?.cpu ?? null,
      serverRssBytes: beside?.rssBytes ?? null,
      serverDescriptors: beside?.descriptors ?? null,
    };
  });
}

function serverNotes(server: ServerUse | null): string[] {
  if (server === null || server.endedAtSecond === null) return [];
  return [`the server's process ${server.pid} ended in second ${server.endedAtSecond}`];
}

function scenarioOf({ scenario }: LoadResult): Pick<Metrics, 'scenario'> {
  if (scenario === undefined) return {};
  return {
    scenario: {
      ...scenario,
      labels: scenario.labels.map((row) => ({
        ...row,
        service: percentilesOf(row.service),
        response: percentilesOf(row.response),
      })),
      unasked: [...scenario.unasked],
    },
  };
}

/**
 * The figures of several runs, by name, and the run with the median p99 (of an even number, the
 * lower of the two); without latencies, the run with the median connect rate. Throws `RangeError`
 * without runs.
 */
export function summarizeRuns(runs: readonly Metrics[]): {
  repeats: Record<string, Interval>;
  median: Metrics;
} {
  const random = createRandom(BOOTSTRAP_SEED);
  const repeats: Record<string, Interval> = {};
  for (const figure of FIGURES) {
    const values = valuesOf(figure, runs);
    if (values !== null) repeats[figure.name] = bootstrapMedian(values, random);
  }
  return { repeats, median: medianRun(runs) };
}

function medianRun(runs: readonly Metrics[]): Metrics {
  const sorted = runs.toSorted((a, b) => rank(a) - rank(b));
  const median = sorted[(sorted.length - 1) >> 1];
  if (median === undefined) throw new RangeError('the median of no runs');
  return median;
}

function rank({ latency, connections }: Metrics): number {
  return (latency.response ?? latency.service)?.p99 ?? -connections.perSecond;
}
