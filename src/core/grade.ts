import * as z from 'zod';

/**
 * The verdict of one row of a report about a peer.
 *
 * `fail`: the peer broke a MUST of the RFC on the wire, or what was stated about it. `warn`: it does
 * not follow a SHOULD, or lacks what makes a server hard to attack. `info`: legal, and worth knowing.
 * `skip`: not judged.
 */
export const Grade = z.enum(['pass', 'info', 'warn', 'fail', 'skip']);
export type Grade = z.output<typeof Grade>;

/** How many rows of a report have each grade. */
export const GradeCounts = z.object({
  passed: z.number(),
  failed: z.number(),
  warnings: z.number(),
  infos: z.number(),
  skipped: z.number(),
});
export type GradeCounts = z.output<typeof GradeCounts>;

interface Row {
  readonly verdict: Grade;
}

export function countGrades(rows: readonly Row[]): GradeCounts {
  const count = (grade: Grade): number => rows.filter(({ verdict }) => verdict === grade).length;
  return {
    passed: count('pass'),
    failed: count('fail'),
    warnings: count('warn'),
    infos: count('info'),
    skipped: count('skip'),
  };
}

/** `20 passed, 1 failed, 2 warnings, 1 for information, 3 skipped`; what there is none of is left out. */
export function describeCounts(counts: GradeCounts): string {
  const { passed, failed, warnings, infos, skipped } = counts;
  const parts: readonly (readonly [number, string])[] = [
    [passed, 'passed'],
    [failed, 'failed'],
    [warnings, warnings === 1 ? 'warning' : 'warnings'],
    [infos, 'for information'],
    [skipped, 'skipped'],
  ];
  const known = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return known.length === 0 ? 'none' : known.join(', ');
}

/** Rows that ended alike for the same reason. */
export interface RowGroup<T> {
  readonly verdict: Grade;
  readonly reason: string;
  readonly rows: readonly [T, ...T[]];
}

/**
 * Puts rows together that failed, warn or were skipped for the same reason, each group at the place of
 * its first row. Every other row is a group of its own.
 */
export function groupRows<T extends Row>(
  rows: readonly T[],
  reasonOf: (row: T) => string,
): RowGroup<T>[] {
  const groups = new Map<string, { verdict: Grade; reason: string; rows: [T, ...T[]] }>();
  for (const [at, row] of rows.entries()) {
    const { verdict } = row;
    const reason = reasonOf(row);
    const isGood = verdict === 'pass' || verdict === 'info';
    const key = isGood ? String(at) : `${verdict} ${reason}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { verdict, reason, rows: [row] });
    else group.rows.push(row);
  }
  return [...groups.values()];
}

/** The field of an operation whose rows are graded. */
export const strict = z
  .boolean()
  .default(false)
  .describe('a warning (a SHOULD, or hardening) fails like a broken MUST');

/** The row as `--strict` grades it: a warning fails, too. */
export function graded<T extends Row>(row: T, isStrict: boolean): T {
  return isStrict && row.verdict === 'warn' ? { ...row, verdict: 'fail' } : row;
}
