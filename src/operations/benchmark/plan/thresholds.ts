import { parseThreshold } from '../../../load/stats/index.ts';
import type { Threshold } from '../../../load/stats/index.ts';

/** Metrics that are about what went wrong: whoever sets a bound to one of them, allows for some. */
const ABOUT_ERRORS = new Set(['errors', 'lost']);

/** The rules of a run: those that were given, and none of errors unless one of them allows for some. */
export function thresholdsOf(texts: readonly string[]): Threshold[] {
  const given = texts.map(parseThreshold);
  const allowsErrors = given.some(({ metric }) => ABOUT_ERRORS.has(metric));
  return allowsErrors ? given : [...given, parseThreshold('errors<=0')];
}
