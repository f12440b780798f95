import { DurationMs } from '../../../core/fields.ts';

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** Reads `5` or `1..6`; undefined for anything else. */
export function integerRange(value: unknown): Range | undefined {
  return rangeOf(value, (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : undefined));
}

/** Reads `500ms` or `500ms..2s`, in milliseconds; undefined for anything else. */
export function durationRange(value: unknown): Range | undefined {
  return rangeOf(value, (text) => DurationMs.safeParse(numeral(text)).data);
}

function numeral(text: string): string | number {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

function rangeOf(value: unknown, read: (text: string) => number | undefined): Range | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const ends = String(value).split('..');
  const min = read((ends[0] ?? '').trim());
  const max = ends.length === 1 ? min : read((ends[1] ?? '').trim());
  if (ends.length > 2 || min === undefined || max === undefined || max < min) return undefined;
  return { min, max };
}
