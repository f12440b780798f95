import type { LoadPlan } from '../plan.ts';
import type { LoadResult, SecondSample } from '../result.ts';
import { requestedRate } from './rate.ts';

const NS_PER_MS = 1e6;

/** Lateness that is always allowed. */
const LATENESS_NS = 1 * NS_PER_MS;
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

/** Whether the generator, and not the server, was the limit. */
export interface Saturation {
  readonly saturated: boolean;
  /** Each rule that was broken, in one line with its figures. */
  readonly reasons: string[];
  /** Messages per second it could hold; null if it was not saturated or if that is not known. */
  readonly heldRate: number | null;
}

/**
 * The rules: messages left late, over the whole run or in one second of it, fewer were sent than
 * were due, a worker used up its core in closed loop, or collected garbage for more than 1 % of the
 * time.
 *
 * In mode connect only the last two: there, the server causes lateness too.
 *
 * Utilisation and delay of the event loop do not show stalls that raise the p99 of the response by
 * their whole length; lateness does.
 */
export function judgeSaturation(result: LoadResult, plan: LoadPlan): Saturation {
  // A due handshake waits until another ends, so a slow server makes it late.
  const own = plan.mode === 'connect' ? [] : [...lateness(result), ...stalls(result)];
  const reasons = [...own, ...reach(result, plan), ...cpu(result, plan), ...garbage(result)];
  const saturated = reasons.length > 0;
  return { saturated, reasons, heldRate: saturated ? heldRate(result, plan) : null };
}

function lateness({ latency: { lateness, response } }: LoadResult): string[] {
  if (lateness === null) return [];
  const late = lateness.percentile(99);
  const limit = limitFor(response?.percentile(99) ?? 0);
  if (late <= limit) return [];
  return [`messages left late: p99 of the lateness is ${ms(late)}, the limit ${ms(limit)}`];
}

function limitFor(responseP99: number): number {
  return Math.max(LATENESS_NS, LATENESS_SHARE * responseP99);
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

function cpu({ generator }: LoadResult, plan: LoadPlan): string[] {
  if (plan.load.model === 'open' && plan.mode !== 'connect') return [];
  return generator.workers
    .filter(({ cpuMs, measureMs }) => cpuMs > MOST_CPU * measureMs)
    .map(
      ({ name, cpuMs, measureMs }) =>
        `${name} used ${percent(cpuMs / measureMs)} of its core, the limit is 85 %`,
    );
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
    const rates = measured.filter(isPunctual).map((sample) => sample.sent);
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

function isPunctual({ intended, sent, response, latenessP99 }: SecondSample): boolean {
  return (
    sent > 0 &&
    sent >= LEAST_REACHED * intended &&
    latenessP99 !== null &&
    latenessP99 <= limitFor(response?.p99 ?? 0)
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
