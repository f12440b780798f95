import type { Metrics } from '../../load/metrics.ts';
import { bytes, duration, figure } from '../../report/format.ts';

/** Fewer seconds show no trend. */
const LEAST_SECONDS = 20;

/** Growth from the first to the last quarter that is reported. */
const MUCH = 1.1;

/** What grew over a long run: memory and descriptors of the server, and what clients wait. */
export function driftNotes({ seconds }: Metrics): string[] {
  const rows = seconds.filter(({ phase }) => phase === 'measure');
  if (rows.length < LEAST_SECONDS) return ['the soak was too short to show growth'];
  const quarter = Math.floor(rows.length / 4);
  const [first, last] = [rows.slice(0, quarter), rows.slice(-quarter)];
  const drift = (
    name: string,
    valueOf: (row: (typeof rows)[number]) => number | null,
    show: (value: number) => string,
  ): string[] => {
    const [before, after] = [median(first.map(valueOf)), median(last.map(valueOf))];
    if (before === null || after === null || before === 0) return [];
    const growth = after / before;
    const times = `from ${show(before)} in the first quarter to ${show(after)} in the last`;
    return growth >= MUCH ? [`${name} grew ${times} (${figure((growth - 1) * 100)} %)`] : [];
  };
  const notes = [
    ...drift("the server's memory", ({ serverRssBytes }) => serverRssBytes, bytes),
    ...drift("the server's descriptors", ({ serverDescriptors }) => serverDescriptors, figure),
    ...drift('the p99 of the response', ({ p99 }) => p99, duration),
  ];
  return notes.length > 0
    ? notes
    : ['nothing grew by 10 % or more from the first quarter to the last'];
}

function median(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  return known[known.length >> 1] ?? null;
}
