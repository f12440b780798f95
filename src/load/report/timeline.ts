import type { SecondRow } from '../metrics.ts';

/** Consecutive seconds of a run, drawn as one point. */
export type Span = NonNullable<ReturnType<typeof join>>;

/** Seconds per point, so that there are at most `most` points. */
export function stepFor(seconds: number, most: number): number {
  return Math.max(1, Math.ceil(seconds / most));
}

/**
 * Joins every `step` seconds into one span. Percentiles cannot be averaged, so a span has those of
 * its worst second; no spike is lost.
 */
export function spans(rows: readonly SecondRow[], step: number): Span[] {
  const groups = new Map<number, SecondRow[]>();
  for (const row of rows) {
    const at = Math.floor(row.second / step) * step;
    const group = groups.get(at);
    if (group === undefined) groups.set(at, [row]);
    else group.push(row);
  }
  return [...groups].flatMap(([second, group]) => join(second, group) ?? []);
}

function join(second: number, group: readonly SecondRow[]) {
  const last = group.at(-1);
  if (last === undefined) return undefined;
  const of = <Key extends keyof SecondRow>(key: Key): SecondRow[Key][] =>
    group.map((row) => row[key]);
  return {
    second,
    phase: last.phase,
    // Per second.
    intended: mean(of('intended')) ?? 0,
    sent: mean(of('sent')) ?? 0,
    received: mean(of('received')) ?? 0,
    opened: mean(of('opened')) ?? 0,
    errors: of('errors').reduce((sum, value) => sum + value, 0),
    // At the end of the span.
    connections: last.connections,
    p50: median(of('p50')),
    p99: highest(of('p99')),
    max: highest(of('max')),
    latenessP99: highest(of('latenessP99')),
    generatorCpu: mean(of('generatorCpu')) ?? 0,
    serverCpu: mean(of('serverCpu')),
    generatorRssBytes: highest(of('generatorRssBytes')) ?? 0,
    serverRssBytes: highest(of('serverRssBytes')),
    serverDescriptors: highest(of('serverDescriptors')),
  };
}

function known(values: readonly (number | null)[]): number[] {
  return values.filter((value) => value !== null);
}

function mean(values: readonly (number | null)[]): number | null {
  const numbers = known(values);
  return numbers.length === 0
    ? null
    : numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}

function highest(values: readonly (number | null)[]): number | null {
  const numbers = known(values);
  return numbers.length === 0 ? null : Math.max(...numbers);
}

function median(values: readonly (number | null)[]): number | null {
  const numbers = known(values).sort((a, b) => a - b);
  return numbers[Math.floor(numbers.length / 2)] ?? null;
}
