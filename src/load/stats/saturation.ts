import type { LoadPlan } from '../plan.ts';
import type { Metrics } from '../metrics.ts';
import type { LoadResult, SecondSample, WorkerUse } from '../result.ts';
import { isCoarse } from '../pacing/timers.ts';
import { short } from '../../report/format.ts';
import { requestedRate } from './rate.ts';

const NS_PER_MS = 1e6;

/** Lateness that is always allowed, beside that of a timer which counts whole milliseconds. */
const LATENESS_NS = 1 * NS_PER_MS;
const COARSE_NS = 1 * NS_PER_MS;
/** Or this share of the response time. */
const LATENESS_SHARE = 0.2;
/**
 * Limit of a single second: a stall of 50 ms makes 5 % of its messages late, at any rate, but too few
 * of a long run to change its p99.
 */
const STALL_NS = 20 * NS_PER_MS;
const LEAST_REACHED = 0.99;
const MOST_CPU = 0.85;
const MOST_GC = 0.01;

/** Whether the figures are the server's: the generator kept to its schedule and had room to spare. */
export interface Saturation {
  /** A worker used up its core: the generator, not the server, was the limit. */
  readonly saturated: boolean;
  /** It was held up with CPU time to spare: by other programs, garbage collection, the machine. */
  readonly disturbed: boolean;
  /** Each rule that was broken, in one line with its figures. */
  readonly reasons: string[];
  /** Messages per second it could hold; null unless it was saturated, or if that is not known. */
  readonly heldRate: number | null;
}

/**
 * The rules: messages left late, over the whole run or in one second of it, fewer were sent than
 * were due, a worker used up its core in closed loop, or collected garbage for more than 1 % of the
 * time. In mode connect only the last two: there, the server causes lateness too.
 *
 * The generator was saturated if one of them was broken and a worker used more than 85 % of a core;
 * with CPU time to spare, something else held it up, and it was disturbed.
 *
 * Utilisation and delay of the event loop do not show stalls that raise the p99 of the response by
 * their whole length; lateness does.
 */
export function judgeSaturation(result: LoadResult, plan: LoadPlan): Saturation {
  // A due handshake waits until another ends, so a slow server makes it late.
  const own = plan.mode === 'connect' ? [] : [...lateness(result, plan), ...stalls(result)];
  const broken = [...own, ...reach(result, plan), ...garbage(result)];
  const busy = result.generator.workers.filter(isBusy);
  // With a schedule to keep, a busy worker that keeps it is no limit.
  const isLimit = busy.length > 0 && (broken.length > 0 || !hasSchedule(plan));
  const reasons = [...broken, ...(isLimit ? busy.map(cpuText) : [])];
  if (isLimit)
    return { saturated: true, disturbed: false, reasons, heldRate: heldRate(result, plan) };
  const disturbed = reasons.length > 0;
  if (disturbed) reasons.push(...idleTexts(result));
  return { saturated: false, disturbed, reasons, heldRate: null };
}

/** The state of a generator that did not keep up, as every report names it; undefined if it did. */
export function generatorState({
  saturated,
  disturbed,
}: Pick<Saturation, 'saturated' | 'disturbed'>): string | undefined {
  if (saturated) return 'GENERATOR SATURATED';
  return disturbed ? 'GENERATOR DISTURBED' : undefined;
}

/** What is said of the generator in the notes of a report: nothing if it kept up. */
export function generatorNotes(generator: Metrics['generator'], prefix = ''): string[] {
  const state = generatorState(generator);
  if (state === undefined) return [];
  const { saturated, reasons, heldRate } = generator;
  const held = heldRate === null ? '' : `, which can hold ${short(heldRate)} messages/s`;
  const meaning = saturated
    ? `these figures are of this generator${held}, not of the server`
    : 'it was held up by something other than its load, so these figures may show that in place ' +
      'of the server';
  return [`${prefix}${state}: ${meaning}`, ...reasons.map((reason) => `${prefix}${reason}`)];
}

function lateness(result: LoadResult, plan: LoadPlan): string[] {
  const { lateness, response } = result.latency;
  if (lateness === null) return [];
  const late = lateness.percentile(99);
  const limit = limitFor(response?.percentile(99) ?? 0, allowanceNs(result, plan));
  if (late <= limit) return [];
  return [`messages left late: p99 of the lateness is ${ms(late)}, the limit ${ms(limit)}`];
}

function limitFor(responseP99: number, allowance: number): number {
  return Math.max(allowance, LATENESS_SHARE * responseP99);
}

/** Lateness in nanoseconds that is no fault, however fast the server answers. */
function allowanceNs({ engine }: LoadResult, { load, precise, workers }: LoadPlan): number {
  if (load.model === 'closed' || engine === 'scenario') return LATENESS_NS;
  return LATENESS_NS + (isCoarse(load.rate / workers, precise) ? COARSE_NS : 0);
}

function stalls({ seconds }: LoadResult): string[] {
  const stalled = seconds.filter(
    ({ phase, latenessP99 }) => phase === 'measure' && (latenessP99 ?? 0) > STALL_NS,
  );
  const [first] = stalled;
  if (first === undefined) return [];
  const worst = Math.max(...stalled.map(({ latenessP99 }) => latenessP99 ?? 0));
  return [
    `it stalled in ${plural(stalled.length, 'second')} of the run, first in second ` +
      `${first.second}: p99 of the lateness up to ${ms(worst)}`,
  ];
}

function reach({ messages: { intended, sent, unsent } }: LoadResult, plan: LoadPlan): string[] {
  if (plan.mode === 'connect' || plan.load.model === 'closed' || intended === 0) return [];
  // Messages without an open connection are not the generator's fault.
  const reached = (sent + unsent) / intended;
  if (reached >= LEAST_REACHED) return [];
  return [`it sent ${percent(reached)} of the messages that were due, the limit is 99 %`];
}

function isBusy({ cpuMs, measureMs }: WorkerUse): boolean {
  return cpuMs > MOST_CPU * measureMs;
}

function hasSchedule({ load, mode }: LoadPlan): boolean {
  return load.model === 'open' && mode !== 'connect';
}

function cpuText({ name, cpuMs, measureMs }: WorkerUse): string {
  return `${name} used ${percent(cpuMs / measureMs)} of its core, the limit is 85 %`;
}

/** That the CPU time was not the limit, and how long others had the core. */
function idleTexts({ generator: { workers } }: LoadResult): string[] {
  return workers
    .filter(({ measureMs }) => measureMs > 0)
    .map(({ name, cpuMs, waitMs, measureMs }) => {
      const waited =
        waitMs === null
          ? ''
          : ` and waited for it for ${percent(waitMs / measureMs)} of the time, as others had it`;
      return `${name} used ${percent(cpuMs / measureMs)} of its core${waited}`;
    });
}

function garbage({ generator }: LoadResult): string[] {
  return generator.workers
    .filter(({ gcMs, measureMs }) => gcMs > MOST_GC * measureMs)
    .map(
      ({ name, gcMs, measureMs }) =>
        `${name} collected garbage for ${percent(gcMs / measureMs)} of the time, the limit is 1 %`,
    );
}

/**
 * In open loop, the highest rate of a second in which messages left in time, if at least half of
 * them did; else the rate that was sent, scaled to the share of a core that may be used.
 */
function heldRate(result: LoadResult, plan: LoadPlan): number | null {
  const { measureMs } = result.phases;
  const { intended, sent, unsent } = result.messages;
  if (measureMs === 0 || sent === 0) return null;
  if (plan.load.model === 'open') {
    const measured = result.seconds.filter(({ phase }) => phase === 'measure');
    const allowance = allowanceNs(result, plan);
    const rates = measured
      .filter((second) => isPunctual(second, allowance))
      .map((second) => second.sent);
    const enough = rates.length > 0 && rates.length * 2 >= measured.length;
    if (enough) return Math.min(Math.max(...rates), requestedRate(result, plan) ?? Infinity);
  }
  const busiest = busiestShare(result, plan);
  if (busiest <= MOST_CPU && sent + unsent >= LEAST_REACHED * intended) return null;
  return (sent / (measureMs / 1000)) * Math.min(1, MOST_CPU / busiest);
}

/** Share of its core that the busiest worker needed. */
function busiestShare({ generator }: LoadResult, { precise }: LoadPlan): number {
  // A busy-waiting worker uses the whole core at any rate.
  if (precise) return MOST_CPU;
  return Math.max(0, ...generator.workers.map(({ cpuMs, measureMs }) => cpuMs / measureMs));
}

function isPunctual(
  { intended, sent, response, latenessP99 }: SecondSample,
  allowance: number,
): boolean {
  return (
    sent > 0 &&
    sent >= LEAST_REACHED * intended &&
    latenessP99 !== null &&
    latenessP99 <= limitFor(response?.p99 ?? 0, allowance)
  );
}

function ms(ns: number): string {
  return `${(ns / NS_PER_MS).toPrecision(3)} ms`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
