import type { ErrorRow } from './measure/errors.ts';
import { Histogram } from './measure/histogram.ts';
import type { Latencies, LabelResult, LoadResult, ScenarioResult, SecondSample } from './result.ts';

/** What one machine measured of a run that was split. */
export interface ResultPart {
  /** Names the machine's rows in the merged result; differs from part to part. */
  readonly machine: string;
  readonly result: LoadResult;
  /** Common clock minus the machine's clock. */
  readonly clockOffsetMs?: number;
}

/**
 * One result of all `parts`: counts and histograms add, seconds are aligned by the common clock,
 * errors keep their first example, threads are named `machine/thread`.
 *
 * Of no parts, an empty result. Percentiles of single seconds cannot be merged: p50 is the mean by
 * replies, p99 and max are the highest of any machine.
 */
export function aggregateResults(parts: readonly ResultPart[]): LoadResult {
  const results = parts.map(({ result }) => result);
  const scenario = mergeScenarios(results.flatMap((result) => result.scenario ?? []));
  return {
    startedAt: new Date(
      Math.min(...parts.map(startOf), parts.length === 0 ? Date.now() : Infinity),
    ).toISOString(),
    engine: results[0]?.engine ?? 'fast',
    phases: {
      connectMs: highest(results, ({ phases }) => phases.connectMs),
      warmupMs: highest(results, ({ phases }) => phases.warmupMs),
      measureMs: highest(results, ({ phases }) => phases.measureMs),
      drainMs: highest(results, ({ phases }) => phases.drainMs),
    },
    connections: addCounts(
      ['requested', 'opened', 'failed', 'dropped'],
      results.map(({ connections }) => connections),
    ),
    messages: addCounts(
      [
        'intended',
        'sent',
        'received',
        'inWindow',
        'lost',
        'inFlight',
        'unsent',
        'duplicated',
        'outOfOrder',
        'wrong',
      ],
      results.map(({ messages }) => messages),
    ),
    bytes: addCounts(
      ['sent', 'received'],
      results.map(({ bytes }) => bytes),
    ),
    latency: mergeLatencies(results.map(({ latency }) => latency)),
    errors: mergeErrors(results.flatMap(({ errors }) => errors)),
    seconds: mergeSeconds(parts),
    generator: {
      cpuMs: sum(results, ({ generator }) => generator.cpuMs),
      peakRssBytes: sum(results, ({ generator }) => generator.peakRssBytes),
      workers: parts.flatMap(({ machine, result }) =>
        result.generator.workers.map((use) => ({ ...use, name: `${machine}/${use.name}` })),
      ),
    },
    fairness: mergeFairness(results),
    interrupted: results.some(({ interrupted }) => interrupted),
    notes: mergeNotes(parts),
    ...(scenario === undefined ? {} : { scenario }),
  };
}

/** Unix time in milliseconds on the common clock. */
function startOf({ result, clockOffsetMs = 0 }: ResultPart): number {
  return Date.parse(result.startedAt) + clockOffsetMs;
}

function sum<Row>(rows: readonly Row[], value: (row: Row) => number): number {
  return rows.reduce((total, row) => total + value(row), 0);
}

function highest<Row>(rows: readonly Row[], value: (row: Row) => number): number {
  return rows.reduce((most, row) => Math.max(most, value(row)), 0);
}

function addCounts<Name extends string>(
  names: readonly Name[],
  rows: readonly Readonly<Record<Name, number>>[],
): Record<Name, number> {
  const sums = names.map((name) => [name, sum(rows, (row) => row[name])]);
  return Object.fromEntries(sums) as Record<Name, number>;
}

function addHistograms(histograms: readonly Histogram[]): Histogram {
  const merged = new Histogram();
  for (const histogram of histograms) merged.add(histogram);
  return merged;
}

/** Null when no machine has one. */
function addNullable(histograms: readonly (Histogram | null)[]): Histogram | null {
  const present = histograms.filter((histogram) => histogram !== null);
  return present.length === 0 ? null : addHistograms(present);
}

function mergeLatencies(latencies: readonly Latencies[]): Latencies {
  return {
    connect: addHistograms(latencies.map(({ connect }) => connect)),
    response: addNullable(latencies.map(({ response }) => response)),
    service: addNullable(latencies.map(({ service }) => service)),
    lateness: addNullable(latencies.map(({ lateness }) => lateness)),
    lastDelivery: addNullable(latencies.map(({ lastDelivery }) => lastDelivery)),
  };
}

function mergeErrors(rows: readonly ErrorRow[]): ErrorRow[] {
  return groupBy(rows, ({ kind, detail }) => `${kind} ${detail}`).map(([first, ...others]) => ({
    ...first,
    count: first.count + sum(others, ({ count }) => count),
  }));
}

/** Groups in the order in which their first rows come. */
function groupBy<Row>(rows: readonly Row[], key: (row: Row) => string): [Row, ...Row[]][] {
  const groups = new Map<string, [Row, ...Row[]]>();
  for (const row of rows) {
    const group = groups.get(key(row));
    if (group === undefined) groups.set(key(row), [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

function mergeSeconds(parts: readonly ResultPart[]): SecondSample[] {
  const earliest = Math.min(...parts.map(startOf));
  const shifted = parts.flatMap((part) => {
    const shift = Math.round((startOf(part) - earliest) / 1000);
    return part.result.seconds.map((sample) => ({ ...sample, second: sample.second + shift }));
  });
  return groupBy(shifted, ({ second }) => String(second))
    .map(mergeSecond)
    .sort((a, b) => a.second - b.second);
}

/** Merges the same second of all machines. */
export function mergeSecond(samples: readonly [SecondSample, ...SecondSample[]]): SecondSample {
  const replied = samples.flatMap(({ response, received }) =>
    response === null ? [] : [{ ...response, weight: Math.max(1, received) }],
  );
  const lateness = samples.flatMap(({ latenessP99 }) => latenessP99 ?? []);
  return {
    second: samples[0].second,
    phase: samples.find(({ phase }) => phase === 'measure')?.phase ?? samples[0].phase,
    ...addCounts(['intended', 'sent', 'received', 'errors', 'connections', 'opened'], samples),
    response:
      replied.length === 0
        ? null
        : {
            p50:
              sum(replied, ({ p50, weight }) => p50 * weight) /
              sum(replied, ({ weight }) => weight),
            p99: highest(replied, ({ p99 }) => p99),
            max: highest(replied, ({ max }) => max),
          },
    latenessP99: lateness.length === 0 ? null : Math.max(...lateness),
    ...addCounts(['cpuMs', 'rssBytes'], samples),
  };
}

/** The median is the mean of the machines' medians, weighted by connections: the exact one is unknown. */
function mergeFairness(results: readonly LoadResult[]): LoadResult['fairness'] {
  const rows = results.flatMap(({ fairness, connections }) =>
    fairness === null ? [] : [{ ...fairness, weight: Math.max(1, connections.opened) }],
  );
  if (rows.length === 0) return null;
  return {
    min: Math.min(...rows.map(({ min }) => min)),
    median: sum(rows, ({ median, weight }) => median * weight) / sum(rows, ({ weight }) => weight),
    max: highest(rows, ({ max }) => max),
  };
}

/** A note of all machines stands once, others with the machine's name. */
function mergeNotes(parts: readonly ResultPart[]): string[] {
  const all = new Set(parts.flatMap(({ result }) => result.notes));
  return [...all].flatMap((note) => {
    const by = parts.filter(({ result }) => result.notes.includes(note));
    return by.length === parts.length ? [note] : by.map(({ machine }) => `${machine}: ${note}`);
  });
}

function mergeScenarios(scenarios: readonly ScenarioResult[]): ScenarioResult | undefined {
  const [first] = scenarios;
  if (first === undefined) return undefined;
  const labels = scenarios.flatMap((scenario) => scenario.labels);
  const unasked = scenarios.flatMap((scenario) => scenario.unasked);
  return {
    name: first.name,
    iterations: addCounts(
      ['started', 'completed', 'failed'],
      scenarios.map(({ iterations }) => iterations),
    ),
    labels: groupBy(labels, ({ label }) => label).map(mergeLabel),
    unasked: groupBy(unasked, ({ name }) => name).map((rows) => ({
      name: rows[0].name,
      count: sum(rows, ({ count }) => count),
    })),
    total: addCounts(
      ['sent', 'received'],
      scenarios.map(({ total }) => total),
    ),
  };
}

function mergeLabel(rows: readonly [LabelResult, ...LabelResult[]]): LabelResult {
  return {
    label: rows[0].label,
    ...addCounts(['count', 'failed'], rows),
    service: addHistograms(rows.map(({ service }) => service)),
    response: addNullable(rows.map(({ response }) => response)),
  };
}
