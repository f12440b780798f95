import * as z from 'zod';
import { ERROR_KINDS } from './measure/errors.ts';
import { Histogram } from './measure/histogram.ts';
import type { LoadResult } from './result.ts';

/** JSON of `result`, with histograms in the base64 form that HdrHistogram's tools read. */
export function encodeResult(result: LoadResult): string {
  return JSON.stringify(result, (_key, value: unknown) =>
    value instanceof Histogram ? value.toBase64() : value,
  );
}

/**
 * The result that `encodeResult` wrote.
 *
 * @throws Error with the first thing that is wrong: the text may come from another machine
 */
export function decodeResult(text: string): LoadResult {
  const parsed = Result.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  const { path = [], message } = parsed.error.issues[0] ?? { message: 'unknown' };
  throw new Error(`not a result of a run: ${path.map(String).join('.')}: ${message}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Error('not a result of a run: no JSON', { cause });
  }
}

const Count = z.number().nonnegative();

const EncodedHistogram = z.string().transform((text, context): Histogram => {
  try {
    return Histogram.fromBase64(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'expected a histogram in base64' });
    return z.NEVER;
  }
});

const Phases = z.object({
  connectMs: Count,
  warmupMs: Count,
  measureMs: Count,
  drainMs: Count,
});

const ErrorRow = z.object({
  kind: z.enum(ERROR_KINDS),
  detail: z.string(),
  count: Count,
  first: z.string(),
});

/** As JSON, for what a worker tells while it runs. */
export const SecondSample = z.object({
  second: Count,
  phase: z.enum(['connect', 'warmup', 'measure', 'drain']),
  intended: Count,
  sent: Count,
  received: Count,
  errors: Count,
  connections: Count,
  opened: Count,
  response: z.object({ p50: Count, p99: Count, max: Count }).nullable(),
  latenessP99: Count.nullable(),
  cpuMs: Count,
  rssBytes: Count,
});

const Generator = z.object({
  cpuMs: Count,
  peakRssBytes: Count,
  workers: z.array(
    z.object({
      name: z.string(),
      cpuMs: Count,
      measureMs: Count,
      eventLoopUtilization: Count,
      gcMs: Count,
    }),
  ),
});

const Scenario = z.object({
  name: z.string(),
  iterations: z.object({ started: Count, completed: Count, failed: Count }),
  labels: z.array(
    z.object({
      label: z.string(),
      count: Count,
      failed: Count,
      service: EncodedHistogram,
      response: EncodedHistogram.nullable(),
    }),
  ),
  unasked: z.array(z.object({ name: z.string(), count: Count })),
  total: z.object({ sent: Count, received: Count }),
});

const Result = z.object({
  startedAt: z.iso.datetime(),
  engine: z.enum(['fast', 'client', 'scenario']),
  phases: Phases,
  connections: z.object({ requested: Count, opened: Count, failed: Count, dropped: Count }),
  messages: z.object({
    intended: Count,
    sent: Count,
    received: Count,
    lost: Count,
    inFlight: Count,
    unsent: Count,
    duplicated: Count,
    outOfOrder: Count,
    wrong: Count,
  }),
  bytes: z.object({ sent: Count, received: Count }),
  latency: z.object({
    connect: EncodedHistogram,
    response: EncodedHistogram.nullable(),
    service: EncodedHistogram.nullable(),
    lateness: EncodedHistogram.nullable(),
    lastDelivery: EncodedHistogram.nullable(),
  }),
  errors: z.array(ErrorRow),
  seconds: z.array(SecondSample),
  generator: Generator,
  fairness: z.object({ min: Count, median: Count, max: Count }).nullable(),
  interrupted: z.boolean(),
  notes: z.array(z.string()),
  scenario: Scenario.exactOptional(),
}) satisfies z.ZodType<LoadResult>;
