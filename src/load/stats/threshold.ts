import * as z from 'zod';
import { UsageError, invalidInput } from '../../core/errors.ts';
import { didYouMean } from '../../core/did-you-mean.ts';
import type { LoadPlan } from '../plan.ts';
import type { Metrics, ThresholdRow } from '../metrics.ts';
import { METRICS, type Metric, type RowUnit } from './threshold-metrics.ts';

const OPERATORS = {
  '<': (value: number, bound: number) => value < bound,
  '<=': (value: number, bound: number) => value <= bound,
  '>': (value: number, bound: number) => value > bound,
  '>=': (value: number, bound: number) => value >= bound,
} as const;

/** A condition that must hold: `p99<20ms`. */
export interface Threshold {
  /** As it was given. */
  readonly text: string;
  readonly metric: string;
  readonly operator: keyof typeof OPERATORS;
  /** In `unit`. */
  readonly bound: number;
  readonly unit: RowUnit;
}

/** Matches any text; missing parts are empty. */
const FORM = /^(\s*)([^\s<>=!]*)(\s*)([<>=!]*)(\s*)([-+.\d]*(?:e[-+]?\d+)?)(\s*)(.*?)\s*$/su;

/**
 * Reads a threshold: a metric, `<`, `<=`, `>` or `>=`, and a number with its unit.
 *
 * Throws `UsageError` WSK_ERR_INVALID_INPUT that names the column.
 */
export function parseThreshold(text: string): Threshold {
  const [, ...parts] = FORM.exec(text) ?? [];
  const columnOf = (part: number): number => parts.slice(0, part).join('').length + 1;
  const [, name = '', , sign = '', , number = '', , suffix = ''] = parts;
  const metric = METRICS.get(name.toLowerCase());
  if (metric === undefined) throw unknownMetric(text, columnOf(1), name);
  if (!isOperator(sign)) {
    throw invalidAt(text, columnOf(3), `${quoted(sign)} where <, <=, > or >= is expected`);
  }
  const bound = number === '' ? NaN : Number(number);
  if (!Number.isFinite(bound) || bound < 0) {
    throw invalidAt(text, columnOf(5), `${quoted(number)} where a number from 0 on is expected`);
  }
  const unit = Object.hasOwn(metric.suffixes, suffix) ? metric.suffixes[suffix] : undefined;
  if (unit === undefined) throw wrongUnit(text, columnOf(7), { metric, suffix });
  return {
    text,
    metric: metric.name,
    operator: sign,
    // Rounds off the error of the product: 0.07 % is 0.0007.
    bound: Number((bound * unit[1]).toPrecision(15)),
    unit: unit[0],
  };
}

/** The text of a threshold, as a field of an input: refused with the place of the fault. */
export const ThresholdText = z.string().superRefine((text, context) => {
  try {
    parseThreshold(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const message = error.message.slice(subjectOf(text).length);
    context.addIssue({ code: 'custom', message, params: { hint: error.hint } });
  }
});

/**
 * Throws `UsageError` WSK_ERR_INVALID_INPUT if a run of `plan` cannot measure what one of the
 * thresholds is about, such as the rate in a closed loop.
 */
export function requireMeasurable(thresholds: readonly Threshold[], plan: LoadPlan): void {
  for (const { text, metric } of thresholds) {
    const missing = METRICS.get(metric)?.missingIn(plan);
    if (missing !== undefined) {
      throw invalidInput(
        `threshold ${JSON.stringify(text)}: ${metric} is not measured: ${missing}`,
      );
    }
  }
}

/** The verdict of each threshold; one about a figure that was not measured fails. */
export function judgeThresholds(
  thresholds: readonly Threshold[],
  measured: Metrics,
): ThresholdRow[] {
  return thresholds.map(({ text, metric, operator, bound, unit }) => {
    const value = METRICS.get(metric)?.valueOf(measured, unit) ?? null;
    const holds = value !== null && OPERATORS[operator](value, bound);
    return { threshold: text, metric, value, bound, unit, verdict: holds ? 'pass' : 'fail' };
  });
}

function isOperator(sign: string): sign is keyof typeof OPERATORS {
  return Object.hasOwn(OPERATORS, sign);
}

function unknownMetric(text: string, column: number, name: string): UsageError {
  const seen = name === '' ? 'no metric' : `unknown metric ${quoted(name)}`;
  return invalidAt(text, column, seen, didYouMean(name.toLowerCase(), [...METRICS.keys()]));
}

function wrongUnit(
  text: string,
  column: number,
  { metric, suffix }: { metric: Metric; suffix: string },
): UsageError {
  const units = Object.keys(metric.suffixes).map((unit) => (unit === '' ? 'no unit' : unit));
  const seen = suffix === '' ? 'no unit' : `unit ${quoted(suffix)}`;
  const wanted = new Intl.ListFormat('en', { type: 'disjunction' }).format(units);
  return invalidAt(text, column, `${seen}, ${metric.name} takes ${wanted}`);
}

function quoted(text: string): string {
  return text === '' ? 'nothing' : JSON.stringify(text);
}

function invalidAt(text: string, column: number, found: string, hint?: string): UsageError {
  return invalidInput(`${subjectOf(text)}column ${column}: ${found}`, hint);
}

function subjectOf(text: string): string {
  return `threshold ${JSON.stringify(text)}, `;
}
