import { Histogram } from '../../src/load/measure/histogram.ts';
import type { NamedHistogram, NamedHistograms } from '../../src/load/report/index.ts';
import type { BenchmarkReport, Metrics, Percentiles, SecondRow } from '../../src/load/metrics.ts';
import { INJECTION } from './malformed-input.ts';
import { Random } from './random.ts';

const NS_PER_MS = 1e6;

/** What a made-up run is like. */
export interface RunShape {
  readonly seconds?: number;
  /** Messages per second. */
  readonly rate?: number;
  /** Milliseconds; latencies spread around it. */
  readonly typicalMs?: number;
  /** Every so many milliseconds of the histogram stall for `stallMs`; 0: never. */
  readonly stallMs?: number;
  readonly seed?: number;
}

export interface SampleRun {
  readonly measured: Metrics;
  readonly histograms: Record<NamedHistogram['name'], Histogram>;
}

/** Latencies that spread to the right as real ones do: many near `typicalMs`, few far beyond. */
function skewed(random: Random, typicalMs: number): number {
  const uniform = (random.below(1_000_000) + 1) / 1_000_001;
  return Math.round(typicalMs * NS_PER_MS * (0.55 + 0.35 * (1 / uniform) ** 0.35));
}

/** A run whose figures agree with its histograms. */
export function sampleRun(shape: RunShape = {}): SampleRun {
  const { seconds = 60, rate = 20_000, typicalMs = 0.24, stallMs = 0, seed = 7 } = shape;
  const random = new Random(seed);
  const histograms = {
    response: new Histogram(),
    service: new Histogram(),
    lateness: new Histogram(),
    connect: new Histogram(),
    lastDelivery: new Histogram(),
  };
  for (let at = 0; at < 20_000; at += 1) {
    const service = skewed(random, typicalMs / 3);
    const lateness = skewed(random, 0.06);
    const waited = stallMs > 0 && random.oneIn(40) ? random.below(stallMs * NS_PER_MS) : 0;
    histograms.service.record(waited > 0 && random.oneIn(60) ? service + waited : service);
    histograms.lateness.record(lateness);
    histograms.response.record(service + lateness + waited);
  }
  for (let at = 0; at < 1000; at += 1) histograms.connect.record(skewed(random, 4));
  const measured = measuredOf(histograms, { seconds, rate, typicalMs, stallMs }, random);
  return { measured, histograms };
}

function percentilesOf(histogram: Histogram): Percentiles {
  const ms = (p: number): number => histogram.percentile(p) / NS_PER_MS;
  return {
    count: histogram.count,
    min: histogram.min / NS_PER_MS,
    mean: histogram.mean / NS_PER_MS,
    p50: ms(50),
    p75: ms(75),
    p90: ms(90),
    p95: ms(95),
    p99: ms(99),
    p999: ms(99.9),
    max: histogram.max / NS_PER_MS,
  };
}

function measuredOf(
  histograms: SampleRun['histograms'],
  { seconds, rate, typicalMs, stallMs }: Required<Omit<RunShape, 'seed'>>,
  random: Random,
): Metrics {
  const sent = rate * seconds;
  return {
    target: 'ws://localhost:8080/',
    engine: 'fast',
    rate: { requested: rate, sent: rate * 0.99993, received: rate * 0.99993, reached: 0.99993 },
    connections: { requested: 1000, opened: 1000, failed: 0, dropped: 0, perSecond: 8230 },
    messages: {
      intended: sent,
      sent,
      received: sent - 3,
      inWindow: sent - 5,
      lost: 3,
      inFlight: 0,
      unsent: 0,
      duplicated: 0,
      outOfOrder: 0,
      wrong: 0,
    },
    bytes: { sent: sent * 38, received: sent * 34 },
    latency: {
      connect: percentilesOf(histograms.connect),
      response: percentilesOf(histograms.response),
      service: percentilesOf(histograms.service),
      lateness: percentilesOf(histograms.lateness),
      lastDelivery: null,
    },
    fairness: { min: seconds * 19, median: seconds * 20, max: seconds * 21 },
    errors: [
      { kind: 'lost', detail: '', count: 3, first: 'no reply to message 118021 within 5 s' },
    ],
    generator: {
      saturated: false,
      disturbed: false,
      reasons: [],
      heldRate: null,
      cpuPerMessageUs: 19.4,
      cpuMs: seconds * 388,
      peakRssBytes: 92 * 1024 * 1024,
      workers: [
        {
          name: 'worker 1',
          cpuMs: seconds * 201,
          measureMs: seconds * 1000,
          eventLoopUtilization: 0.29,
          gcMs: 41.2,
          waitMs: 12,
        },
        {
          name: 'worker 2',
          cpuMs: seconds * 187,
          measureMs: seconds * 1000,
          eventLoopUtilization: 0.27,
          gcMs: 8.07,
          waitMs: 12,
        },
      ],
    },
    littlesLaw: null,
    server: {
      pid: 4711,
      command: 'node dist/main.js',
      cpuMs: seconds * 520,
      peakRssBytes: 141 * 1024 * 1024,
      peakDescriptors: 1022,
      messagesPerCpuSecond: rate / 0.52,
      bytesPerConnection: 21_400,
    },
    phases: { connectMs: 121.4, warmupMs: 5000, measureMs: seconds * 1000, drainMs: 34.6 },
    seconds: secondRows({ seconds, rate, typicalMs, stallMs }, random),
    notes: [],
  };
}

function secondRows(
  { seconds, rate, typicalMs, stallMs }: Required<Omit<RunShape, 'seed'>>,
  random: Random,
): SecondRow[] {
  const length = seconds + 7;
  return Array.from({ length }, (_, second): SecondRow => {
    const phase =
      second === 0 ? 'connect' : second < 6 ? 'warmup' : second < length - 1 ? 'measure' : 'drain';
    const active = phase === 'warmup' || phase === 'measure';
    const noise = 0.9 + random.below(200) / 1000;
    const stalled = stallMs > 0 && active && second % 10 === 9;
    const sent = active ? rate - (random.oneIn(8) ? random.below(30) : 0) : 0;
    return {
      second,
      phase,
      intended: active ? rate : 0,
      sent,
      received: stalled ? Math.round(sent * 0.6) : sent,
      errors: stalled && phase === 'measure' && random.oneIn(3) ? 1 : 0,
      connections: phase === 'drain' ? 998 : 1000,
      opened: phase === 'connect' ? 1000 : 0,
      p50: active ? typicalMs * noise * (second < 4 ? 1.6 : 1) : null,
      p99: active ? (stalled ? stallMs * 0.8 : typicalMs * 4.4 * noise) : null,
      max: active ? (stalled ? stallMs : typicalMs * (9 + random.below(900) / 100)) : null,
      latenessP99: active ? 0.18 * noise : null,
      generatorCpu: active ? 0.39 * noise : 0.1,
      generatorRssBytes: (70 + Math.min(second, 20)) * 1024 * 1024,
      serverCpu: active ? 0.52 * noise : 0.15,
      serverRssBytes: (118 + Math.min(second, 23)) * 1024 * 1024,
      serverDescriptors: second === 0 ? 24 : 1022,
    };
  });
}

/** The histograms of a run as they are given to reports. */
export function named({ histograms }: SampleRun, side: 'a' | 'b' = 'a'): NamedHistograms {
  return Object.entries(histograms).map(([name, histogram]) => ({
    name: name as NamedHistogram['name'],
    side,
    histogram,
  }));
}

/** A report around a run, as `benchmark` makes them. */
export function reportOf(run: SampleRun, own: Partial<BenchmarkReport> = {}): BenchmarkReport {
  return {
    operation: 'benchmark',
    target: run.measured.target,
    mode: 'echo',
    status: 'passed',
    success: true,
    startedAt: '2026-05-04T09:30:00.000Z',
    command:
      'websocket-skill benchmark --url ws://localhost:8080/ --connections 1000 --rate 20000 --duration 60s --warmup 5s --threshold "p99<20ms" --threshold "errors<0.1%"',
    load: 'open loop, 20,000 messages per second, constant arrivals, 32 bytes, binary',
    measured: run.measured,
    repeats: null,
    comparison: null,
    search: null,
    thresholds: [
      {
        threshold: 'p99<20ms',
        metric: 'p99',
        value: run.measured.latency.response?.p99 ?? null,
        bound: 20,
        unit: 'ms',
        verdict: 'pass',
      },
      {
        threshold: 'errors<0.1%',
        metric: 'errors',
        value: 0.00025,
        bound: 0.1,
        unit: '%',
        verdict: 'pass',
      },
      {
        threshold: 'rate>=0.99',
        metric: 'rate',
        value: 0.99993,
        bound: 0.99,
        unit: 'ratio',
        verdict: 'pass',
      },
    ],
    environment: {
      node: 'v22.11.0',
      version: '0.1.0',
      platform: 'linux x64 6.1.0',
      cpu: 'AMD EPYC 7763',
      cores: 2,
      memoryBytes: 8 * 1024 ** 3,
      loadAverage: 0.31,
      otherCpu: 0.034,
      descriptorLimit: 20_000,
      portRange: '32768-60999',
      governor: null,
    },
    notes: [],
    reports: [],
    durationMs: 66_120,
    ...own,
  };
}

/** The same run twice, the other slower, as `--compare` reports it. */
export function comparedRuns(): { report: BenchmarkReport; histograms: NamedHistograms } {
  const a = sampleRun({ seed: 1 });
  const b = sampleRun({ seed: 2, typicalMs: 0.41, seconds: 55 });
  const interval = (
    median: number,
    spread: number,
  ): { median: number; low: number; high: number; runs: number[] } => ({
    median,
    low: median * (1 - spread),
    high: median * (1 + spread),
    runs: [0.9, -0.7, 0.2, -0.1].map((part) => median * (1 + part * spread)),
  });
  const report = reportOf(a, {
    thresholds: [],
    comparison: {
      a: 'ws://localhost:8080/',
      b: 'ws://localhost:9090/',
      other: { ...b.measured, target: 'ws://localhost:9090/' },
      rows: [
        {
          metric: 'rate',
          unit: '/s',
          a: interval(19_998, 0.001),
          b: interval(19_990, 0.002),
          ratio: { median: 1, low: 0.998, high: 1.001 },
          verdict: 'no difference shown',
        },
        {
          metric: 'p50',
          unit: 'ms',
          a: interval(0.24, 0.04),
          b: interval(0.41, 0.06),
          ratio: { median: 1.71, low: 1.58, high: 1.83 },
          verdict: 'a is better',
        },
        {
          metric: 'p99',
          unit: 'ms',
          a: interval(1.09, 0.2),
          b: interval(1.71, 0.3),
          ratio: { median: 1.57, low: 0.96, high: 2.1 },
          verdict: 'no difference shown',
        },
        {
          metric: 'cpuPerMessageUs',
          unit: 'µs',
          a: interval(19.4, 0.02),
          b: interval(15.1, 0.03),
          ratio: { median: 0.78, low: 0.74, high: 0.81 },
          verdict: 'b is better',
        },
      ],
    },
  });
  return { report, histograms: [...named(a, 'a'), ...named(b, 'b')] };
}

/** A run in which whatever others can write is markup, quotes and control characters. */
export function hostileReport(): { report: BenchmarkReport; histograms: NamedHistograms } {
  const run = sampleRun({ seconds: 10 });
  const measured: Metrics = {
    ...run.measured,
    target: INJECTION,
    engine: INJECTION,
    errors: [{ kind: INJECTION, detail: INJECTION, count: 1, first: INJECTION }],
    generator: {
      ...run.measured.generator,
      saturated: true,
      reasons: [INJECTION],
      heldRate: 10,
      workers: run.measured.generator.workers.map((worker) => ({ ...worker, name: INJECTION })),
    },
    server: run.measured.server && { ...run.measured.server, command: INJECTION },
    scenario: {
      name: INJECTION,
      iterations: { started: 1, completed: 1, failed: 0 },
      labels: [{ label: INJECTION, count: 1, failed: 0, service: null, response: null }],
      unasked: [{ name: INJECTION, count: 1 }],
      total: { sent: 1, received: 1 },
    },
    notes: [INJECTION],
  };
  const report = reportOf(run, {
    measured,
    target: INJECTION,
    command: INJECTION,
    load: INJECTION,
    notes: [INJECTION],
    search: {
      slo: INJECTION,
      best: 1,
      levels: [{ rate: 1, held: true, detail: INJECTION }],
      limit: INJECTION,
    },
    repeats: { [INJECTION]: { median: 1, low: 1, high: 1, runs: [1] } },
    thresholds: [
      {
        threshold: INJECTION,
        metric: INJECTION,
        value: null,
        bound: 1,
        unit: 'ms',
        verdict: 'fail',
      },
    ],
    status: 'failed',
    success: false,
    environment: {
      node: INJECTION,
      version: INJECTION,
      platform: INJECTION,
      cpu: INJECTION,
      cores: 1,
      memoryBytes: 1,
      loadAverage: 0,
      otherCpu: null,
      descriptorLimit: null,
      portRange: INJECTION,
      governor: INJECTION,
    },
  });
  return { report, histograms: named(run) };
}
