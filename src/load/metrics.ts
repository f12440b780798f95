import * as z from 'zod';
import { Mode } from './plan.ts';
import {
  ByteCounts,
  ConnectionCounts,
  ErrorRowSchema,
  Fairness,
  HandlerCount,
  Iterations,
  MessageCounts,
  PhaseTimes,
  SecondCounts,
  WorkerUse,
} from './result.ts';

/** Nanosecond histograms are reported in milliseconds. */
export const Percentiles = z.object({
  count: z.number(),
  min: z.number(),
  mean: z.number(),
  p50: z.number(),
  p75: z.number(),
  p90: z.number(),
  p95: z.number(),
  p99: z.number(),
  p999: z.number(),
  max: z.number(),
});
export type Percentiles = z.output<typeof Percentiles>;

export const ThresholdRow = z.object({
  /** As it was given: `p99<20ms`. */
  threshold: z.string(),
  metric: z.string(),
  /** In the unit of the threshold; null, and a fail, if it was not measured. */
  value: z.number().nullable(),
  bound: z.number(),
  unit: z.enum(['ms', '%', 'ratio', '/s', 'count']),
  verdict: z.enum(['pass', 'fail']),
});
export type ThresholdRow = z.output<typeof ThresholdRow>;

/** A figure over several runs: the unit is the run, not the message. */
export const Interval = z.object({
  median: z.number(),
  /** Bootstrap interval of the median, 95 %. */
  low: z.number(),
  high: z.number(),
  runs: z.array(z.number()),
});
export type Interval = z.output<typeof Interval>;

/** One second, for charts; times in milliseconds. */
export const SecondRow = SecondCounts.extend({
  p50: z.number().nullable(),
  p99: z.number().nullable(),
  max: z.number().nullable(),
  latenessP99: z.number().nullable(),
  /** Share of one core, 0 to the number of cores. */
  generatorCpu: z.number(),
  generatorRssBytes: z.number(),
  /** Null unless the server is a process on this machine that can be read. */
  serverCpu: z.number().nullable(),
  serverRssBytes: z.number().nullable(),
  serverDescriptors: z.number().nullable(),
});
export type SecondRow = z.output<typeof SecondRow>;

/** One measured run; of several runs, the one whose p99 is the median. */
export const Metrics = z.object({
  target: z.string(),
  engine: z.string(),
  /** In the mode connect, a message is a handshake; in fanout, it is a delivery. */
  mode: Mode.optional(),
  /** Messages per second, all connections together. */
  rate: z.object({
    /** Null in closed loop. */
    requested: z.number().nullable(),
    sent: z.number(),
    received: z.number(),
    /** `sent / intended`, 0 to 1; null in closed loop. */
    reached: z.number().nullable(),
  }),
  connections: ConnectionCounts.extend({
    /** Handshakes per second while connecting. */
    perSecond: z.number(),
  }),
  messages: MessageCounts,
  bytes: ByteCounts,
  latency: z.object({
    connect: Percentiles.nullable(),
    response: Percentiles.nullable(),
    service: Percentiles.nullable(),
    lateness: Percentiles.nullable(),
    lastDelivery: Percentiles.nullable(),
  }),
  fairness: Fairness.nullable(),
  errors: z.array(ErrorRowSchema.extend({ kind: z.string() })),
  generator: z.object({
    /** A worker used up its core: the generator, not the server, was the limit. */
    saturated: z.boolean(),
    /** It was held up with CPU time to spare: by other programs, garbage collection, the machine. */
    disturbed: z.boolean(),
    /** Each rule that was broken, in one line with its figures. */
    reasons: z.array(z.string()),
    /** Messages per second it could hold; null if it was not saturated. */
    heldRate: z.number().nullable(),
    /** Microseconds of CPU for each message sent; null without messages. */
    cpuPerMessageUs: z.number().nullable(),
    cpuMs: z.number(),
    peakRssBytes: z.number(),
    workers: z.array(WorkerUse),
  }),
  /** Closed loop: connections x depth / rate against the mean service time. */
  littlesLaw: z
    .object({ expectedMs: z.number(), measuredMs: z.number(), holds: z.boolean() })
    .nullable(),
  server: z
    .object({
      pid: z.number(),
      command: z.string(),
      cpuMs: z.number(),
      peakRssBytes: z.number(),
      peakDescriptors: z.number(),
      /** Messages for each second of the server's CPU; null without messages. */
      messagesPerCpuSecond: z.number().nullable(),
      /** Growth from before the first connection to the peak, for each connection; null in doubt. */
      bytesPerConnection: z.number().nullable(),
    })
    .nullable(),
  phases: PhaseTimes,
  seconds: z.array(SecondRow),
  notes: z.array(z.string()),
  /** For scenarios only; see `ScenarioResult`. */
  scenario: z
    .object({
      name: z.string(),
      iterations: Iterations,
      labels: z.array(
        z.object({
          label: z.string(),
          count: z.number(),
          failed: z.number(),
          service: Percentiles.nullable(),
          response: Percentiles.nullable(),
        }),
      ),
      unasked: z.array(HandlerCount),
      total: z.object({ sent: z.number(), received: z.number() }),
    })
    .optional(),
});
export type Metrics = z.output<typeof Metrics>;

export const Environment = z.object({
  node: z.string(),
  version: z.string(),
  platform: z.string(),
  cpu: z.string(),
  cores: z.number(),
  memoryBytes: z.number(),
  /** 1-minute load before the start. */
  loadAverage: z.number(),
  /** Share of all cores that neither generator nor server used, 0 to 1; null where not known. */
  otherCpu: z.number().nullable(),
  descriptorLimit: z.number().nullable(),
  portRange: z.string().nullable(),
  governor: z.string().nullable(),
});

/** A against B, in blocks A B B A; ratios are B / A. */
export const Comparison = z.object({
  a: z.string(),
  b: z.string(),
  rows: z.array(
    z.object({
      metric: z.string(),
      unit: z.string(),
      a: Interval,
      b: Interval,
      ratio: z.object({ median: z.number(), low: z.number(), high: z.number() }),
      /** A difference needs an interval without 1 and an effect above `--min-effect`. */
      verdict: z.enum(['a is better', 'b is better', 'no difference shown']),
    }),
  ),
  other: Metrics,
});
export type Comparison = z.output<typeof Comparison>;

/** The levels that `--find-max` ran. */
export const Search = z.object({
  slo: z.string(),
  /** Messages per second; null when not even the lowest held. */
  best: z.number().nullable(),
  levels: z.array(
    z.object({
      rate: z.number(),
      held: z.boolean(),
      /** Why not, or the figures. */
      detail: z.string(),
    }),
  ),
  /** What limits the rate, in one sentence: the server, the generator, an interrupt. */
  limit: z.string().optional(),
});
export type Search = z.output<typeof Search>;

export const BenchmarkReport = z.object({
  operation: z.literal('benchmark'),
  target: z.string(),
  mode: z.enum([...Mode.options, 'soak', 'scenario']),
  /** `invalid`: the generator was saturated or disturbed, and `--strict` was given. */
  status: z.enum(['passed', 'failed', 'interrupted', 'invalid']),
  success: z.boolean(),
  startedAt: z.string(),
  /** The command line that repeats this run. */
  command: z.string(),
  /** Open or closed loop and its figures, in words. */
  load: z.string(),
  measured: Metrics,
  /** Null for a single run: figures by name (`rate`, `p50`, `p99`, `cpuPerMessageUs`). */
  repeats: z.record(z.string(), Interval).nullable(),
  comparison: Comparison.nullable(),
  search: Search.nullable(),
  thresholds: z.array(ThresholdRow),
  environment: Environment,
  notes: z.array(z.string()),
  /** Files that were written. */
  reports: z.array(z.string()),
  durationMs: z.number(),
});
export type BenchmarkReport = z.output<typeof BenchmarkReport>;
